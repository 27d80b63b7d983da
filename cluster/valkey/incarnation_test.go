package valkey

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
)

// A node is taken for dead several times, and started anew, while another cannot
// see it: what was added to each of its streams reaches that one, too.
func TestIncarnationsThatNobodySaw(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pb := brokertest.NewProxy(t, s.Addr)
	a, b, c := open(t, quick(s.URL(), "a")), open(t, quick(pb.URL(), "b")), open(t, quick(s.URL(), "c"))
	c.knows("a", "b")
	b.knows("a")
	a.publish(5)
	require.Zero(t, b.accounts(a))
	away := func(f func()) {
		pb.Cut()
		for range 3 {
			f()
			a.publish(5)
			require.Zero(t, c.accounts(a))
		}
		pb.Heal()
		require.Zero(t, b.accounts(a))
	}
	lose := func() {
		was := a.incarnation()
		require.NoError(t, c.banish("a", was))
		a.kick()
		eventually(t, "a new incarnation", func() bool { return a.incarnation() != was })
	}
	s.Do("RPUSH", a.dir.pastKey("a"), "no incarnation")
	away(lose)
	away(func() {
		require.NoError(t, a.Close(t.Context()))
		next := a.next
		a = open(t, quick(s.URL(), "a"))
		a.next = next
	})
	pb.Cut()
	lose()
	a.publish(5)
	require.Zero(t, c.accounts(a))
	a.crash()
	c.until("it dead", func() bool { // b may be, too, and later
		return slices.ContainsFunc(c.lost, func(n lostNode) bool { return n.Incarnation == a.incarnation() })
	})
	pb.Heal()
	require.Zero(t, b.accounts(a))
	b.until("them gone", func() bool { return len(b.lost) == len(b.joined)-1 })

	// Who was not there does not get what was before it.
	d := open(t, quick(s.URL(), "d"))
	d.knows("b", "c")
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Empty(t, d.got["a"])
	require.Len(t, d.joined, 2)
}

// A node comes while the lease of another has lapsed, and does not tell of it.
// What that one still adds until it is lost, which it may, is not lost with it.
func TestLastWordsOfANodeThatSeemedDead(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	pa := brokertest.NewProxy(t, s.Addr)
	a := open(t, quick(pa.URL(), "a"))
	a.publish(5)
	eventually(t, "published", func() bool { return a.Status().Published == 5 })
	self := a.Self()
	pa.Cut()
	time.Sleep(a.opt.Lease) // nobody is there to see it lapse
	b := open(t, quick(s.URL(), "b"))
	require.Empty(t, b.Nodes())
	s.Do("XADD", a.streamKey("a", self.Incarnation), "1-6", "m", raw(6))
	b.until("its last word", func() bool { return len(b.got["a"]) == 1 && len(b.lost) == 1 })
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, []uint64{6}, b.got["a"])
	require.Equal(t, self.Incarnation, b.lost[0].Incarnation)
	require.Empty(t, b.missed)
}
