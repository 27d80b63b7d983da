//go:build long

package benchmarks

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/socketio"
)

// A node that was cut off gets what 40,000 emits to everybody have left for it.
// Its clients, which take all they can, get every one.
func TestBacklogReachesEverybody(t *testing.T) {
	s := brokertest.Start(t)
	p := brokertest.NewProxy(t, s.Addr)
	var list []*socketio.Server
	for i, url := range []string{s.URL(), p.URL()} {
		srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0",
			Cluster: openNode(t, url, i), Logger: quiet()})
		require.NoError(t, err)
		require.NoError(t, srv.Start())
		t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
		list = append(list, srv)
	}
	crowd, err := client.Gather(list[1].Addr().String(), 200, "")
	require.NoError(t, err)
	t.Cleanup(crowd.Close)
	got := 0
	crowd.OnPacket = func(int, []byte) { got++ }
	p.Cut()
	pad := fmt.Sprintf("%100d", 1)
	const n = 40000
	for range n {
		require.NoError(t, list[0].Emit("m", pad))
	}
	p.Heal()
	for end := time.Now().Add(30 * time.Second); got < 200*n; {
		require.NoError(t, crowd.Poll(time.Second))
		require.True(t, time.Now().Before(end), "%d", got)
	}
}

func openNode(t *testing.T, url string, i int) cluster.Transport {
	t.Helper()
	tr, err := valkey.Open(t.Context(), valkey.Options{URL: url, NodeID: fmt.Sprint("n", i),
		Logger: quiet()})
	require.NoError(t, err)
	return tr
}
