// Package feed owns the way from messages of other processes (cluster/queue) to
// the sockets of one server. Every server of a cluster reads the messages, so
// that what they ask for stays on this one.
package feed
