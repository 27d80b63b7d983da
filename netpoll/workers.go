package netpoll

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// WorkersOptions configures Workers. The zero value works.
type WorkersOptions struct {
	// Min workers start without waiting and stay once started. Default: the
	// processors this process may use, at least 2, at most Max. GOMAXPROCS is
	// larger where the kernel shares them among threads that compute.
	Min int
	// Max bounds the workers, and so the jobs that run or block at the same
	// time. Default 10,000.
	Max int
	// IdleTimeout ends workers above Min that had nothing to do. Default 10 s.
	IdleTimeout time.Duration
	// StuckAfter is how long a mailbox waits, with all workers busy, before
	// there are more of them. Default 1 ms.
	StuckAfter time.Duration
	// Logger gets panics when OnPanic is nil. Default slog.Default().
	Logger *slog.Logger
	// OnPanic runs on the worker for each recovered panic of a job.
	OnPanic func(v any, stack []byte)
}

const (
	defaultMaxWorkers  = 10_000
	defaultIdleTimeout = 10 * time.Second
	defaultStuckAfter  = time.Millisecond
)

// WorkersStats is a snapshot of Workers.
type WorkersStats struct {
	Workers int // now, busy or idle
	Idle    int
	Queued  int // mailboxes that wait for a worker
	Peak    int // largest Workers so far
	Panics  uint64
	// Saturated counts the times, StuckAfter apart, at which mailboxes were
	// stuck and Max allowed no further worker.
	Saturated uint64
	// Dropped counts mailboxes that came, or were still queued, after the end
	// of Close. Their jobs never run.
	Dropped uint64
}

// Workers runs the jobs of mailboxes on goroutines that each take the mailbox
// at the head of one run queue, run up to 32 of its jobs, and put it at the end
// when there are more.
//
// The number of workers follows need, not load. At most one worker is on its
// way up (woken or new) at any time; having taken its first mailbox it raises
// the next if any are left. When jobs block, a processor is free, and this
// chain runs as fast as goroutines switch: a thousand blocked workers within
// milliseconds. When jobs compute, the worker on its way up waits for a
// processor like everybody else, and the chain stands still instead of making
// runnable goroutines that help nobody. For the same reason a batch of short
// jobs wakes few workers. New workers above Min need a mailbox that has waited
// StuckAfter, seen by a timer that is armed only while mailboxes wait and no
// worker is idle.
type Workers struct {
	min, max   int
	idleAfter  time.Duration
	stuckAfter time.Duration
	logger     *slog.Logger
	onPanic    func(any, []byte)
	panics     atomic.Uint64

	mu    sync.Mutex // guards the rest; held for a few instructions only
	queue mailboxRing
	idle  []*worker // the longest idle first; the last is woken first
	count int
	peak  int

	// Growth.
	rising  bool // a worker woken or started has not looked at the queue yet
	armed   bool // sampler is running
	sampler *time.Timer
	mark    uint64 // queue.pushed when sampler was armed
	stuck   uint64 // pushes below this one waited for StuckAfter
	hold    time.Time
	cores   int
	period  uint32 // counts looks of the sampler
	moving  int    // workers that took a mailbox in this period

	retire   *time.Timer // ends idle workers above min
	retiring bool

	closing bool          // Close was called: workers without work end
	closed  bool          // nothing is queued any more
	ended   chan struct{} // closed when closing and no worker is left

	saturated, dropped uint64
}

// shareLook is how many mailboxes go between two looks at the clock.
const shareLook = 16

// worker is the part of a worker that outlives its goroutine when a job calls
// runtime.Goexit.
type worker struct {
	w     *Workers
	wake  chan struct{}
	share share
	runs  uint32
	// period is the one in which it last took a mailbox.
	period uint32
	// mb and rest are the mailbox being run and its jobs that are still to run.
	mb   *Mailbox
	rest *Node

	// again is the mailbox run before, if it has more jobs.
	again *Mailbox

	raised    bool // must look at the queue and raise the next; guarded by w.mu
	parked    bool // has a goroutine that waits for wake
	idleSince time.Time

	// When, in time and in pops of the queue, a worker that was raised itself
	// started this one.
	born   time.Time
	bornAt uint64
}

// NewWorkers returns Workers that have started no goroutine yet.
func NewWorkers(o WorkersOptions) *Workers {
	w := &Workers{
		min: o.Min, max: o.Max, idleAfter: o.IdleTimeout, stuckAfter: o.StuckAfter,
		logger: o.Logger, onPanic: o.OnPanic, ended: make(chan struct{}),
		cores: Processors(),
	}
	if w.max <= 0 {
		w.max = defaultMaxWorkers
	}
	if w.min <= 0 {
		w.min = max(2, w.cores)
	}
	w.min = min(w.min, w.max)
	if w.idleAfter <= 0 {
		w.idleAfter = defaultIdleTimeout
	}
	if w.stuckAfter <= 0 {
		w.stuckAfter = defaultStuckAfter
	}
	if w.logger == nil {
		w.logger = slog.Default()
	}
	if w.onPanic == nil {
		w.onPanic = w.logPanic
	}
	return w
}

// Put appends n to mb. When ready is true the caller must pass mb to Schedule.
// Any goroutine; never blocks.
func (w *Workers) Put(mb *Mailbox, n *Node) (ready bool) { return mb.put(n) }

// Schedule queues mailboxes for which Put returned true, in order. It keeps no
// reference to mbs. Any goroutine; never blocks.
func (w *Workers) Schedule(mbs []*Mailbox) {
	if len(mbs) == 0 {
		return
	}
	w.mu.Lock()
	if w.closed {
		w.dropped += uint64(len(mbs))
		w.mu.Unlock()
		return
	}
	for _, mb := range mbs {
		w.queue.push(mb)
	}
	k := w.raise(false)
	w.mu.Unlock()
	k.launch()
}

// Submit appends n to mb and schedules it if need be. Any goroutine; never
// blocks.
func (w *Workers) Submit(mb *Mailbox, n *Node) {
	if mb.put(n) {
		one := [1]*Mailbox{mb}
		w.Schedule(one[:])
	}
}

// Go runs j in no order with anything else. It allocates one small object. Any
// goroutine; never blocks.
func (w *Workers) Go(j Job) {
	s := new(struct {
		mb Mailbox
		n  Node
	})
	s.n.job = j
	w.Submit(&s.mb, &s.n)
}

// pace returns how many workers are running jobs, and how many mailboxes all
// have taken.
func (w *Workers) pace() (busy int, popped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count - len(w.idle), w.queue.pushed - uint64(w.queue.n)
}

// Stats returns a snapshot. Any goroutine.
func (w *Workers) Stats() WorkersStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WorkersStats{
		Workers: w.count, Idle: len(w.idle), Queued: w.queue.n, Peak: w.peak,
		Panics: w.panics.Load(), Saturated: w.saturated, Dropped: w.dropped,
	}
}

// Close runs what is queued, and what is scheduled meanwhile, then ends the
// workers and returns nil. When ctx ends first it drops the queue and returns
// ctx.Err(); jobs that run are left alone, and their workers end with them.
// What is scheduled after the end is dropped and counted. Any goroutine, any
// number of times; not from a job, which would wait for itself.
func (w *Workers) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closing = true
	idle := w.idle
	w.idle = nil
	w.count -= len(idle)
	w.endIfDone()
	w.mu.Unlock()
	for _, k := range idle {
		close(k.wake)
	}
	select {
	case <-w.ended:
		return nil
	default:
	}
	select {
	case <-w.ended:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for ; w.queue.n > 0; w.dropped++ {
		w.queue.pop()
	}
	return ctx.Err()
}

// endIfDone runs with w.mu held.
func (w *Workers) endIfDone() {
	if w.closing && w.count == 0 {
		select {
		case <-w.ended:
		default:
			w.closed = true
			close(w.ended)
		}
	}
}

// launch sets a raised worker going; nil is none. Without w.mu, which k will
// ask for.
func (k *worker) launch() {
	switch {
	case k == nil:
	case k.parked:
		k.wake <- struct{}{}
	default:
		go k.loop()
	}
}

// loop runs mailboxes until the worker has to end.
func (k *worker) loop() {
	ended := false
	defer func() {
		if !ended {
			// A job called runtime.Goexit, which cannot be stopped: the
			// worker, and the rest of its batch, go on in a new goroutine.
			go k.loop()
		}
	}()
	if k.mb != nil {
		k.finish()
	}
	for k.next() {
		k.rest = k.mb.take()
		k.finish()
		if k.runs++; k.runs%shareLook == 0 {
			k.share.worker()
		}
	}
	ended = true
}

// finish runs what is left of the batch.
func (k *worker) finish() {
	for k.rest != nil {
		n := k.rest
		k.rest, n.next = n.next, nil
		k.run(n.job)
	}
	mb := k.mb
	k.mb = nil
	if mb.settle() {
		k.again = mb
	}
}

// run runs one job and survives its panic.
func (k *worker) run(j Job) {
	defer k.w.recovered()
	j.Run()
}

// recovered is to be deferred.
func (w *Workers) recovered() {
	v := recover()
	if v == nil {
		return
	}
	w.panics.Add(1)
	stack := debug.Stack()
	defer func() {
		if again := recover(); again != nil {
			w.logPanic(again, debug.Stack())
		}
	}()
	w.onPanic(v, stack)
}

func (w *Workers) logPanic(v any, stack []byte) {
	w.logger.Error("panic in a handler", "panic", v, "stack", string(stack))
}

// next sets k.mb to the next mailbox, waiting for one. It returns false when
// the worker has to end, and is not counted any more.
func (k *worker) next() bool {
	w := k.w
	w.mu.Lock()
	if k.again != nil {
		if w.closed {
			w.dropped++
		} else {
			w.queue.push(k.again)
		}
		k.again = nil
	}
	for {
		raised := k.raised
		if raised {
			w.arrived(k)
		}
		if w.queue.n > 0 {
			k.mb = w.queue.pop()
			if k.period != w.period {
				k.period = w.period
				w.moving++
			}
			var up *worker
			if raised {
				up = w.raise(true)
			}
			w.mu.Unlock()
			up.launch()
			return true
		}
		if w.closing {
			w.count--
			w.endIfDone()
			w.mu.Unlock()
			return false
		}
		k.parked, k.idleSince = true, time.Now()
		w.idle = append(w.idle, k)
		w.armRetire()
		w.mu.Unlock()
		if _, ok := <-k.wake; !ok {
			return false
		}
		w.mu.Lock()
		k.parked = false
	}
}
