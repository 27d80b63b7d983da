// Package memory owns a cluster within one process: a [Bus] stands for the
// broker, its nodes are servers of the same program. It carries entries as
// package cluster promises, asynchronously and in order, without a copy.
//
//	bus := memory.New()
//	a, err := bus.Node(memory.Options{ID: "a"})
//	srv, err := socketio.NewServer(socketio.Options{Cluster: a})
//
// It is made for tests: what a broker and a network do to nodes can be done
// here by a call, and the moment it is done is the test's to choose. [Faults]
// lose or delay entries; [Bus.Cut] takes the broker away from a node and
// [Bus.Heal] gives it back; [Bus.Lapse] lets the lease of a node that is cut
// off end, so that it comes back as a new incarnation; [Bus.Crash] ends a node
// without a word.
//
// # Goroutines
//
// One mutex guards a bus with all its nodes; it is held for a few
// instructions, and while the hooks of Faults run, which therefore must be short
// and call nothing of the bus. Each node has one goroutine, which calls its
// receiver without the mutex.
package memory
