// Package netpoll owns the sockets: gnet event loops that accept, parse,
// queue and write, so that a connection needs no goroutine, timer or buffer
// while it is idle. It speaks HTTP/1.1 far enough to route a request and the
// whole of RFC 6455 as a server, and knows nothing of Engine.IO or
// Socket.IO: alone it is a plain WebSocket server (benchmarks/wsecho).
//
// # Loops
//
// Each loop has its own listener (SO_REUSEPORT) and is one goroutine of gnet.
// It alone touches its connections, timer wheel and lists; there is no lock on
// them. Everybody else posts: Loop.Post and Loop.PostSend append to the inbox
// and wake the loop with one byte on a socket pair. That byte's arrival is
// the turn: first the inbox is worked off in order (distribute), then the
// connections with pending output are written to for a bounded time (flush),
// those with a direct message first, then broadcasts where they stopped. What
// is left waits for the next byte, so that reads get in between. A loop to
// which epoll gives hardly more than one connection at a time does without the
// byte: its turn follows the read. A busy one has a turn behind every 64 reads
// as well, while they are still in the caches (calm.go).
//
// Timers count in ticks of 100 ms. The clock wakes the loops that have one due,
// each second at least, and sleeps in between (clock.go); while it does, a loop
// that wants to know the time reads it.
//
// gnet's own queues are not used: Execute is not FIFO and starves reads, and
// AsyncWrite overtakes it. gnet's outbound buffer, which has no ceiling, only
// ever holds the tail of one batch (64 KiB); everything else waits on the
// connection's own list of shared messages, which is bounded.
//
// # What is gobwas/ws and what is ours
//
// Types, constants and rules come from gobwas/ws: ws.Header, ws.OpCode,
// ws.StatusCode, the header check (ws.CheckHeader), the close payload check
// (ws.CheckCloseFrameData), the unmasking (ws.Cipher) and the handshake's
// error values with their status codes. Its readers are not used: they block
// until a whole frame is there, which would stop every other connection of
// the loop. Nor is its Upgrader: it reads through a 4 KiB buffer of its own,
// swallowing frames that arrive with the request, and allocates once a call.
// The head is parsed once, in place, by the parser that routes it; a
// differential test holds our handshake to the Upgrader's answer.
//
// # Rules
//
// docs/ownership.md in the repository lists who owns what. In short: only the
// flush writes to a socket; what happens to a connection is told to its Peer
// on its loop; after Peer.Closed nothing of it is touched again, because the
// kernel may already have given the descriptor to somebody else.
package netpoll
