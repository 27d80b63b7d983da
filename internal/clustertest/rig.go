package clustertest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/socketio"
)

// Factory returns the transports of n nodes of a new cluster.
type Factory func(t testing.TB, n int) []cluster.Transport

// Rig is a cluster of servers with clients.
type Rig struct {
	t       testing.TB
	Servers []*socketio.Server
	fences  int
}

// start starts a server for each transport; setup registers its handlers. It
// returns when each of them knows the others.
func start(t testing.TB, transports []cluster.Transport, o socketio.Options,
	setup func(s *socketio.Server),
) *Rig {
	t.Helper()
	r := &Rig{t: t}
	for _, tr := range transports {
		o := o
		// Loops bind one after the other: on an address of its own nobody takes
		// the port between them.
		o.Addr = fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		o.Cluster, o.Loops = tr, 2
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		o.KeepHeaders = []string{"X-Kept"}
		s, err := socketio.NewServer(o)
		require.NoError(t, err)
		handlers(s.Of("/"))
		handlers(s.Of("/chat"))
		if setup != nil {
			setup(s)
		}
		require.NoError(t, s.Start())
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = s.Shutdown(ctx)
		})
		r.Servers = append(r.Servers, s)
	}
	soon(t, "all nodes know each other", func() bool {
		for _, s := range r.Servers {
			if len(s.Nodes()) != len(r.Servers)-1 {
				return false
			}
		}
		return true
	})
	return r
}

// handlers lets clients do things on their server.
func handlers(n *socketio.Namespace) {
	n.OnConnection(func(s *socketio.Socket) {
		s.SetData(map[string]string{"id": s.ID()})
	})
	n.On("join", func(s *socketio.Socket, e *socketio.Event) {
		var room string
		_ = e.Bind(&room)
		s.Join(room)
		s.Rooms() // so that the join was carried out
		_ = e.Ack()
	})
	n.On("to", func(s *socketio.Socket, e *socketio.Event) {
		var room, text string
		_ = e.Bind(&room, &text)
		_ = s.To(room).Emit("said", text)
		_ = e.Ack()
	})
	n.On("others", func(s *socketio.Socket, e *socketio.Event) {
		var text string
		_ = e.Bind(&text)
		_ = s.Broadcast().Emit("said", text)
		_ = e.Ack()
	})
}

// clients connects n clients, spread over the servers.
func (r *Rig) clients(n int, ns string) []*Client {
	r.t.Helper()
	list := make([]*Client, n)
	for i := range list {
		node := i % len(r.Servers)
		list[i] = connect(r.t, r.Servers[node], ns)
		list[i].Node = node
	}
	return list
}

// fence returns what each client has received in front of a broadcast that all
// of them get from one node, and so behind everything that node had sent.
func (r *Rig) fence(from *socketio.Namespace, clients ...*Client) [][]string {
	r.t.Helper()
	r.fences++
	require.NoError(r.t, from.Emit("fence", r.fences))
	got := make([][]string, len(clients))
	for i, c := range clients {
		got[i] = c.Until(fmt.Sprintf(`["fence",%d]`, r.fences))
	}
	return got
}

// soon waits for a condition that another goroutine brings about.
func soon(t testing.TB, what string, f func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !f() {
		require.True(t, time.Now().Before(end), what)
		time.Sleep(time.Millisecond)
	}
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
