// Command polling owns the load of HTTP long-polling clients: it starts a
// server that keeps the contract of benchmarks/contractserver, pinned to one
// core, and measures from another one
//
//   - what an idle session costs: the growth of the server's resident memory
//     over many sessions, each joined to "/" and with its poll open, on one
//     keep-alive connection (kernel memory is not in it);
//   - how many requests a core answers: sessions with a keep-alive connection
//     for polls and one for posts send "echo" and await it, one POST and one GET
//     each, as fast as it goes.
//
// Requests are counted by the second, which a slow client or somebody else on
// the server's core makes fewer, and by the second of the server's own
// processor time, which leaves out what the kernel does in interrupts. What one
// core can do lies between them. Received bodies are checked; anything
// unexpected ends the run.
//
//	polling [flags] -name NAME -- SERVER [ARGUMENT...]
//
// The server prints "listening on HOST:PORT". `make bench-polling` measures
// throng and Node's socket.io in one run.
package main
