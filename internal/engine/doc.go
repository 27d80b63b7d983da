// Package engine owns the Engine.IO side of a server: which requests are its
// own, the handshake and its refusals, session ids, the open packet, both
// transports and the way from one to the other, the heartbeat and the end of a
// session. It stands on netpoll and hands whole Engine.IO messages up; it
// knows nothing of Socket.IO.
//
// # Sessions
//
// Whoever builds on engine embeds a Session as the first field of its own type
// and implements Upper. A session stays on the loop it was opened on, which
// its id names together with its slot there; there is no table of sessions and
// no lock. One that began on a WebSocket has it in its netpoll.Conn. One that
// polls has a Conn without a socket: what is sent waits there until a poll
// comes for it. Requests that arrive on another loop are posted home and their
// answers posted back (exchange). A WebSocket that takes a session over is
// adopted, if both are on one loop, and the session is then like any other;
// else it stays where it is and passes on what it reads (upgrade.go).
//
// Requests on connections that belong to net/http are decided on the loops as
// well: their goroutine waits, and a WebSocket is carried to a loop.
package engine
