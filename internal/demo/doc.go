// Package demo owns the pages of `throng demo` and the event handlers behind
// them. Each demo is one short file written with the public API alone, made
// to be read and copied: chat.go, broadcast.go.
package demo
