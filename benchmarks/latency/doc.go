// Package latency holds the service levels: how long a client waits for an
// answer while the server does something large or something foolish for
// others. There is no code to import, only tests.
//
// Each scenario starts a server of its own, written with the public API, in a
// child process on the first processor; the clients run on the last one, the
// large crowds of them in a second child. A plain `go test` runs everything in
// a small size and checks what arrives, in which order and how often, but no
// times. With the build tag long the sizes are those of the service levels and
// the times are asserted:
//
//	go test -tags long -v -count 1 -timeout 20m ./benchmarks/latency
//
// One of them measures the binary: what it costs busy clients that somebody
// scrapes /metrics, in less than a minute:
//
//	go test -tags long -v -count 1 -run TestScrapesAreNotFelt ./benchmarks/latency
//
// A line with p50, p99, the largest sample and the number of samples is the
// output of each measurement. Nothing else should run on the machine.
package latency
