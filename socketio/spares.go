package socketio

import "sync/atomic"

const (
	// maxSpares is how many emissions a loop keeps for the next ones: what
	// becomes free between two waits for events of a busy loop, and 112 kB.
	maxSpares = 512
	// spareBatch is how many come back at a time.
	spareBatch = 32
)

// spares are emissions that can be used again: they went to one WebSocket as
// they were encoded, and no handler was shown their bytes. Each loop has its own,
// for its sockets: in a sync.Pool, whose rings can share cache lines, loops were in
// each other's way (benchmarks/RESULTS.md, "Loops").
type spares struct {
	_ [64]byte // from what only the loop touches
	// Any goroutine: who finds it busy does without.
	busy atomic.Bool
	n    int32
	list *emission
	_    [64]byte

	// Loop only: what has come back since the last batch.
	back, last *emission
	came       int32
}

// take returns an emission whose fields are zero. Any goroutine.
func (p *spares) take() *emission {
	if p.busy.CompareAndSwap(false, true) {
		m := p.list
		if m != nil {
			p.list, m.next = m.next, nil
			p.n--
		}
		p.busy.Store(false)
		if m != nil {
			return m
		}
	}
	return new(emission)
}

// put keeps an emission whose fields are zero. Loop only.
func (p *spares) put(m *emission) {
	if p.back == nil {
		p.last = m
	}
	m.next, p.back = p.back, m
	if p.came++; p.came < spareBatch {
		return
	}
	if p.busy.CompareAndSwap(false, true) {
		if p.n <= maxSpares-spareBatch {
			p.last.next, p.list = p.list, p.back
			p.n += spareBatch
		}
		p.busy.Store(false)
	}
	p.back, p.last, p.came = nil, nil, 0
}
