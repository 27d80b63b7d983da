package socketio

import "sync/atomic"

// waiting counts what is in the mailboxes of a connection's sockets: events in
// the upper half, bytes in the lower. The loop adds, workers take off; one
// number, because each change of one costs as much as parsing a small event.
// Bytes fit: there is never more than MailboxBytes, at most 2^30, and one event.
type waiting struct{ n atomic.Uint64 }

func (w *waiting) load() (events, bytes int) {
	n := w.n.Load()
	return int(n >> 32), int(uint32(n))
}

func (w *waiting) add(size int32)  { w.n.Add(1<<32 + uint64(size)) }
func (w *waiting) done(size int32) { w.n.Add(-(1<<32 + uint64(size))) }

// mail puts an event into its socket's mailbox, for which its node has the job.
// Loop only.
func (e *Event) mail(lp *loop) {
	e.s.c.waiting.add(e.size)
	lp.boxBytes.Add(int64(e.size))
	lp.Mail(&e.s.box, &e.node)
}

// done gives the event's share of the mailbox budgets back.
func (e *Event) done() {
	e.s.c.waiting.done(e.size)
	e.s.loop().boxBytes.Add(-int64(e.size))
}
