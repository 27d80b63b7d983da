// Package app owns the way to an application that is plain HTTP: what clients
// of a namespace do is posted to its endpoint as JSON, and what the answer says
// is done. docs/app.md describes both for those who write endpoints.
//
// Handlers of a socket run one after the other, so its events are posted one
// after the other; those of different sockets go at the same time, bounded by
// Options.MaxRequests. A handler waits for its answer, which costs a worker
// and no event loop. Nothing is dropped silently: an event that could not be
// handled is answered with a Failure if the client waits for an answer, and
// counted and logged either way.
package app
