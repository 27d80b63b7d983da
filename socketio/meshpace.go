package socketio

import (
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/netpoll"
)

// pacer keeps what other nodes send from piling up in front of the loops: what
// comes faster than they deliver waits where it is, in bounds. And what comes
// all at once, because the broker was away, goes to clients in portions, with
// time to take them: they could hold each message when it was emitted. The
// transport's goroutine alone uses it.
type pacer struct {
	entries, bytes int
	begun          time.Time // of this portion
	last           *mark     // behind the portion before this one
	stuck          int       // connections that nobody waits for any more
}

const (
	// portionShare is the part of a client's queue that one portion may fill;
	// two are under way.
	portionShare = 8
	// portionWait bounds the wait for a loop: the transport has other duties.
	portionWait = time.Second
	// rush is how fast a portion comes that is part of a backlog, relief how
	// long connections that take no output may hold up the next one.
	rush   = 25 * time.Millisecond
	relief = 50 * time.Millisecond
)

// mark is a task that tells when all loops have come to it, and how many of
// their connections take no output.
type mark struct {
	left, blocked atomic.Int32
	done          chan struct{}
}

func (k *mark) Run(l *netpoll.Loop) bool {
	if l != nil {
		k.blocked.Add(int32(l.Blocked()))
	}
	if k.left.Add(-1) == 0 {
		close(k.done)
	}
	return false
}

// mark posts one to all loops.
func (m *mesh) mark() *mark {
	k := &mark{done: make(chan struct{})}
	k.left.Store(int32(len(m.srv.loops)))
	for i := range m.srv.loops {
		if lp := m.srv.loops[i].Load(); lp != nil {
			lp.Post(k)
		} else {
			k.Run(nil) // it has not started
		}
	}
	return k
}

func (k *mark) wait(ended <-chan struct{}) {
	select {
	case <-k.done:
		return
	default:
	}
	t := time.NewTimer(portionWait)
	defer t.Stop()
	select {
	case <-k.done:
	case <-ended:
	case <-t.C:
	}
}

// pace counts an entry, and waits for the loops at the end of a portion.
func (m *mesh) pace(size int) {
	p := &m.pacer
	if p.entries == 0 {
		p.begun = time.Now()
	}
	p.entries++
	p.bytes += size
	if p.entries*portionShare < m.srv.opt.MaxPendingFrames &&
		p.bytes*portionShare < m.srv.opt.MaxPendingBytes {
		return
	}
	p.entries, p.bytes = 0, 0
	if p.last != nil {
		p.last.wait(m.srv.ended)
	}
	if time.Since(p.begun) < rush {
		m.relieve()
	}
	p.last = m.mark()
}

// relieve waits, not for long, until the connections take output again that did
// before this portion. Those that go on to take none are waited for less and
// less, so that a client that is stuck does not slow others down.
func (m *mesh) relieve() {
	p := &m.pacer
	n := 0
	for end := time.Now().Add(relief); ; time.Sleep(relief / 10) {
		k := m.mark()
		k.wait(m.srv.ended)
		if n = int(k.blocked.Load()); n <= p.stuck || time.Now().After(end) {
			break
		}
	}
	if n > p.stuck {
		n = p.stuck + (n-p.stuck+7)/8
	}
	p.stuck = n
}
