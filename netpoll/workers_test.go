package netpoll

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

type jobFunc func()

func (f jobFunc) Run() { f() }

func node(f func()) *Node {
	n := new(Node)
	n.Init(jobFunc(f))
	return n
}

// newTestWorkers returns workers that the end of the test closes.
func newTestWorkers(t *testing.T, o WorkersOptions) *Workers {
	w := NewWorkers(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, w.Close(ctx))
	})
	return w
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("waited in vain")
	}
}

// awaitGroup fails the test when wg does not come to zero.
func awaitGroup(t *testing.T, wg *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	await(t, done)
}

func TestMailboxIsSmall(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, unsafe.Sizeof(Mailbox{}), uintptr(24))
}

// Each producer's jobs run in its order, one job of a mailbox at a time.
func TestWorkersKeepMailboxOrder(t *testing.T) {
	t.Parallel()
	const boxes, producers, each = 8, 6, 400
	w := newTestWorkers(t, WorkersOptions{})
	type box struct {
		mb      Mailbox
		running atomic.Int32
		last    [producers]int // written by jobs: the race detector checks too
		bad     int
	}
	all := make([]box, boxes)
	var wg sync.WaitGroup
	wg.Add(boxes * producers * each)
	for p := range producers {
		go func() {
			for i := 1; i <= each; i++ {
				for b := range all {
					k := &all[b]
					w.Submit(&k.mb, node(func() {
						if k.running.Add(1) != 1 || k.last[p] != i-1 {
							k.bad++
						}
						k.last[p] = i
						k.running.Add(-1)
						wg.Done()
					}))
				}
			}
		}()
	}
	awaitGroup(t, &wg)
	for b := range all {
		require.Zero(t, all[b].bad)
		for _, n := range all[b].last {
			require.Equal(t, each, n)
		}
	}
}

// A node may be put again from its own job, and keeps its job.
func TestNodeIsReusedByItsJob(t *testing.T) {
	t.Parallel()
	w := newTestWorkers(t, WorkersOptions{})
	var mb Mailbox
	var n Node
	left, done := 1000, make(chan struct{})
	n.Init(jobFunc(func() {
		if left--; left == 0 {
			close(done)
			return
		}
		w.Submit(&mb, &n)
	}))
	w.Submit(&mb, &n)
	await(t, done)
}

// A mailbox with more than a batch goes behind the others.
func TestWorkersAreFair(t *testing.T) {
	t.Parallel()
	w := newTestWorkers(t, WorkersOptions{Min: 1, Max: 1})
	var greedy, modest Mailbox
	gate := make(chan struct{})
	var before, turn int
	done := make(chan struct{})
	w.Go(jobFunc(func() { <-gate }))
	for range 10 * batchSize {
		w.Submit(&greedy, node(func() { before++ }))
	}
	w.Submit(&modest, node(func() {
		turn = before
		close(done)
	}))
	close(gate)
	await(t, done)
	require.Equal(t, batchSize, turn)
}

// Mailboxes do not wait for each other: all jobs meet.
func TestWorkersRunMailboxesInParallel(t *testing.T) {
	t.Parallel()
	const n = 50
	w := newTestWorkers(t, WorkersOptions{})
	var meet sync.WaitGroup
	meet.Add(n)
	boxes := make([]Mailbox, n)
	ready := make([]*Mailbox, 0, n)
	for i := range boxes {
		if w.Put(&boxes[i], node(func() { meet.Done(); meet.Wait() })) {
			ready = append(ready, &boxes[i])
		}
	}
	require.Len(t, ready, n)
	w.Schedule(ready)
	awaitGroup(t, &meet)
}

// A thousand handlers that block, queued at once, all run within
// milliseconds, and so does what came behind them.
func TestBlockedHandlersDoNotHoldUpOthers(t *testing.T) {
	const n = 1000
	limit := 20 * time.Millisecond
	if raceEnabled {
		limit = 200 * time.Millisecond
	}
	// One noisy neighbor on the machine must not fail the test, a design that
	// is too slow always does.
	var took time.Duration
	for range 5 {
		if took = blockedProbe(t, n); took <= limit {
			return
		}
	}
	require.LessOrEqual(t, took, limit)
}

func blockedProbe(t *testing.T, n int) time.Duration {
	w := newTestWorkers(t, WorkersOptions{})
	gate := make(chan struct{})
	defer close(gate)
	var running sync.WaitGroup
	running.Add(n)
	boxes := make([]Mailbox, n)
	ready := make([]*Mailbox, n)
	for i := range boxes {
		w.Put(&boxes[i], node(func() { running.Done(); <-gate }))
		ready[i] = &boxes[i]
	}
	start := time.Now()
	w.Schedule(ready)
	probe := make(chan struct{})
	w.Go(jobFunc(func() { close(probe) }))
	await(t, probe)
	awaitGroup(t, &running)
	return time.Since(start)
}

// Jobs that compute must not make a worker each: they only compete.
func TestComputingHandlersMakeFewWorkers(t *testing.T) {
	const n = 300
	w := newTestWorkers(t, WorkersOptions{})
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		w.Go(jobFunc(func() {
			for start := time.Now(); time.Since(start) < time.Millisecond; {
			}
			wg.Done()
		}))
	}
	awaitGroup(t, &wg)
	require.Less(t, w.Stats().Peak, n/4)
}

// Idle workers above Min end after IdleTimeout; Min stay.
func TestWorkersGrowAndShrink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(WorkersOptions{Min: 3, Max: 50, IdleTimeout: time.Minute})
		gate := make(chan struct{})
		for range 20 {
			w.Go(jobFunc(func() { <-gate }))
		}
		synctest.Wait()
		require.Equal(t, 3, w.Stats().Workers)
		time.Sleep(999 * time.Microsecond)
		synctest.Wait()
		require.Equal(t, 3, w.Stats().Workers, "before StuckAfter")
		time.Sleep(time.Microsecond)
		synctest.Wait()
		require.Equal(t, WorkersStats{Workers: 20, Peak: 20}, w.Stats())

		close(gate)
		synctest.Wait()
		require.Equal(t, 20, w.Stats().Idle)
		time.Sleep(30 * time.Second)
		w.Go(jobFunc(func() {})) // one of them is not idle for a minute then
		synctest.Wait()
		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		require.Equal(t, 20, w.Stats().Workers, "before IdleTimeout")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, WorkersStats{Workers: 3, Idle: 3, Peak: 20}, w.Stats())
		time.Sleep(time.Hour)
		require.Equal(t, 3, w.Stats().Workers)
		require.NoError(t, w.Close(t.Context()))
	})
}

// At Max jobs wait, which is counted, and run later.
func TestWorkersAtMax(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(WorkersOptions{Min: 1, Max: 4})
		ran := 0
		var mu sync.Mutex
		for range 12 {
			w.Go(jobFunc(func() {
				time.Sleep(100 * time.Millisecond)
				mu.Lock()
				ran++
				mu.Unlock()
			}))
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		st := w.Stats()
		require.Equal(t, 4, st.Workers)
		require.Equal(t, 8, st.Queued)
		require.InDelta(t, 49, st.Saturated, 2)
		require.NoError(t, w.Close(t.Context()))
		require.Equal(t, 12, ran)
		require.Zero(t, w.Stats().Workers)
	})
}

// Nothing runs, not even a timer, while nothing waits.
func TestSamplerSleeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := NewWorkers(WorkersOptions{Min: 1, Max: 1})
		gate := make(chan struct{})
		armed := func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.armed
		}
		w.Go(jobFunc(func() { <-gate }))
		synctest.Wait()
		require.False(t, armed(), "busy, nobody waits")
		w.Go(jobFunc(func() {}))
		require.True(t, armed())
		close(gate)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		require.False(t, armed())
		require.NoError(t, w.Close(t.Context()))
	})
}

func TestPanicsAreRecovered(t *testing.T) {
	t.Parallel()
	var values []any
	var stacks []string
	w := newTestWorkers(t, WorkersOptions{Min: 1, Max: 1, OnPanic: func(v any, stack []byte) {
		values, stacks = append(values, v), append(stacks, string(stack))
		panic("in OnPanic")
	}})
	var mb Mailbox
	var ran int
	done := make(chan struct{})
	gate := make(chan struct{})
	w.Submit(&mb, node(func() { <-gate }))
	for range 3 {
		w.Submit(&mb, node(func() { ran++ }))
		w.Submit(&mb, node(explode))
	}
	w.Submit(&mb, node(func() { close(done) }))
	close(gate)
	await(t, done)
	require.Equal(t, 3, ran)
	require.Equal(t, []any{"boom", "boom", "boom"}, values)
	require.True(t, strings.Contains(stacks[0], "explode"), "the stack names the culprit")
	require.Equal(t, uint64(3), w.Stats().Panics)
	require.Equal(t, 1, w.Stats().Workers)
}

func explode() { panic("boom") }

func TestGoexitLosesNothing(t *testing.T) {
	t.Parallel()
	w := newTestWorkers(t, WorkersOptions{Min: 1, Max: 1})
	var mb Mailbox
	var order []int
	done := make(chan struct{})
	for i := range 3 * batchSize {
		w.Submit(&mb, node(func() {
			order = append(order, i)
			runtime.Goexit()
		}))
	}
	w.Submit(&mb, node(func() { close(done) }))
	await(t, done)
	require.Len(t, order, 3*batchSize)
	require.IsIncreasing(t, order)
	require.Equal(t, 1, w.Stats().Workers)
	require.Zero(t, w.Stats().Panics)
}

// Close runs what is queued and what those jobs schedule.
func TestCloseRunsWhatIsQueued(t *testing.T) {
	t.Parallel()
	w := NewWorkers(WorkersOptions{Min: 1, Max: 2})
	var ran atomic.Int32
	gate := make(chan struct{})
	w.Go(jobFunc(func() { <-gate }))
	for range 100 {
		w.Go(jobFunc(func() {
			ran.Add(1)
			w.Go(jobFunc(func() { ran.Add(1) }))
		}))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- w.Close(ctx) }()
	close(gate)
	require.NoError(t, <-closed)
	require.NoError(t, w.Close(ctx), "again")
	require.Equal(t, int32(200), ran.Load())

	var mb Mailbox
	w.Submit(&mb, node(func() { t.Error("ran after Close") }))
	st := w.Stats()
	require.Equal(t, uint64(1), st.Dropped)
	require.Zero(t, st.Workers)
}

func TestCloseOfIdleWorkers(t *testing.T) {
	t.Parallel()
	require.NoError(t, NewWorkers(WorkersOptions{}).Close(t.Context()), "never used")
	w := NewWorkers(WorkersOptions{})
	ran := make(chan struct{})
	w.Go(jobFunc(func() { close(ran) }))
	await(t, ran)
	require.NoError(t, w.Close(t.Context()))
}

// A handler that does not end does not hold Close beyond its context, and
// nothing that waits behind it runs later.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	w := NewWorkers(WorkersOptions{Min: 1, Max: 1})
	gate, started := make(chan struct{}), make(chan struct{})
	var mb Mailbox
	w.Submit(&mb, node(func() { close(started); <-gate }))
	await(t, started)
	late := func() { t.Error("ran after Close gave up") }
	w.Submit(&mb, node(late)) // its own mailbox: queued when the job ends
	w.Go(jobFunc(late))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, w.Close(ctx), context.Canceled)
	close(gate)
	await(t, w.ended)
	st := w.Stats()
	require.Equal(t, uint64(2), st.Dropped)
	require.Zero(t, st.Workers)
	require.NoError(t, w.Close(context.Background()))
}

// Producers, blocking, panicking and exiting jobs, growth and retirement all
// at once: each job runs exactly once.
func TestWorkersUnderChurn(t *testing.T) {
	t.Parallel()
	w := newTestWorkers(t, WorkersOptions{
		Min: 1, Max: 20, IdleTimeout: time.Millisecond, OnPanic: func(any, []byte) {},
	})
	const producers, each = 4, 1000
	runs := make([]atomic.Int32, producers*each)
	boxes := make([]Mailbox, 37)
	var wg sync.WaitGroup
	wg.Add(len(runs))
	for p := range producers {
		go func() {
			for i := range each {
				id := p*each + i
				w.Submit(&boxes[id%len(boxes)], node(func() {
					defer wg.Done()
					runs[id].Add(1)
					switch id % 101 {
					case 1:
						panic("churn")
					case 2:
						runtime.Goexit()
					case 3:
						time.Sleep(2 * time.Millisecond)
					}
				}))
				if i%200 == 0 {
					time.Sleep(3 * time.Millisecond)
				}
			}
		}()
	}
	awaitGroup(t, &wg)
	for i := range runs {
		require.Equal(t, int32(1), runs[i].Load())
	}
}
