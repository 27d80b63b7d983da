package clustertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/socketio"
)

// Loss runs a cluster of four nodes, of which kill makes the last one
// disappear without a word: every survivor is told once, what waits for the
// dead node ends, and from then on it is left out.
func Loss(t *testing.T, f Factory, kill func()) {
	t.Helper()
	const dead = 3
	type loss struct {
		on   int
		node cluster.Node
		left bool
	}
	losses := make(chan loss, 64)
	var mu sync.Mutex
	servers := 0
	r := start(t, f(t, 4), socketio.Options{}, func(s *socketio.Server) {
		mu.Lock()
		defer mu.Unlock()
		on := servers
		servers++
		s.OnNodeLost(func(n cluster.Node, left bool) { losses <- loss{on, n, left} })
	})
	c := r.clients(8, "/")
	victim := r.Servers[dead].Stats().Cluster.Self
	soon(t, "the lease tells of the sockets", func() bool {
		for _, s := range r.Servers[:dead] {
			for _, n := range s.Nodes() {
				if n.ID == victim.ID && n.Sockets["/"] != 2 {
					return false
				}
			}
		}
		return true
	})

	// All but the clients of the victim answer.
	var answers sync.WaitGroup
	for k := range c {
		if c[k].Node != dead {
			answers.Go(func() { answer(c[k], `[1]`) })
		}
	}
	type result struct {
		n   int
		err error
	}
	asked := make(chan result, 1)
	go func() {
		list, err := r.Servers[0].All().Timeout(patience).EmitWithAck(bounded(t), "q")
		asked <- result{len(list), err}
	}()
	answers.Wait()
	for k := range c {
		if c[k].Node == dead {
			require.Contains(t, c[k].Event(), `["q"]`)
		}
	}
	begin := time.Now()
	kill()
	got := <-asked
	var p *socketio.PartialError
	require.ErrorAs(t, got.err, &p)
	require.ErrorIs(t, got.err, socketio.ErrNodeLost)
	require.Equal(t, []string{victim.ID}, p.Missing)
	require.Equal(t, 6, got.n)
	require.Less(t, time.Since(begin), patience-time.Second, "not because of the timeout")

	told := map[int]bool{}
	for range dead {
		var l loss
		select {
		case l = <-losses:
		case <-time.After(patience):
			require.FailNow(t, "a survivor was not told", "%v", told)
		}
		require.True(t, l.node.Same(&victim), "%+v", l)
		require.False(t, l.left)
		require.Equal(t, map[string]int{"/": 2, "/chat": 0}, l.node.Sockets)
		require.False(t, told[l.on], "twice")
		told[l.on] = true
	}
	require.False(t, told[dead])
	for i, s := range r.Servers[:dead] {
		n, err := s.Count(bounded(t))
		require.NoError(t, err)
		require.Equal(t, 6, n)
		list, err := s.FetchSockets(bounded(t))
		require.NoError(t, err)
		require.Len(t, list, 6)
		require.NoError(t, s.Emit("after", i))
		for k := range c {
			if c[k].Node != dead {
				require.Equal(t, fmt.Sprintf(`["after",%d]`, i), c[k].Event())
			}
		}
	}
	require.Empty(t, losses)
}
