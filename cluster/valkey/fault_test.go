package valkey

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/brokertest"
)

// load publishes numbered entries, some thousand a second, until stopped. It
// fails if Publish ever waits for the broker, which is away for longer than
// patience.
type load struct {
	stop func()
	wg   sync.WaitGroup
}

const patience = 1500 * time.Millisecond

func underLoad(nodes ...*node) *load {
	over := make(chan struct{})
	l := &load{stop: sync.OnceFunc(func() { close(over) })}
	nodes[0].t.Cleanup(l.end) // before the nodes are closed
	for _, n := range nodes {
		l.wg.Go(func() {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-over:
					return
				case <-tick.C:
				}
				begun := time.Now()
				for range 3 {
					n.next++
					if !n.Publish(cluster.Kept, entry(n.next)) {
						n.t.Error("Publish refused an entry to be kept")
					}
				}
				if d := time.Since(begun); d > patience {
					n.t.Errorf("Publish took %v", d)
				}
			}
		})
	}
	return l
}

func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// flowing waits until entries of all nodes reach all others.
func flowing(nodes ...*node) {
	for _, n := range nodes {
		for _, from := range nodes {
			if from == n {
				continue
			}
			id := from.opt.NodeID
			had := -1
			n.until("entries of "+id, func() bool {
				if had < 0 {
					had = len(n.got[id])
				}
				return len(n.got[id]) > had
			})
		}
	}
}

// The ways in which all nodes lose the broker and it comes back with all that
// it had acknowledged: nothing is lost.
func TestBrokerAwayAndBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away, back func(s *brokertest.Server)
		answers    bool // an error, that is
	}{
		"stopped": {(*brokertest.Server).Stop, (*brokertest.Server).Restart, false},
		"killed":  {(*brokertest.Server).Kill, (*brokertest.Server).Restart, false},
		"frozen":  {(*brokertest.Server).Freeze, (*brokertest.Server).Thaw, false},
		"full": {
			func(s *brokertest.Server) { s.Do("CONFIG", "SET", "maxmemory", "1") },
			func(s *brokertest.Server) { s.Do("CONFIG", "SET", "maxmemory", "0") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := brokertest.Start(t, brokertest.Always()...)
			a, b := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b"))
			a.knows("b")
			l := underLoad(a, b)
			flowing(a, b)
			begun := time.Now()
			c.away(s)
			for _, x := range []*node{a, b} {
				eventually(t, "degraded", func() bool { return x.Status().Degraded && x.away() })
				require.Less(t, time.Since(begun), 5*time.Second)
				st := x.Status()
				require.Equal(t, c.answers, st.Connected)
				require.NotEmpty(t, st.Err)
				require.False(t, x.Publish(cluster.Fleeting, entry(1)))
			}
			time.Sleep(outage) // what is tested is that it is away for so long
			for _, x := range []*node{a, b} {
				require.Positive(t, x.Status().QueuedEntries)
			}
			c.back(s)
			flowing(a, b)
			l.end()
			require.Zero(t, a.accounts(b))
			require.Zero(t, b.accounts(a))
			for _, x := range []*node{a, b} {
				eventually(t, "well again", func() bool { return !x.Status().Degraded })
				st := x.Status()
				require.True(t, st.Connected)
				require.Empty(t, st.Err)
				require.Zero(t, st.Incarnations)
				require.Equal(t, map[string]uint64{"away": 1}, st.Dropped)
				require.Empty(t, x.lost, "nobody was lost")
				if !c.answers {
					require.Positive(t, st.Reconnects)
				}
			}
		})
	}
}

func TestBrokerRestartedEmpty(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	a.knows("b")
	l := underLoad(a, b)
	flowing(a, b)
	// b does not read what a publishes: that is what is lost.
	pb.Cut()
	at := a.Status().Published
	eventually(t, "more published", func() bool { return a.Status().Published > at+300 })
	s.Kill()
	s.RestartEmpty()
	pb.Heal()
	flowing(a, b)
	l.end()
	require.Zero(t, a.accounts(b), "b had its entries queued")
	lost := b.accounts(a)
	require.GreaterOrEqual(t, lost, uint64(300))
	require.Less(t, lost, uint64(3000), "what came after the restart is there")
	require.Equal(t, lost, b.Status().Missed)
	require.Empty(t, a.lost)
	require.Empty(t, b.lost)
}

// The last entries are lost and nothing follows: the lease tells.
func TestALossAtTheEndIsCounted(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	a.knows("b")
	a.publish(10)
	require.Zero(t, b.accounts(a))
	pb.Cut()
	a.publish(25)
	eventually(t, "published", func() bool { return a.Status().Published == 35 })
	s.Kill()
	s.RestartEmpty()
	pb.Heal()
	require.Equal(t, uint64(25), b.accounts(a))
	a.publish(5)
	require.Equal(t, uint64(25), b.accounts(a))
}

func TestTrimmedPastAReader(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	a.knows("b")
	a.publish(100)
	require.Zero(t, b.accounts(a))
	pb.Hold()
	for range 50 {
		a.publish(20)
		eventually(t, "published", a.queue.empty)
	}
	self := a.Self()
	stream := a.streamKey("a", self.Incarnation)
	s.Do("XTRIM", stream, "MINID", "1-"+strconv.Itoa(501))
	pb.Break()
	pb.Heal()
	a.publish(10)
	missed := b.accounts(a)
	// What had been read, or was on its way, when the reader stopped is not lost.
	require.LessOrEqual(t, missed, uint64(400))
	require.GreaterOrEqual(t, missed, uint64(360))
	require.Equal(t, missed, b.missed["a"])
	require.Equal(t, uint64(1110), b.got["a"][len(b.got["a"])-1])
}

func TestSpillIsBoundedAndItsLossesAreExact(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t, brokertest.Always()...)
	opt := quick(s.URL(), "a")
	opt.SpillEntries = 500
	a, b := open(t, opt), open(t, quick(s.URL(), "b"))
	a.knows("b")
	a.publish(100)
	require.Zero(t, b.accounts(a))
	s.Stop()
	eventually(t, "away", func() bool { return a.Status().Degraded })
	a.publish(2000)
	st := a.Status()
	require.GreaterOrEqual(t, st.QueuedEntries, 500)
	require.LessOrEqual(t, st.QueuedEntries, 1000, "one batch more than the bound")
	lost := 2000 - uint64(st.QueuedEntries)
	require.Equal(t, lost, st.Dropped["spill"])
	s.Restart()
	require.Equal(t, lost, b.accounts(a))
	b.mu.Lock()
	got := b.got["a"]
	require.Equal(t, uint64(1601), got[len(got)-500], "the newest are kept")
	b.mu.Unlock()
}

// One node alone loses the broker, for longer than its lease: it is lost, comes
// back as another incarnation, and nothing that either has published is lost
// or comes twice.
func TestOneNodeAwayForLongerThanItsLease(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*brokertest.Proxy){
		"cut": (*brokertest.Proxy).Cut, "half open": (*brokertest.Proxy).Hold,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := brokertest.Start(t)
			pb := brokertest.NewProxy(t, s.Addr)
			a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
			c := open(t, quick(s.URL(), "c"))
			a.knows("b", "c")
			c.knows("a", "b")
			first := b.Self()
			l := underLoad(a, b, c)
			flowing(a, b, c)
			away(pb)
			for _, x := range []*node{a, c} {
				x.until("b lost", func() bool { return len(x.lost) == 1 })
				require.Equal(t, first.Incarnation, x.lost[0].Incarnation)
				require.False(t, x.lost[0].left)
			}
			time.Sleep(outage / 4)
			pb.Heal()
			flowing(a, b, c)
			l.end()
			for _, x := range []*node{a, b, c} {
				for _, from := range []*node{a, b, c} {
					if x != from {
						require.Zero(t, x.accounts(from))
					}
				}
			}
			require.Equal(t, uint64(1), b.Status().Incarnations)
			require.Greater(t, b.Self().Incarnation, first.Incarnation)
			require.Equal(t, first.Tag, b.Self().Tag)
			require.Empty(t, b.lost)
			for _, x := range []*node{a, c} {
				require.Len(t, x.lost, 1)
				require.Equal(t, b.Self().Incarnation, incarnationOf(x, "b"))
			}
			// Answers reach the new incarnation, none the old one.
			require.False(t, a.Send(first, entry(1)))
			to, ok := a.NodeByTag(first.Tag)
			require.True(t, ok)
			had := len(b.got["a"])
			require.True(t, a.Send(to, entry(a.next+1)))
			b.until("an answer", func() bool { return len(b.got["a"]) == had+1 })
		})
	}
}

func TestSlowBroker(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pa := brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(pa.URL(), "a")), open(t, quick(s.URL(), "b"))
	a.knows("b")
	l := underLoad(a, b)
	flowing(a, b)
	pa.Slow(50 * time.Millisecond)
	time.Sleep(outage) // how long it is slow
	flowing(a, b)
	eventually(t, "that slow is not away", func() bool { return a.Status().Connected })
	pa.Heal()
	l.end()
	require.Zero(t, a.accounts(b))
	require.Zero(t, b.accounts(a))
	require.Empty(t, a.lost)
	require.Empty(t, b.lost)
}

func incarnationOf(n *node, id string) uint64 {
	for _, x := range n.Nodes() {
		if x.ID == id {
			return x.Incarnation
		}
	}
	return 0
}

// While a node is away a new process takes its id: the old one is told, waits,
// and goes on when the id is free.
func TestTheIDWasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, old := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	a.knows("b")
	pb.Cut()
	a.until("b lost", func() bool { return len(a.lost) == 1 })
	b := open(t, quick(s.URL(), "b"))
	b.publish(5)
	a.until("the new one", func() bool { return len(a.got["b"]) == 5 })
	old.next = 5
	old.publish(5)
	pb.Heal()
	eventually(t, "told", func() bool {
		st := old.Status()
		return st.Connected && st.Degraded && strings.Contains(st.Err, cluster.ErrTaken.Error())
	})
	require.NoError(t, b.Close(t.Context()))
	a.until("the old one again", func() bool { return len(a.got["b"]) == 10 })
	a.until("the new one lost", func() bool { return len(a.lost) == 2 })
	require.True(t, a.lost[1].left)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ordered("b")
}

// A node dies together with the broker's memory.
func TestANodeThatDiesInAnEmptiedDirectory(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b, c := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b")), open(t, quick(s.URL(), "c"))
	a.knows("b", "c")
	c.knows("a", "b")
	b.crash()
	s.Kill()
	s.RestartEmpty()
	for _, x := range []*node{a, c} {
		x.until("b lost", func() bool { return len(x.lost) == 1 })
		require.Equal(t, "b", x.lost[0].ID)
	}
	l := underLoad(a, c)
	flowing(a, c)
	l.end()
	require.Zero(t, a.accounts(c))
	require.Len(t, a.lost, 1)
}

// A node is lost, then the broker forgets so: until it is told, the node adds
// entries that nobody reads. They are counted.
func TestWhatComesAfterAForgottenEndIsCounted(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	a.knows("b")
	b.publish(10)
	require.Zero(t, a.accounts(b))
	pb.Cut()
	a.until("b lost", func() bool { return len(a.lost) == 1 })
	b.publish(500)
	s.Kill()
	s.RestartEmpty()
	pb.Heal()
	a.until("b back", func() bool { return len(a.joined) == 2 })
	b.publish(5)
	missed := a.accounts(b)
	require.Equal(t, missed, a.Status().Missed)
	a.mu.Lock()
	defer a.mu.Unlock()
	require.Len(t, a.lost, 1)
	require.Equal(t, uint64(515), a.got["b"][len(a.got["b"])-1])
}

// A batch has arrived, its answer has not; then the broker forgets the stream and
// its node is taken for dead. Nobody can look up whether the batch was there,
// but each reader knows whether it has read it.
func TestABatchOfUnknownFateComesOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb, pc := brokertest.NewProxy(t, s.Addr), brokertest.NewProxy(t, s.Addr)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b"))
	c := open(t, quick(pc.URL(), "c"))
	a.knows("b", "c")
	c.knows("b")
	b.publish(5)
	require.Zero(t, a.accounts(b))
	require.Zero(t, c.accounts(b))
	pc.Cut() // a will have the batch, c will not
	pb.Mute()
	b.publish(8)
	a.until("the batch", func() bool { return len(a.got["b"]) > 5 })
	require.Equal(t, uint64(5), b.Status().Published, "as far as b knows")
	pb.Cut()
	s.Kill()
	s.RestartEmpty()
	a.until("both lost", func() bool { return len(a.lost) == 2 })
	pb.Heal()
	pc.Heal()
	b.publish(5)
	require.Zero(t, a.accounts(b))
	require.Zero(t, c.accounts(b))
	require.Positive(t, a.Status().Duplicates)
	require.Zero(t, c.Status().Duplicates)
	st := b.Status()
	require.Empty(t, st.Dropped)
	require.Equal(t, uint64(18), st.Published)
	require.Equal(t, uint64(1), st.Incarnations)
}
