package clustertest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
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

	mu     sync.Mutex
	missed []uint64 // by server, as the hook was told
	losses [][]Lost
	dead   map[int]bool
}

// Guest is a node that is another process; see Serve.
type Guest struct {
	// ID of the node; Addr of its server.
	ID, Addr string
}

// Lost is what a server was told of a node that is gone.
type Lost struct {
	cluster.Node
	Left bool
}

// start starts a server for each transport; setup registers its handlers. It
// returns when each of them knows the others.
func start(t testing.TB, transports []cluster.Transport, o socketio.Options,
	setup func(s *socketio.Server),
) *Rig {
	t.Helper()
	n := len(transports)
	r := &Rig{t: t, missed: make([]uint64, n), losses: make([][]Lost, n), dead: map[int]bool{}}
	for i, tr := range transports {
		o := o
		s, err := newServer(tr, o)
		require.NoError(t, err)
		r.listen(i, s)
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
	soon(t, "all nodes of this process know each other", func() bool {
		for _, s := range r.Servers {
			if len(s.Nodes()) < n-1 {
				return false
			}
		}
		return true
	})
	return r
}

// newServer makes a server with the handlers of all.
func newServer(tr cluster.Transport, o socketio.Options) (*socketio.Server, error) {
	// Loops bind one after the other: on an address of its own nobody takes the
	// port between them.
	o.Addr = fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	o.Cluster, o.Loops = tr, 2
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	o.KeepHeaders = []string{"X-Kept"}
	s, err := socketio.NewServer(o)
	if err != nil {
		return nil, err
	}
	root := s.Of("/")
	handlers(root)
	chat := s.Of("/chat")
	handlers(chat)
	chat.On("do", func(_ *socketio.Socket, e *socketio.Event) {
		var a action
		if e.Bind(&a) == nil {
			a.run(root)
		}
	})
	return s, nil
}

// listen keeps what the hooks of a server are told.
func (r *Rig) listen(i int, s *socketio.Server) {
	s.OnGap(func(_ cluster.Node, n uint64) {
		r.mu.Lock()
		r.missed[i] += n
		r.mu.Unlock()
	})
	s.OnNodeLost(func(n cluster.Node, left bool) {
		r.mu.Lock()
		r.losses[i] = append(r.losses[i], Lost{n, left})
		r.mu.Unlock()
	})
}

// invite waits until the servers know each other and the guests.
func (r *Rig) invite(guests []Guest) {
	r.t.Helper()
	soon(r.t, "all nodes know each other", func() bool {
		for _, s := range r.Servers {
			if len(s.Nodes()) != len(r.Servers)-1+len(guests) {
				return false
			}
		}
		return true
	})
}

// Losses returns what a server was told of nodes that are gone.
func (r *Rig) Losses(server int) []Lost {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.losses[server])
}

// Dead notes that a guest has died, not to come back: what it had not sent is
// not expected any more.
func (r *Rig) Dead(guest int) {
	r.mu.Lock()
	r.dead[len(r.Servers)+guest] = true
	r.mu.Unlock()
}

func (r *Rig) isDead(node int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead[node]
}

// gaps returns what the hook of a server was told, once it has caught up.
func (r *Rig) gaps(server int, want uint64) (n uint64) {
	soon(r.t, "the hook is told of what is missed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		n = r.missed[server]
		return n >= want
	})
	return n
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
		list[i] = connect(r.t, r.Servers[node].Addr().String(), ns)
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
