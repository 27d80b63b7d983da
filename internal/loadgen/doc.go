// Package loadgen owns the load generator behind `throng bench`: light clients
// of any Socket.IO server, in several processes, and the accounts of what they
// sent and got.
//
// A coordinator (Run) starts workers, which are this program again. Each
// worker is one thread with one epoll loop: its connections are entries of one
// slice, without a goroutine, a timer or a buffer of their own, so that a
// worker's limit is its descriptors. Commands go to a worker as JSON lines on
// its standard input, and reports come back as JSON lines.
//
// Every message carries its stream, its number in the stream and the time it
// was due, on the clock that all processes of a host share. So each receiver
// knows for itself what it got late, twice, wrongly or never.
package loadgen
