package valkey

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
	"github.com/throng-server/throng/internal/brokertest"
)

func TestEntriesReachTheOthersInOrder(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a := open(t, quick(s.URL(), "a"))
	b := open(t, quick(s.URL(), "b"))
	c := open(t, quick(s.URL(), "c"))
	a.knows("b", "c")
	b.knows("a", "c")
	c.knows("a", "b")
	for range 20 {
		a.publish(500)
		b.publish(300)
	}
	for _, x := range []*node{b, c} {
		require.Zero(t, x.accounts(a))
	}
	for _, x := range []*node{a, c} {
		require.Zero(t, x.accounts(b))
	}
	require.Empty(t, a.got["a"], "the own entries")
	st := c.Status()
	require.Equal(t, uint64(16_000), st.Received)
	require.True(t, st.Connected)
	require.False(t, st.Degraded)
	require.Empty(t, st.Err)
	require.Len(t, st.Nodes, 2)
	require.Equal(t, map[string]int{"/": 3}, st.Nodes[0].Sockets)
}

func TestTheFirstEntriesOfANewNodeArrive(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a := open(t, quick(s.URL(), "a"))
	a.publish(100) // before b came: none of its business
	eventually(t, "published", a.queue.empty)
	b := open(t, quick(s.URL(), "b"))
	b.publish(10) // a may not know b yet
	a.publish(5)
	require.Zero(t, a.accounts(b))
	b.until("the later ones", func() bool { return len(b.got["a"]) == 5 })
	require.Equal(t, uint64(101), b.got["a"][0])
	require.Empty(t, b.missed)
}

func TestAnswersGoToOneIncarnation(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b, c := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b")), open(t, quick(s.URL(), "c"))
	a.knows("b", "c")
	for i := range uint64(2000) {
		require.True(t, a.Send(b.Self(), entry(i+1)))
	}
	b.until("answers", func() bool { return len(b.got["a"]) == 2000 })
	b.mu.Lock()
	b.ordered("a")
	b.mu.Unlock()
	require.Empty(t, c.got)
	old := b.Self()
	old.Incarnation--
	require.False(t, a.Send(old, entry(1)))
	require.Equal(t, uint64(1), a.Status().Dropped["gone"])
}

func TestANodeThatLeavesIsSeenAtOnceAndInOrder(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b"))
	a.knows("b")
	b.publish(1000)
	require.NoError(t, b.Close(t.Context()))
	require.False(t, b.Publish(cluster.Kept, entry(1)))
	a.within(time.Second, "b left", func() bool { return len(a.lost) == 1 })
	require.True(t, a.lost[0].left)
	require.Equal(t, b.Self().Incarnation, a.lost[0].Incarnation)
	require.Len(t, a.got["b"], 1000, "before its end")
	require.Empty(t, a.Nodes())
	// Its id is free at once.
	open(t, quick(s.URL(), "b"))
	a.knows("b")
	require.Len(t, a.lost, 1)
}

func TestADeadNodeIsLostOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b, c := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b")), open(t, quick(s.URL(), "c"))
	a.knows("b", "c")
	c.knows("a", "b")
	tag := b.Self().Tag
	n, ok := a.NodeByTag(tag)
	require.True(t, ok)
	require.Equal(t, "b", n.ID)
	b.publish(100)
	require.Zero(t, a.accounts(b))
	begun := time.Now()
	b.crash()
	for _, x := range []*node{a, c} {
		x.until("b lost", func() bool { return len(x.lost) > 0 })
	}
	require.Greater(t, time.Since(begun), 600*time.Millisecond)
	_, ok = a.NodeByTag(tag)
	require.False(t, ok)
	require.Equal(t, map[string]int{"/": 3}, a.lost[0].Sockets)
	// It comes back under its name.
	b = open(t, quick(s.URL(), "b"))
	b.publish(10)
	a.until("the new one", func() bool { return len(a.got["b"]) == 110 })
	require.Equal(t, tag, b.Self().Tag)
	for _, x := range []*node{a, c} {
		x.mu.Lock()
		require.Len(t, x.lost, 1)
		require.False(t, x.lost[0].left)
		x.mu.Unlock()
	}
}

func TestTwoProcessesWithOneID(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a := open(t, quick(s.URL(), "a"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := Open(ctx, quick(s.URL(), "a"))
	require.ErrorIs(t, err, cluster.ErrTaken)
	require.NoError(t, ctx.Err(), "it must not wait for the context")
	// After a kill -9 the next one waits for the lease.
	a.crash()
	begun := time.Now()
	b := open(t, quick(s.URL(), "a"))
	require.Less(t, time.Since(begun), 10*time.Second)
	require.Equal(t, a.Self().Tag, b.Self().Tag)
}

func TestEmitterReachesEveryNode(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b"))
	e, err := NewEmitter(t.Context(), Options{URL: s.URL()})
	require.NoError(t, err)
	for i := range uint64(50) {
		require.NoError(t, e.Publish(entry(i)))
	}
	for _, x := range []*node{a, b} {
		x.until("emits", func() bool { return len(x.got[""]) == 50 })
	}
	c := open(t, quick(s.URL(), "c"))
	require.NoError(t, e.Publish(entry(50)))
	c.until("what comes from now on", func() bool { return len(c.got[""]) == 1 })
	require.Equal(t, uint64(50), c.got[""][0])
	require.NoError(t, e.Close())
	require.ErrorIs(t, e.Publish(entry(1)), cluster.ErrClosed)
}

// raw is an entry with messages as a publisher makes it.
func raw(nums ...uint64) string {
	var b []byte
	for _, n := range nums {
		b = fields.Append(b, entry(n))
	}
	return string(b)
}

func TestReadersGoByTheNumbers(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b"))
	a.knows("b")
	a.publish(10)
	require.Zero(t, b.accounts(a))
	first := a.Self()
	stream := a.streamKey("a", first.Incarnation)
	s.Do("XADD", stream, "1-12", "m", raw(8, 9, 10, 11, 12))
	b.until("the new ones of it", func() bool { return len(b.got["a"]) == 12 })
	require.Equal(t, uint64(3), b.Status().Duplicates)
	s.Do("XADD", stream, "1-20", "m", raw(20))
	b.until("the gap", func() bool { return b.missed["a"] == 7 && len(b.got["a"]) == 13 })
	for i, bad := range []string{"", "\x05", raw(1) + "\xff"} {
		s.Do("XADD", stream, "1-"+strconv.Itoa(21+i), "m", bad)
		b.until("not understood is missed", func() bool { return b.missed["a"] == 8+uint64(i) })
	}
	// Somebody ends the stream: the node goes on in another one.
	s.Do("XADD", stream, "5-1", "m", raw(1))
	a.next = 30
	a.publish(5)
	b.until("the new incarnation", func() bool { return len(b.got["a"]) == 18 })
	require.Len(t, b.lost, 1)
	require.Equal(t, first.Incarnation, b.lost[0].Incarnation)
	require.Equal(t, uint64(1), a.Status().Incarnations)
	// A batch that may have been at a place of the old stream: b has read up to
	// 23 there.
	stream = a.streamKey("a", a.Self().Incarnation)
	old := strconv.FormatUint(first.Incarnation, 10)
	s.Do("XADD", stream, "1-6", "m", raw(36), "o", "7-1 "+old+"-23")
	s.Do("XADD", stream, "1-7", "m", raw(37), "o", "no place "+old+"-24")
	b.until("the one it had not read", func() bool { return len(b.got["a"]) == 19 })
	require.Equal(t, uint64(4), b.Status().Duplicates)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, uint64(37), b.got["a"][18])
	b.ordered("a")
}

// What proves that a request was forwarded by a node of the cluster: each
// incarnation has its own, and the others know it.
func TestSecretsOfIncarnations(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	opt := quick(s.URL(), "a")
	opt.Addr = "127.0.0.1:8001"
	a, b := open(t, opt), open(t, quick(s.URL(), "b"))
	known := func(of cluster.Node) func() bool {
		return func() bool {
			n, ok := b.NodeByTag(of.Tag)
			return ok && n.Incarnation == of.Incarnation && n.Addr == opt.Addr &&
				n.Secret == of.Secret
		}
	}
	first := a.Self()
	require.Len(t, first.Secret, 26)
	eventually(t, "the first secret", known(first))
	require.NotEqual(t, first.Secret, b.Self().Secret)
	s.Do("XADD", a.streamKey("a", first.Incarnation), "5-1", "m", raw(1)) // it is over
	a.publish(1)
	eventually(t, "another incarnation", func() bool {
		return a.Self().Incarnation != first.Incarnation
	})
	second := a.Self()
	require.NotEqual(t, first.Secret, second.Secret)
	require.Equal(t, first.Tag, second.Tag)
	eventually(t, "the second secret", known(second))
}

func TestStatusTells(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	opt := quick(s.URL(), "a")
	opt.Addr, opt.MaxEntry = "127.0.0.1:8001", 64
	begun := time.Now()
	a, b := open(t, opt), open(t, quick(s.URL(), "b"))
	a.knows("b")
	a.publish(3)
	require.False(t, a.Publish(cluster.Kept, make([]byte, 65)))
	require.Zero(t, b.accounts(a))
	b.mu.Lock()
	b.sockets["/chat"] = 7
	b.mu.Unlock()
	eventually(t, "the sockets of b", func() bool { return len(a.Status().Nodes[0].Sockets) == 2 })
	st := a.Status()
	require.Equal(t, "a", st.Self.ID)
	require.Equal(t, "127.0.0.1:8001", st.Self.Addr)
	require.Equal(t, "127.0.0.1:8001", b.Status().Nodes[0].Addr)
	require.Equal(t, map[string]int{"/": 3, "/chat": 7}, st.Nodes[0].Sockets)
	require.WithinRange(t, st.Nodes[0].Seen, begun, time.Now())
	require.Zero(t, st.Nodes[0].Lag)
	require.Equal(t, "valkey", st.Broker)
	require.WithinRange(t, st.Since, begun, time.Now())
	require.Equal(t, uint64(3), st.Published)
	require.Equal(t, uint64(24), st.PublishedBytes)
	require.Equal(t, map[string]uint64{"large": 1}, st.Dropped)
	require.Equal(t, uint64(24), b.Status().ReceivedBytes)
}
