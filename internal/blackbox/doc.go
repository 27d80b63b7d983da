// Package blackbox owns the tests of the built binary as people run it: it is
// installed, started, upgraded under load, asked by curl, and stopped. It has
// no other code.
package blackbox
