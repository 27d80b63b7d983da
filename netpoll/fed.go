package netpoll

import (
	"errors"
	"net"
	"syscall"
)

// Sink takes what the server writes to a connection that is fed.
type Sink interface {
	// Wrote runs on the connection's loop instead of a send call; p is valid
	// until it returns. It must not call Feed: post a Task that does.
	Wrote(c *Conn, p []byte)
}

// OpenFed opens a connection that has no descriptor: Feed brings its bytes,
// sink takes what the server writes. Everything above the socket is as for any
// other, so that a process can hold more sessions than descriptors, to be
// looked at. Nil: no more are taken. Loop only.
func (l *Loop) OpenFed(sink Sink) *Conn {
	n := len(l.conns)
	if k := len(l.freeSlots); k > 0 {
		n = int(l.freeSlots[k-1])
	}
	if !l.accept(&fed{sink: sink}, -1) {
		return nil
	}
	return l.conns[n]
}

// Feed is b come in on a fed connection; b is overwritten. Loop only, from a
// Task, not from within a Peer. A connection that has ended ignores it.
func (c *Conn) Feed(b []byte) {
	if _, ok := c.link.(*fed); ok {
		c.loop.read(c, b)
	}
}

// fed stands where gnet's connection would.
type fed struct{ sink Sink }

var (
	fedAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	errFed  = errors.New("netpoll: no descriptor")
)

func (f *fed) Next(int) ([]byte, error)    { return nil, errFed }
func (f *fed) Write(p []byte) (int, error) { return 0, errFed }
func (f *fed) OutboundBuffered() int       { return 0 }
func (f *fed) Dup() (int, error)           { return -1, errFed }
func (f *fed) RemoteAddr() net.Addr        { return fedAddr }

// take is the send call of a fed connection.
func (c *Conn) take(p []byte) (int, syscall.Errno) {
	f, ok := c.link.(*fed)
	if !ok {
		return 0, syscall.EBADF
	}
	f.sink.Wrote(c, p)
	return len(p), 0
}
