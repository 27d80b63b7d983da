package clustertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/socketio"
)

// An emitter that is no node reaches the handlers and the sockets of all.
func TestEmitterOverValkey(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t)
	log := slog.New(slog.DiscardHandler)
	heard := make(chan string, 64)
	for k := range 2 {
		node, err := valkey.Open(t.Context(), valkey.Options{URL: broker.URL(),
			NodeID: fmt.Sprint("n", k), Logger: log})
		require.NoError(t, err)
		srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1,
			Logger: log, Cluster: node})
		require.NoError(t, err)
		require.NoError(t, srv.Of("/x").OnServerSide("cache", func(e *socketio.ServerEvent) {
			var text string
			var data []byte
			err := e.Bind(&text, &data)
			heard <- fmt.Sprintf("%d %s %v %v", k, text, data, err)
		}))
		require.NoError(t, srv.Start())
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			require.NoError(t, srv.Shutdown(ctx))
		})
	}
	p, err := valkey.NewEmitter(t.Context(), valkey.Options{URL: broker.URL()})
	require.NoError(t, err)
	e := cluster.NewEmitter(p)
	defer func() { require.NoError(t, e.Close()) }()
	require.NoError(t, e.Of("/x").ServerSideEmit("cache", "a", []byte{1, 2}))
	require.NoError(t, e.ServerSideEmit("cache", "elsewhere", []byte{}))
	require.NoError(t, e.Of("/x").ServerSideEmit("cache", "b", []byte{}))
	var got []string
	for range 4 {
		select {
		case s := <-heard:
			got = append(got, s)
		case <-time.After(10 * time.Second):
			t.Fatalf("heard %q", got)
		}
	}
	require.ElementsMatch(t, []string{"0 a [1 2] <nil>", "0 b [] <nil>",
		"1 a [1 2] <nil>", "1 b [] <nil>"}, got)
}
