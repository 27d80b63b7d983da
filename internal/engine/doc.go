// Package engine owns the Engine.IO side of a server: which requests are its
// own, the handshake and its refusals, session ids, the open packet, the
// heartbeat and the end of a session. It stands on netpoll and hands whole
// Engine.IO messages up; it knows nothing of Socket.IO.
//
// A session lives in the object of its connection: whoever builds on engine
// embeds a Session as the first field of its own type and implements Upper.
// Everything a Session does runs on the loop of its connection; there is no
// table of sessions and no lock.
//
// WebSocket is the only transport. A request for long-polling is refused with
// the protocol's own error and a log line that says what a client should pass.
package engine
