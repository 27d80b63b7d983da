// Package eio owns the Engine.IO protocol, revision 4 and the revision 3 of
// clients 1.x and 2.x: packets as bytes, the payloads of HTTP long-polling, and
// the life of a session as a state machine.
//
// The package does no I/O, reads no clock and starts no goroutine. The owner
// of a connection feeds packets and ticks into a [Session] and does what the
// returned [Action] says; a Session has one owner at a time. The functions
// may be called from any goroutine.
//
// # Packets
//
//	0{"sid":"...",...}   open, the server's first packet
//	1                    close
//	2                    ping, from the server
//	3                    pong, the client's answer
//	4...                 message
//	5, 6                 upgrade and noop, of an upgrade from polling
//
// A WebSocket text message is one packet; a binary message is the payload of a
// message packet without its type. In a polling payload packets are separated
// by the byte 0x1e and a binary message is "b" and its base64; a client may
// send that form in a WebSocket text message, too.
//
// # Heartbeat
//
// The server pings PingInterval after the start and after every pong. A pong
// must follow within PingTimeout; any other packet in that time shows that the
// client lives and restarts the timeout, but once per ping, and only a pong
// ends the wait. Clients close when no ping has come for both times together.
//
// Time is a tick counter of 100 ms that the caller passes in, uint32, which
// may wrap around. A wait of n ticks is between n-1 and n ticks long, as the
// current one has already begun. Traffic never moves a timer: it changes when
// the session is due, and a [Session.Tick] that comes before that answers with
// the rest. That keeps a session at 8 bytes and a pong at a few stores.
//
// # Revision 3
//
// Functions for revision 3 have a 3 in their name. Clients ping there and the
// server answers; a session that [Session.Start3] began does so. A payload has
// lengths instead of separators, in UTF-16 code units, or is binary:
//
//	2:4013:42["auth",{}]                   two packets as text
//	10:b4AQIDBA==                          binary as base64
//	00 06 ff 34 68 65 6c 6c 6f 01 05 ff 04 01 02 03 04
//	                                       "4hello" and a binary message
//
// A client that asks for b64 gets base64 throughout. Browsers without
// cross-origin requests poll with script tags: [AppendJSONP], [DecodeJSONP].
// Stricter than the JavaScript server we take lengths for digits only, refuse
// empty packets and text that is not UTF-8.
package eio
