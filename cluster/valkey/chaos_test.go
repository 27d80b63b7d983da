package valkey

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
)

// Faults at random, several at a time, of the broker and of single nodes'
// ways to it, while all publish. The broker keeps what it acknowledged and the
// queues are long enough: then every entry reaches every node once, in order,
// however often nodes were taken for dead.
func TestFaultsAtRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := brokertest.Start(t, brokertest.Always()...)
	var nodes []*node
	var ways []*brokertest.Proxy
	for _, id := range []string{"a", "b", "c"} {
		p := brokertest.NewProxy(t, s.Addr)
		ways = append(ways, p)
		nodes = append(nodes, open(t, quick(p.URL(), id)))
	}
	nodes[0].knows("b", "c")
	l := underLoad(nodes...)
	flowing(nodes...)
	pause := func(most time.Duration) { time.Sleep(time.Duration(r.Int64N(int64(most)))) }
	for begun := time.Now(); time.Since(begun) < chaos; {
		w := ways[r.IntN(len(ways))]
		switch r.IntN(8) {
		case 0, 1:
			w.Cut()
		case 2, 3:
			w.Hold()
		case 4:
			w.Slow(time.Duration(r.IntN(100)) * time.Millisecond)
		case 5:
			w.Break()
		case 6:
			s.Freeze()
			pause(time.Second)
			s.Thaw()
		case 7:
			s.Kill()
			pause(time.Second)
			s.Restart()
		}
		pause(time.Second)
		ways[r.IntN(len(ways))].Heal()
	}
	for _, w := range ways {
		w.Heal()
	}
	flowing(nodes...)
	l.end()
	for _, n := range nodes {
		for _, from := range nodes {
			if n != from {
				require.Zero(t, n.accounts(from), "of %s at %s", from.opt.NodeID, n.opt.NodeID)
			}
		}
		st := n.Status()
		t.Logf("%s: %d published, %d received, %d incarnations, %d reconnects, %d refused",
			st.Self.ID, st.Published, st.Received, st.Incarnations, st.Reconnects, st.Duplicates)
	}
}
