//go:build !race

package netpoll

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const raceEnabled = false

// A batch of events through existing mailboxes, as a loop's turn makes it,
// allocates nothing.
func TestWorkersDoNotAllocate(t *testing.T) {
	w := newTestWorkers(t, WorkersOptions{})
	b := newBatch(w, 100, 3)
	b.run() // starts workers, grows the run queue
	require.Zero(t, testing.AllocsPerRun(200, b.run))
}

// batch puts jobs into mailboxes, schedules them at once and waits for them.
type batch struct {
	w     *Workers
	boxes []Mailbox
	nodes []Node
	ready []*Mailbox
	wg    sync.WaitGroup
}

func newBatch(w *Workers, boxes, each int) *batch {
	b := &batch{w: w, boxes: make([]Mailbox, boxes), nodes: make([]Node, boxes*each)}
	for i := range b.nodes {
		b.nodes[i].Init(b)
	}
	return b
}

func (b *batch) Run() { b.wg.Done() }

func (b *batch) run() {
	b.wg.Add(len(b.nodes))
	b.ready = b.ready[:0]
	for i := range b.nodes {
		if mb := &b.boxes[i%len(b.boxes)]; b.w.Put(mb, &b.nodes[i]) {
			b.ready = append(b.ready, mb)
		}
	}
	b.w.Schedule(b.ready)
	b.wg.Wait()
}

func benchBatch(b *testing.B, boxes, each int) {
	w := NewWorkers(WorkersOptions{})
	defer w.Close(b.Context())
	k := newBatch(w, boxes, each)
	k.run()
	b.ReportAllocs()
	for b.Loop() {
		k.run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*boxes*each), "ns/event")
	b.ReportMetric(float64(w.Stats().Peak), "workers")
}

func BenchmarkWorkers(b *testing.B) {
	b.Run("1000_mailboxes_x_1", func(b *testing.B) { benchBatch(b, 1000, 1) })
	b.Run("64_mailboxes_x_1", func(b *testing.B) { benchBatch(b, 64, 1) })
	b.Run("1_mailbox_x_1", func(b *testing.B) { benchBatch(b, 1, 1) })
	b.Run("100_mailboxes_x_32", func(b *testing.B) { benchBatch(b, 100, 32) })
}
