package benchmarks

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/socketio"
)

const (
	// receivers is how many clients the broadcasts have.
	receivers = 1_000
	// payload makes an event about 64 bytes long.
	payload = "................................................"
	// patience bounds what must come at once.
	patience = 30 * time.Second
)

// serve starts a server with default options.
func serve(b testing.TB, setup func(s *socketio.Server)) *socketio.Server {
	b.Helper()
	return serveWith(b, socketio.Options{}, setup)
}

func serveWith(b testing.TB, o socketio.Options, setup func(s *socketio.Server)) *socketio.Server {
	b.Helper()
	o.Addr, o.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(io.Discard, nil))
	srv, err := socketio.NewServer(o)
	require.NoError(b, err)
	setup(srv)
	require.NoError(b, srv.Start())
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(b, srv.Shutdown(ctx))
	})
	return srv
}

func dial(b *testing.B, srv *socketio.Server) *client.Client {
	b.Helper()
	c, err := client.Dial(srv.Addr().String(), "")
	require.NoError(b, err)
	b.Cleanup(c.Close)
	return c
}

// gather connects a crowd whose receipts are counted in got.
func gather(b *testing.B, srv *socketio.Server, n int, hello string, got *int) *client.Crowd {
	b.Helper()
	c, err := client.Gather(srv.Addr().String(), n, hello)
	require.NoError(b, err)
	b.Cleanup(c.Close)
	c.OnPacket = func(int, []byte) { *got++ }
	return c
}

// await lets the crowd read until there are n receipts.
func await(b *testing.B, c *client.Crowd, got *int, n int) {
	for *got < n {
		if err := c.Poll(patience); err != nil {
			b.Fatal(err)
		}
	}
}

// perDelivery reports the time of one of n deliveries.
func perDelivery(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/delivery")
}
