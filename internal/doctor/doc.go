// Package doctor owns the answer to "why does it not work here": it compares
// the limits of this machine with what a number of connections needs, and walks
// the way of a browser to a server through whatever stands between them. It
// changes nothing.
package doctor
