package memory

import (
	"container/heap"
	"time"

	"github.com/throng-server/throng/cluster"
)

type itemKind uint8

const (
	entry itemKind = iota
	joined
	lost
)

// item is what a receiver is told next.
type item struct {
	due    time.Time
	order  uint64
	kind   itemKind
	from   cluster.Node
	to     cluster.Node // of Send
	entry  []byte
	missed uint64
	left   bool
}

// put puts an item into the inbox of o, behind those of the same node. The
// mutex of the bus is held.
func (b *Bus) put(o, from *Transport, it item) {
	l := o.link(from)
	it.due = time.Now()
	if b.faults.Delay != nil && it.kind == entry {
		it.due = it.due.Add(b.faults.Delay(from.opt.ID, o.opt.ID, it.entry))
	}
	if it.due.Before(l.due) {
		it.due = l.due
	}
	l.due = it.due
	b.order++
	it.order = b.order
	heap.Push(&o.inbox, it)
	o.poke()
}

// inbox is a heap: what is due first is first, and of equals what was put
// first.
type inbox []item

func (q inbox) Len() int { return len(q) }
func (q inbox) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}
func (q inbox) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop implement heap.Interface.
func (q *inbox) Push(v any) { *q = append(*q, v.(item)) }
func (q *inbox) Pop() any {
	old := *q
	n := len(old) - 1
	it := old[n]
	old[n] = item{}
	*q = old[:n]
	return it
}
