// Package application holds what an application behind HTTP costs: the way of
// an event to its endpoint and back, beside the endpoint called directly.
// There is no code to import, only tests.
//
// The server, the endpoint (the least that net/http can be) and the clients
// are processes of their own, so that processor time can be told apart. They
// share the processors: nothing else should run on the machine. A plain `go
// test` is a small run without times; the tables of docs/app.md are from
//
//	go test -tags long -v -count 1 -run Pace ./benchmarks/application
//	go test -run xxx -bench . ./benchmarks/application
//
// THRONG_APP_PROFILE=FILE has the server write a profile of its processor time.
package application
