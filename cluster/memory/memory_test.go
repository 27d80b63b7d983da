package memory_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/memory"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a receiver that notes what it is told.
type log struct {
	in      chan string
	sockets map[string]int
}

func newLog() *log { return &log{in: make(chan string, 1<<16)} }

func (l *log) Receive(from cluster.Node, b []byte) { l.in <- from.ID + " says " + string(b) }
func (l *log) NodeJoined(n cluster.Node) {
	l.in <- fmt.Sprintf("%s %d joined", n.ID, n.Incarnation)
}
func (l *log) NodeLost(n cluster.Node, left bool) {
	l.in <- fmt.Sprintf("%s %d lost %v %d", n.ID, n.Incarnation, left, n.Sockets["/"])
}
func (l *log) Gap(from cluster.Node, missed uint64) {
	l.in <- fmt.Sprintf("%s missed %d", from.ID, missed)
}
func (l *log) Sockets() map[string]int { return l.sockets }

func (l *log) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-l.in:
			require.Equal(t, w, got)
		case <-time.After(patience):
			require.FailNow(t, "nothing came instead of "+w)
		}
	}
}

// node starts a node.
func node(t *testing.T, b *memory.Bus, id string) (*memory.Transport, *log) {
	t.Helper()
	n, err := b.Node(memory.Options{ID: id, Renew: time.Millisecond})
	require.NoError(t, err)
	l := newLog()
	require.NoError(t, n.Start(t.Context(), l))
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	return n, l
}

func say(t *testing.T, n *memory.Transport, c cluster.Class, texts ...string) {
	t.Helper()
	for _, s := range texts {
		require.True(t, n.Publish(c, []byte(s)))
	}
}

func TestEntriesReachTheOthersInOrder(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, la := node(t, bus, "a")
	b, lb := node(t, bus, "b")
	c, lc := node(t, bus, "c")
	la.expect(t, "b 1 joined", "c 1 joined")
	lb.expect(t, "c 1 joined")
	var wg sync.WaitGroup
	for _, n := range []*memory.Transport{a, b, c} {
		wg.Go(func() {
			for i := range 1000 {
				n.Publish(cluster.Kept, fmt.Appendf(nil, "%d", i))
			}
		})
	}
	wg.Wait()
	for _, l := range []*log{la, lb, lc} {
		next := map[string]int{}
		for range 2000 {
			var from string
			var n int
			_, err := fmt.Sscanf(<-l.in, "%s says %d", &from, &n)
			require.NoError(t, err)
			require.Equal(t, next[from], n)
			next[from]++
		}
		require.Len(t, next, 2, "never one's own")
	}
	st := a.Status()
	require.Equal(t, uint64(1000), st.Published)
	require.Equal(t, uint64(2000), st.Received)
	require.True(t, st.Connected)
	require.Len(t, st.Nodes, 2)
}

func TestSendReachesOneIncarnation(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, _ := node(t, bus, "a")
	b, lb := node(t, bus, "b")
	_, lc := node(t, bus, "c")
	old := b.Self()
	lb.expect(t, "c 1 joined")
	require.True(t, a.Send(old, []byte("1")))
	lb.expect(t, "a says 1")
	bus.Lapse("b")
	lc.expect(t, "b 1 lost false 0")
	bus.Heal("b")
	lc.expect(t, "b 2 joined")
	a.Send(old, []byte("2"))
	a.Send(b.Self(), []byte("3"))
	lb.expect(t, "a says 3")
	require.Empty(t, lc.in)
	require.Equal(t, uint64(1), b.Status().Incarnations)
	require.Equal(t, old.Tag, b.Self().Tag)
}

func TestNamesAndTagsAreTaken(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, err := bus.Node(memory.Options{ID: "a", Tag: 7, Addr: "127.0.0.1:1"})
	require.NoError(t, err)
	_, err = bus.Node(memory.Options{ID: "a"})
	require.ErrorIs(t, err, cluster.ErrTaken)
	_, err = bus.Node(memory.Options{ID: "b", Tag: 7})
	require.ErrorIs(t, err, cluster.ErrTaken)
	_, err = bus.Node(memory.Options{})
	require.Error(t, err)
	_, known := a.NodeByTag(7)
	require.False(t, known, "not of the others")

	b, _ := node(t, bus, "b")
	require.Empty(t, b.Nodes(), "a has not started")
	require.False(t, a.Publish(cluster.Kept, nil))
	require.NoError(t, a.Start(t.Context(), newLog()))
	require.ErrorIs(t, a.Start(t.Context(), newLog()), cluster.ErrClosed)
	n, known := b.NodeByTag(7)
	require.True(t, known)
	require.Equal(t, "127.0.0.1:1", n.Addr)
	require.NoError(t, a.Close(t.Context()))
	require.NoError(t, a.Close(t.Context()), "twice")
	require.False(t, a.Publish(cluster.Kept, nil))
	again, err := bus.Node(memory.Options{ID: "a"})
	require.NoError(t, err)
	require.Equal(t, uint64(2), again.Self().Incarnation)
	require.NoError(t, again.Close(t.Context()), "not started")
}

func TestLeavingAndCrashing(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	_, la := node(t, bus, "a")
	b, _ := node(t, bus, "b")
	n, err := bus.Node(memory.Options{ID: "c", Renew: time.Millisecond})
	require.NoError(t, err)
	lc := newLog()
	lc.sockets = map[string]int{"/": 3}
	require.NoError(t, n.Start(t.Context(), lc))
	la.expect(t, "b 1 joined", "c 1 joined")
	say(t, b, cluster.Kept, "bye")
	require.NoError(t, b.Close(t.Context()))
	la.expect(t, "b says bye", "b 1 lost true 0")
	bus.Crash("c")
	la.expect(t, "c 1 lost false 3")
	require.False(t, n.Publish(cluster.Kept, nil))
	bus.Crash("nobody")
}

func TestCutOff(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, la := node(t, bus, "a")
	b, lb := node(t, bus, "b")
	la.expect(t, "b 1 joined")
	bus.Cut("a")
	bus.Cut("a")
	say(t, a, cluster.Kept, "1", "2")
	require.False(t, a.Publish(cluster.Fleeting, []byte("never")))
	require.False(t, a.Send(b.Self(), []byte("never")))
	say(t, b, cluster.Kept, "3")
	st := a.Status()
	require.False(t, st.Connected)
	require.True(t, st.Degraded)
	require.Equal(t, 2, st.QueuedEntries)
	require.Equal(t, int64(2), st.QueuedBytes)
	require.Equal(t, uint64(2), st.Dropped["fleeting"])
	require.Len(t, b.Nodes(), 1, "the lease goes on")
	require.Empty(t, la.in)
	bus.Heal("a")
	bus.Heal("a")
	lb.expect(t, "a says 1", "a says 2")
	la.expect(t, "b says 3")
	require.Equal(t, uint64(1), a.Status().Reconnects)

	bus.Cut("a")
	say(t, a, cluster.Kept, "4")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, a.Close(ctx), context.Canceled)
	lb.expect(t, "a 1 lost true 0")
}

func TestCloseSendsWhatWaits(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, _ := node(t, bus, "a")
	_, lb := node(t, bus, "b")
	bus.Cut("a")
	say(t, a, cluster.Kept, "1")
	done := make(chan error, 1)
	go func() { done <- a.Close(context.Background()) }()
	bus.Heal("a")
	require.NoError(t, <-done)
	lb.expect(t, "a says 1", "a 1 lost true 0")
}

func TestThawedNodeIsANewIncarnation(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, la := node(t, bus, "a")
	b, lb := node(t, bus, "b")
	la.expect(t, "b 1 joined")
	bus.Lapse("a")
	bus.Lapse("a")
	lb.expect(t, "a 1 lost false 0")
	require.Empty(t, b.Nodes())
	_, known := b.NodeByTag(a.Self().Tag)
	require.False(t, known)
	say(t, a, cluster.Kept, "1")
	say(t, b, cluster.Kept, "2")
	bus.Heal("a")
	lb.expect(t, "a 2 joined", "a says 1")
	la.expect(t, "b says 2")
}

func TestGaps(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, err := bus.Node(memory.Options{ID: "a", MaxQueue: 2, MaxEntry: 5})
	require.NoError(t, err)
	la := newLog()
	require.NoError(t, a.Start(t.Context(), la))
	t.Cleanup(func() { _ = a.Close(context.Background()) })
	b, lb := node(t, bus, "b")
	la.expect(t, "b 1 joined")
	bus.SetFaults(memory.Faults{Drop: func(from, to string, entry []byte) bool {
		return from == "a" && to == "b" && string(entry) == "lost"
	}})
	say(t, a, cluster.Kept, "1", "lost", "lost", "2")
	lb.expect(t, "a says 1", "a missed 2", "a says 2")
	require.Equal(t, uint64(2), b.Status().Missed)
	require.False(t, a.Publish(cluster.Kept, []byte("too large")))

	bus.Cut("a") // queues hold two
	say(t, a, cluster.Kept, "3", "4", "5")
	say(t, b, cluster.Kept, "6", "7", "8")
	bus.Heal("a")
	lb.expect(t, "a missed 1", "a says 4", "a says 5")
	la.expect(t, "b says 6", "b says 7")
	say(t, b, cluster.Kept, "9")
	la.expect(t, "b missed 1", "b says 9")
	require.Equal(t, map[string]uint64{"too_large": 1, "overflow": 1}, a.Status().Dropped)
}

func TestDelaysKeepTheOrder(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	a, la := node(t, bus, "a")
	b, _ := node(t, bus, "b")
	c, lc := node(t, bus, "c")
	la.expect(t, "b 1 joined", "c 1 joined")
	bus.SetFaults(memory.Faults{Delay: func(from, _ string, entry []byte) time.Duration {
		if from == "a" && string(entry) == "1" {
			return 50 * time.Millisecond
		}
		return 0
	}})
	say(t, a, cluster.Kept, "1", "2")
	say(t, b, cluster.Kept, "3")
	lc.expect(t, "b says 3", "a says 1", "a says 2")
	require.Equal(t, uint64(3), c.Status().Received)
}
