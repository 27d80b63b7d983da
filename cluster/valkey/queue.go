package valkey

import (
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
)

// Bounds of one batch. Batches grow by themselves: what is published while one
// is under way makes the next.
const (
	batchEntries = 1024
	batchBytes   = 256 << 10
)

// askPatience is how long questions and answers are worth sending: somebody
// waits for them for no longer, by default.
const askPatience = 10 * time.Second

// batch is what one stream entry carries: n messages that follow each other
// without a loss between them, after skip lost ones.
type batch struct {
	skip    uint64
	n       int
	bytes   int64 // of the messages alone
	payload []byte
}

// queue holds what was published and not sent. The batch under way counts
// besides its bounds, because nobody knows whether it has arrived already.
// Any goroutine may call; the lock is held for a few instructions, or for one
// pass over the queue when the broker goes away.
type queue struct {
	maxEntries int
	maxBytes   int64

	mu sync.Mutex
	deque
	bytes    int64
	sending  batch  // counted besides the deque
	lost     uint64 // kept entries lost behind the last item
	closed   bool
	away     bool // only kept entries are taken
	awayAt   time.Time
	dropped  map[string]uint64
	accepted uint64
	accBytes uint64

	ready chan struct{} // capacity 1: there may be something
}

func newQueue(entries int, bytes int64) *queue {
	return &queue{maxEntries: entries, maxBytes: bytes,
		dropped: map[string]uint64{}, ready: make(chan struct{}, 1)}
}

// add appends an entry, at the cost of the oldest ones when it does not fit.
func (q *queue) add(c cluster.Class, data []byte) bool {
	q.mu.Lock()
	switch {
	case q.closed:
		q.dropped["closed"]++
		q.mu.Unlock()
		return false
	case q.away && c != cluster.Kept:
		q.dropped["away"]++
		q.mu.Unlock()
		return false
	}
	q.push(item{data: data, skip: q.lost, class: c})
	q.lost = 0
	q.bytes += int64(len(data))
	for q.n > 1 && (q.n > q.maxEntries || q.bytes > q.maxBytes) {
		q.dropOldest()
	}
	q.mu.Unlock()
	q.signal()
	return true
}

// pop removes the oldest item and returns it.
func (q *queue) pop() item {
	it := q.shift()
	q.bytes -= int64(len(it.data))
	return it
}

// dropOldest leaves a gap in the numbers for a kept entry, none for a fleeting
// one, which nobody waits for.
func (q *queue) dropOldest() {
	it := q.pop()
	gap := it.skip
	q.dropped["spill"]++
	if it.class == cluster.Kept {
		gap++
	}
	if q.n > 0 {
		q.at(0).skip += gap
	} else {
		q.lost += gap
	}
}

// setAway tells whether the broker is away. When it goes, what is fleeting
// goes with it; when it comes back too late for questions, they go.
func (q *queue) setAway(away bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case away == q.away:
	case away:
		q.awayAt = time.Now()
		q.dropAll(cluster.Fleeting)
	case time.Since(q.awayAt) > askPatience:
		q.dropAll(cluster.Asked)
	}
	q.away = away
}

// dropAll drops what waits of a class that nobody misses.
func (q *queue) dropAll(c cluster.Class) {
	kept := 0
	var gap uint64
	for i := range q.n {
		it := *q.at(i)
		if it.class == c {
			gap += it.skip
			q.bytes -= int64(len(it.data))
			q.dropped["away"]++
			continue
		}
		it.skip += gap
		gap = 0
		*q.at(kept) = it
		kept++
	}
	q.keep(kept)
	q.lost += gap
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take makes the next batch, which counts until done is called. The writer
// alone calls it.
func (q *queue) take() (batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return batch{}, false
	}
	// How many, first: one allocation, of the right size.
	size, n := 0, 0
	for n < min(q.n, batchEntries) {
		it := q.at(n)
		if n > 0 && (it.skip > 0 || size+len(it.data) > batchBytes) {
			break
		}
		size += len(it.data) + 5
		n++
	}
	b := batch{skip: q.at(0).skip, n: n, payload: make([]byte, 0, size)}
	for range n {
		it := q.pop()
		b.bytes += int64(len(it.data))
		b.payload = fields.Append(b.payload, it.data)
	}
	q.sending = b
	return b, true
}

// done ends the batch under way, which others can read.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.sending
	q.sending = batch{}
	q.accepted += uint64(b.n)
	q.accBytes += uint64(b.bytes)
}

func (q *queue) drop(reason string) {
	q.mu.Lock()
	q.dropped[reason]++
	q.mu.Unlock()
}

// close refuses what comes from now on.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// tail is how many entries were lost behind all that waits, if nothing waits.
func (q *queue) tail() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n > 0 || q.sending.n > 0 {
		return 0
	}
	return q.lost
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n == 0 && q.sending.n == 0
}

// abandon counts what was left at the end.
func (q *queue) abandon() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.n + q.sending.n
	if left > 0 {
		q.dropped["closed"] += uint64(left)
	}
	q.deque, q.bytes, q.sending = deque{}, 0, batch{}
	return left
}
