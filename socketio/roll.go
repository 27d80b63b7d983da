package socketio

import "sync/atomic"

// roll waits for answers of loops without a goroutine: one that has ended does
// not answer, and whoever waited for it would stay for ever.
type roll struct {
	open atomic.Int32
	done chan struct{}
}

// newRoll returns a roll that expects one answer, which is that of all.
func newRoll() *roll {
	r := &roll{done: make(chan struct{})}
	r.open.Store(1)
	return r
}

// expect adds an answer, before all is called.
func (r *roll) expect() { r.open.Add(1) }

// answer is called once for each that is expected. Any goroutine.
func (r *roll) answer() {
	if r.open.Add(-1) == 0 {
		close(r.done)
	}
}

// all returns what is closed when all have answered. It is called once.
func (r *roll) all() <-chan struct{} {
	r.answer()
	return r.done
}
