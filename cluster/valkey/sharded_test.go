package valkey

import (
	"testing"

	"github.com/stretchr/testify/require"
	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/internal/brokertest"
)

// A real Valkey Cluster: the streams of the nodes lie on different servers.
func TestValkeyCluster(t *testing.T) {
	t.Parallel()
	servers := brokertest.StartCluster(t, 3, brokertest.Always()...)
	var nodes []*node
	for i, id := range []string{"a", "b", "c", "d"} {
		n := open(t, quick(servers[i%3].URL(), id))
		require.Equal(t, vk.ClientModeCluster, n.client.Mode())
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.until("all", func() bool { return len(n.Nodes()) == 3 })
	}
	all := func() {
		t.Helper()
		for _, n := range nodes {
			for _, from := range nodes {
				if n != from {
					require.Zero(t, n.accounts(from))
				}
			}
		}
	}
	l := underLoad(nodes...)
	flowing(nodes...)
	l.end()
	all()
	require.True(t, nodes[0].Send(nodes[1].Self(), entry(nodes[0].next+1)))
	had := len(nodes[1].got["a"])
	nodes[1].until("an answer", func() bool { return len(nodes[1].got["a"]) == had+1 })
	nodes[1].mu.Lock()
	nodes[1].got["a"] = nodes[1].got["a"][:had]
	nodes[1].mu.Unlock()

	e, err := NewEmitter(t.Context(), Options{URL: servers[2].URL()})
	require.NoError(t, err)
	require.NoError(t, e.Publish(entry(7)))
	require.NoError(t, e.Close())
	for _, n := range nodes {
		n.until("the emit", func() bool { return len(n.got[""]) == 1 })
	}

	// One of the servers is killed under load and comes back.
	l = underLoad(nodes...)
	flowing(nodes...)
	servers[1].Kill()
	away := func() bool {
		for _, n := range nodes {
			if n.Status().Degraded {
				return true
			}
		}
		return false
	}
	eventually(t, "degraded", away)
	servers[1].Restart()
	flowing(nodes...)
	l.end()
	all()
	for _, n := range nodes {
		require.Empty(t, n.lost)
		require.Zero(t, n.Status().Incarnations)
	}

	require.NoError(t, nodes[3].Close(t.Context()))
	nodes[2].crash()
	for _, n := range nodes[:2] {
		n.until("both gone", func() bool { return len(n.lost) == 2 })
		require.Equal(t, lostNode{n.lost[0].Node, true}, n.lost[0])
		require.Equal(t, "d", n.lost[0].ID)
		require.False(t, n.lost[1].left)
	}
}
