package blackbox

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
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
// delay, and what it misses is what was emitted while it was away. Those that
// poll keep their sessions until it is their turn, wherever their requests come
// to.
func TestUpgradeUnderLoad(t *testing.T) {
	const (
		clients  = 150
		pollers  = 15 // of each kind
		all      = clients + 2*pollers
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

	crowds := []*crowd{
		gather(addr, clients, delay, byWebSocket),
		gather(addr, pollers, delay, byPolling(true)),
		gather(addr, pollers, delay, byPolling(false)),
	}
	sum := func(of func(c *crowd) *atomic.Int64) (n int64) {
		for _, c := range crowds {
			n += of(c).Load()
		}
		return n
	}
	leave := func() {
		for _, c := range crowds {
			c.leave()
		}
	}
	t.Cleanup(leave)
	here := func() bool { return sum(func(c *crowd) *atomic.Int64 { return &c.here }) == all }
	joins := func() int64 { return sum(func(c *crowd) *atomic.Int64 { return &c.joins }) }
	require.Eventually(t, here, 20*time.Second, 5*time.Millisecond)
	visitors, strollers := pass(addr, 2, byWebSocket), pass(addr, 1, byPolling(false))
	t.Cleanup(func() { _, _ = visitors.end(), strollers.end() })
	numbers := count(t, broker.URL(), emitting)

	for _, id := range []string{"b", "c"} {
		before := joins()
		fresh := start(t, nil, args(addr, id)...)
		fresh.listening()
		begun := time.Now()
		old.signal(syscall.SIGTERM)
		require.Equal(t, 0, old.code(), "%s", old)
		took := time.Since(begun)
		require.Eventually(t, here, 10*time.Second, time.Millisecond)
		back := time.Since(begun)
		t.Logf("to %s: old ended after %v, all back after %v, %d reconnected", id,
			took.Round(time.Millisecond), back.Round(time.Millisecond), joins()-before)
		require.EqualValues(t, all, joins()-before, "each moves once")
		require.Less(t, back, drain+delay+time.Second)
		require.Zero(t, visitors.lost.Load()+strollers.lost.Load())
		old = fresh
		time.Sleep(1200 * time.Millisecond) // it sees that it is alone
	}

	last := numbers()
	time.Sleep(300 * time.Millisecond) // what is under way
	require.NoError(t, visitors.end())
	require.NoError(t, strollers.end())
	leave()
	t.Logf("%d visitors by WebSocket, %d by polling, none turned away; %d events, 2 upgrades",
		visitors.well.Load(), strollers.well.Load(), last)
	for i, c := range crowds {
		c.judge(t, []string{"WebSocket", "polls, kept connections", "polls, new connections"}[i], last, emitting)
	}
}

// judge looks at what the clients of a crowd have missed, and why.
func (c *crowd) judge(t *testing.T, what string, last int, emitting time.Duration) {
	if err := c.failure.Load(); err != nil {
		require.NoError(t, *err, "%s: %d refused, reset or refused in other ways", what, c.refused.Load())
	}
	missed, twice, most, clients := 0, 0, 0, len(c.heard)
	for _, heard := range c.heard {
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
	slices.Sort(c.away)
	t.Logf("%s: each missed %.1f (at most %d), away %v on average; %d came twice; %d of %d ends by a "+
		"request that came behind", what, float64(missed)/float64(clients), most, mean(c.away), twice,
		c.unknown.Load(), len(c.away))
	// What is under way during a move may reach a client on both servers, or on
	// neither.
	require.Less(t, twice, clients)
	var away time.Duration
	for _, d := range c.away {
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
	end := sync.OnceValue(func() int { close(stop); return <-last })
	t.Cleanup(func() { end() }) // before its server, if the test has failed
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
		n := end()
		require.NoError(t, e.Close())
		return n
	}
}
