package netpoll

import "runtime"

const (
	// calmReads connections read between two turns are still calm.
	calmReads = 4
	// calmAfter turns in a row that were calm, a loop is.
	calmAfter = 8
	// calmProbe is how often a calm loop takes the long way, to notice that it
	// is not calm any more.
	calmProbe = 16
	// calmSends are the receivers that a calm turn may have for what others
	// send. Beside their writes two system calls are nothing, and messages
	// that come meanwhile share the next ones.
	calmSends = 64
	// turnReads connections read by a busy loop are a turn's worth: beyond, what
	// their sockets and objects have brought into the processor's caches has left
	// again when it is their turn to be written.
	turnReads = 64
)

// calm tells whether epoll gives a loop hardly more than one connection at a
// time. The turn then follows at once, in the same call: the byte that would
// wake the loop for it costs two system calls and another round of epoll, as
// much as the message itself. A busy loop wants the byte, because it comes
// behind all connections that are to be read, and one turn serves them all. So
// does one whose turns send to many: what comes in the time of the byte is
// written with the rest.
type calm struct {
	on    bool
	reads int // connections since the last turn
	quiet int // turns in a row that were calm
	count int
}

// direct tells whether the turn of this read should follow it.
func (c *calm) direct() bool {
	c.reads++
	if !c.on {
		return false
	}
	if c.count++; c.count < calmProbe {
		return true
	}
	c.count = 0
	return false
}

// sent takes note of how many messages a turn has distributed.
func (c *calm) sent(n int) {
	if n > calmSends {
		c.on, c.quiet = false, 0
	}
}

// turn takes note of a turn that came by the byte.
func (c *calm) turn() {
	switch n := c.reads; {
	case n == 0: // others have posted
	case n > calmReads:
		c.on, c.quiet = false, 0
	case c.on:
	default:
		c.quiet++
		c.on = c.quiet >= calmAfter
	}
	c.reads = 0
}

// full tells that the reads since the last turn should have one now, where
// those of the last one did not bring messages for many others.
func (c *calm) full(appends int) bool {
	return c.reads%turnReads == 0 && appends <= 2*turnReads
}

// read takes what a connection has sent.
func (l *Loop) read(c *Conn, b []byte) {
	switch {
	case !l.calm.direct():
		c.traffic(b)
		// Within a round it is a task that feeds the connection.
		if !l.working && l.calm.full(l.appends) {
			l.turnNow(l.armed.CompareAndSwap(false, true))
		}
	case !l.armed.CompareAndSwap(false, true):
		c.traffic(b)
	default:
		// From here to the turn's end nobody writes a byte.
		c.traffic(b)
		if l.left() {
			l.turnNow(true)
		} else {
			l.disarm() // a pong, or the half of a message
		}
		l.calm.reads = 0
	}
}

// turnNow does a turn behind a read. It is the last one for now if no byte is
// under way that would bring another.
func (l *Loop) turnNow(last bool) {
	if len(l.ready) > 0 {
		l.sendReady()
		if !l.srv.tight {
			// Short handlers return before this goroutine goes on, and their
			// answers leave in this turn.
			runtime.Gosched()
		}
	}
	l.round()
	if last {
		l.disarm()
	}
}
