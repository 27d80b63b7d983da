package blackbox

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/internal/brokertest"
)

// A second process takes the port over under load, twice: no connection is
// refused or reset, every client is back within the drain time and its own
// delay, and what it misses is what was emitted while it was away.
func TestUpgradeUnderLoad(t *testing.T) {
	const (
		clients  = 150
		drain    = 2 * time.Second
		delay    = 200 * time.Millisecond // official clients: about a second
		emitting = 5 * time.Millisecond
	)
	broker := brokertest.Start(t)
	args := func(addr, id string) []string {
		return []string{"serve", "--listen", addr, "--reuse-port", "--loops", "2",
			"--drain-time", drain.String(), "--valkey", broker.URL(), "--node-id", id}
	}
	old := start(t, nil, args("127.0.0.1:0", "a")...)
	addr := old.listening()

	residents := gather(addr, clients, delay)
	t.Cleanup(residents.leave)
	require.Eventually(t, func() bool { return residents.here.Load() == clients },
		20*time.Second, 5*time.Millisecond)
	visitors := pass(addr, 2)
	t.Cleanup(func() { _ = visitors.end() })
	numbers := count(t, broker.URL(), emitting)

	for _, id := range []string{"b", "c"} {
		before, lost := residents.joins.Load(), visitors.lost.Load()
		fresh := start(t, nil, args(addr, id)...)
		fresh.listening()
		begun := time.Now()
		old.signal(syscall.SIGTERM)
		require.Equal(t, 0, old.code(), "%s", old)
		took := time.Since(begun)
		require.Eventually(t, func() bool { return residents.here.Load() == clients },
			10*time.Second, time.Millisecond)
		back := time.Since(begun)
		t.Logf("to %s: old ended after %v, all back after %v, %d reconnected", id,
			took.Round(time.Millisecond), back.Round(time.Millisecond), residents.joins.Load()-before)
		require.Equal(t, int64(clients), residents.joins.Load()-before, "each moves once")
		require.Less(t, back, drain+delay+time.Second)
		require.Equal(t, lost, visitors.lost.Load())
		old = fresh
		time.Sleep(1200 * time.Millisecond) // it sees that it is alone
	}

	last := numbers()
	time.Sleep(300 * time.Millisecond) // what is under way
	err := visitors.end()
	residents.leave()
	require.Zero(t, visitors.lost.Load(), "%v", err)
	require.Zero(t, residents.refused.Load())
	missed, twice, most := 0, 0, 0
	for _, heard := range residents.heard {
		gone := 0
		for n := range last {
			switch heard[n] {
			case 0:
				gone++
			case 1:
			default:
				twice++
			}
		}
		missed, most = missed+gone, max(most, gone)
	}
	slices.Sort(residents.away)
	t.Logf("%d visitors, none turned away; %d events, each resident missed %.1f in 2 upgrades (at most %d), "+
		"away %v on average; %d came twice", visitors.well.Load(), last, float64(missed)/clients, most,
		mean(residents.away), twice)
	// What is under way during a move may reach a client on both servers, or on
	// neither.
	require.Less(t, twice, clients)
	var away time.Duration
	for _, d := range residents.away {
		away += d
	}
	require.LessOrEqual(t, missed, int(away/emitting)+2*clients*20)
}

func mean(d []time.Duration) time.Duration {
	var sum time.Duration
	for _, v := range d {
		sum += v
	}
	return (sum / time.Duration(max(len(d), 1))).Round(time.Millisecond)
}

// count emits numbers from 0 on until its result is called, which returns how
// many.
func count(t *testing.T, url string, every time.Duration) func() int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p, err := valkey.NewEmitter(ctx, valkey.Options{URL: url})
	require.NoError(t, err)
	e := cluster.NewEmitter(p)
	stop, last := make(chan struct{}), make(chan int, 1)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-stop:
				last <- n
				return
			}
			if err := e.Of("/").Emit("n", n); err != nil {
				t.Errorf("emit %d: %v", n, err)
			}
		}
	}()
	return func() int {
		close(stop)
		n := <-last
		require.NoError(t, e.Close())
		return n
	}
}
