package benchmarks

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/socketio"
)

// tap is the clients of one loop: it counts what they get and answers their
// pings. Its fields but the counters belong to the loop.
type tap struct {
	events atomic.Int64
	pings  atomic.Int64
	writes atomic.Int64
	pinged []*netpoll.Conn
	conns  []*netpoll.Conn // all, if keep
	keep   bool

	asker      *asker
	unanswered int

	_ [128]byte // no cache line is another loop's, too
}

var pong = []byte{0x81, 0x81, 0, 0, 0, 0, '3'}

// Wrote implements netpoll.Sink. A write holds whole frames, whose payloads
// begin with the type of a packet.
func (t *tap) Wrote(c *netpoll.Conn, p []byte) {
	t.writes.Add(1)
	if p[0] == 'H' {
		return // of the upgrade, which is written alone or before what is no event
	}
	events := int64(0)
	for len(p) >= 3 {
		n, head := int(p[1]), 2
		if n == 126 && len(p) >= 5 {
			n, head = int(binary.BigEndian.Uint16(p[2:])), 4
		}
		switch p[head] {
		case '4':
			events++
		case '2':
			t.pings.Add(1)
			if t.pinged = append(t.pinged, c); len(t.pinged) == 1 {
				c.Loop().Post(t)
			}
		}
		p = p[min(head+n, len(p)):]
	}
	t.events.Add(events)
	if t.asker != nil {
		if t.unanswered -= int(events); t.unanswered == 0 {
			c.Loop().Post(t.asker)
		}
	}
}

// Run implements netpoll.Task: the clients answer.
func (t *tap) Run(*netpoll.Loop) bool {
	buf := make([]byte, len(pong))
	for _, c := range t.pinged {
		copy(buf, pong)
		c.Feed(buf)
	}
	t.pinged = t.pinged[:0]
	return false
}

// opener lets sessions in, some in each turn.
type opener struct {
	tap  *tap
	left int
	addr string
	head []byte
	buf  []byte
}

const openTurn = 64

var joinFrame = []byte{0x81, 0x82, 0, 0, 0, 0, '4', '0'}

// Run implements netpoll.Task.
func (o *opener) Run(l *netpoll.Loop) bool {
	if o.head == nil {
		o.head = fmt.Appendf(nil, upgradeHead, o.addr)
		o.buf = make([]byte, len(o.head))
	}
	for range openTurn {
		if o.left == 0 {
			return false
		}
		c := l.OpenFed(o.tap)
		if c == nil {
			return false
		}
		o.left--
		if o.tap.keep {
			o.tap.conns = append(o.tap.conns, c)
		}
		copy(o.buf, o.head)
		c.Feed(o.buf)
		copy(o.buf, joinFrame)
		c.Feed(o.buf[:len(joinFrame)])
	}
	return o.left > 0
}

func (h *hundred) fence() { fenceLoops(h.srv) }

// fenceLoops returns when the loops have done what was posted before, and what
// fits into one visit of a connection is written.
func fenceLoops(srv *socketio.Server) {
	var wg sync.WaitGroup
	for _, l := range fed.Loops(srv) {
		wg.Add(1)
		l.Post(&fence{done: wg.Done})
	}
	wg.Wait()
}

// fence comes back in the next turn: behind the writes of this one.
type fence struct {
	turns int
	done  func()
}

// Run implements netpoll.Task.
func (f *fence) Run(*netpoll.Loop) bool {
	if f.turns++; f.turns < 3 {
		return true
	}
	f.done()
	return false
}
