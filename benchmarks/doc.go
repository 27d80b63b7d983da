// Package benchmarks holds the numbers that a reader can repeat: what each
// thing a client or a handler does costs, through the public API, over real
// sockets of the loopback.
//
//	go test -bench . ./benchmarks/
//
// Server and clients share the process and its processors, so a figure is the
// price of both sides; "ns/delivery" is the time from the first emit to the
// last receipt, divided by all receipts, and "B/op" counts the memory both
// sides allocate (the clients, nothing per message). What belongs to the
// server alone is measured from another process: see latency beside this
// package, and contractserver, which such harnesses drive: rivals beside other
// servers, rivals/crowd with 100,000 connections, polling. Their results are in
// RESULTS.md. What must not slip is asserted here in tests.
package benchmarks
