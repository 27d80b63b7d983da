package socketio

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/engine"
)

// shared starts servers on one port; what they echo begins with their tag.
func shared(t testing.TB, tags ...uint16) []*Server {
	addr := "127.0.0.1:0"
	var servers []*Server
	for _, tag := range tags {
		s, err := NewServer(Options{Addr: addr, Loops: 2, NodeTag: tag, ReusePort: true, Logger: silent()})
		require.NoError(t, err)
		s.On("echo", func(k *Socket, e *Event) { _ = k.Emit("echo", tag) })
		require.NoError(t, s.Start())
		addr = s.Addr().String()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = s.Shutdown(ctx)
		})
		servers = append(servers, s)
	}
	return servers
}

// Each request of a polling client opens a connection, which the kernel gives
// to any of the processes of the port; none of them has a broker.
func TestSiblingsForwardForEachOther(t *testing.T) {
	t.Parallel()
	servers := shared(t, 0x1001, 0x1002, 0x1003)
	seen := map[uint16]bool{}
	for range 40 {
		p := pollDial(t, servers[0])
		_, sid, _ := strings.Cut(p.url, "&sid=")
		id, ok := engine.ParseID(sid)
		require.True(t, ok)
		seen[id.Node] = true
		for range 3 {
			p.post(`42["echo"]`)
			got, _ := p.get()
			require.Equal(t, fmt.Sprintf(`42["echo",%d]`, id.Node), got)
		}
		// So may the connection of an upgrade.
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c, _, _, err := ws.Dial(ctx, strings.Replace(strings.Replace(p.url, "http", "ws", 1),
			"polling", "websocket", 1))
		cancel()
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		require.NoError(t, wsutil.WriteClientText(c, []byte("2probe")))
		b, err := wsutil.ReadServerText(c)
		require.NoError(t, err)
		require.Equal(t, "3probe", string(b))
		require.NoError(t, wsutil.WriteClientText(c, []byte("5")))
		require.NoError(t, wsutil.WriteClientText(c, []byte(`42["echo"]`)))
		b, err = wsutil.ReadServerText(c)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`42["echo",%d]`, id.Node), string(b))
	}
	require.Len(t, seen, 3, "the kernel spreads connections")
	var in, out uint64
	for _, s := range servers {
		st := s.Stats()
		in, out = in+st.ForwardedIn, out+st.ForwardedOut
		require.Zero(t, st.ForwardErrors)
	}
	require.NotZero(t, in)
	require.Equal(t, in, out)
}

// A client that polls is sent away in its turn, with the close packet. What it
// asks for later is unknown, with the protocol's answer.
func TestASiblingThatEnds(t *testing.T) {
	t.Parallel()
	servers := shared(t, 0x2001, 0x2002)
	old, fresh := servers[0], servers[1]
	var mine []*pollPeer
	for len(mine) < 5 {
		p := pollDial(t, old)
		_, sid, _ := strings.Cut(p.url, "&sid=")
		if id, _ := engine.ParseID(sid); id.Node == 0x2001 {
			mine = append(mine, p)
		}
	}
	const unknown = `{"code":1,"message":"Session ID unknown"}`
	said := make(chan string, len(mine))
	for _, p := range mine {
		go func() {
			got, _ := p.get()
			said <- got
		}()
	}
	require.NoError(t, old.Drain(t.Context(), 500*time.Millisecond))
	told := 0
	for range mine {
		if got := receive(t, said); got == "1" {
			told++
		} else {
			require.Equal(t, unknown, got, "a poll that came late")
		}
	}
	require.NotZero(t, told)
	ask := func(p *pollPeer) {
		got, _ := p.get()
		require.Equal(t, unknown, got)
	}
	ask(mine[0])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, old.Shutdown(ctx))
	for _, p := range mine {
		ask(p)
	}
	require.False(t, fresh.kin.lives(0x2001))
	p := pollDial(t, fresh) // everybody comes here now
	p.post(`42["echo"]`)
	got, _ := p.get()
	require.Contains(t, got, fmt.Sprint(0x2002))
}

// A node that forwards to an address which processes share does not choose the
// process: it goes on to the one of the session, which asks for the proof.
func TestNodesForwardToSiblings(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	book := map[uint16]cluster.Node{}
	node := func(tag uint16, addr string, shared bool) *Server {
		mu.Lock()
		book[tag] = cluster.Node{ID: fmt.Sprint(tag), Tag: tag, Secret: fmt.Sprint("secret", tag)}
		mu.Unlock()
		s, err := NewServer(Options{Addr: addr, Loops: 2, NodeTag: tag, ReusePort: shared,
			Cluster: &phoneBook{mu: &mu, nodes: book, self: tag}, Logger: silent()})
		require.NoError(t, err)
		s.On("echo", func(k *Socket, e *Event) { _ = k.Emit("echo", tag) })
		require.NoError(t, s.Start())
		mu.Lock()
		n := book[tag]
		n.Addr = s.Addr().String()
		book[tag] = n
		mu.Unlock()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = s.Shutdown(ctx)
		})
		return s
	}
	far := node(0x4001, "127.0.0.1:0", false)
	near := node(0x4002, "127.0.0.1:0", true)
	node(0x4003, near.Addr().String(), true)
	for range 12 {
		p := pollDial(t, near)
		_, query, _ := strings.Cut(p.url, "?")
		_, sid, _ := strings.Cut(query, "&sid=")
		id, ok := engine.ParseID(sid)
		require.True(t, ok)
		p.url = fmt.Sprintf("http://%s/socket.io/?%s", far.Addr(), query)
		for range 3 {
			p.post(`42["echo"]`)
			got, _ := p.get()
			require.Equal(t, fmt.Sprintf(`42["echo",%d]`, id.Node), got)
		}
		// Nobody gets there without the proof.
		req, err := http.NewRequest("POST", fmt.Sprintf("http://%s/socket.io/?%s", near.Addr(), query),
			strings.NewReader(`42["echo"]`))
		require.NoError(t, err)
		req.Header.Set(engine.HopHeader, hop("wrong", []byte("POST"), []byte(req.URL.RequestURI())))
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 400, resp.StatusCode)
	}
	require.EqualValues(t, 12*3*2, far.Stats().ForwardedOut)
	require.Zero(t, far.Stats().ForwardErrors)
}

// Without ReusePort there are none, a name that is taken costs the forwarding
// alone, and a process of another user is none.
func TestNoSiblings(t *testing.T) {
	t.Parallel()
	require.Nil(t, serve(t, Options{}, nil).kin)
	servers := shared(t, 0x3001, 0x3001)
	require.Nil(t, servers[1].kin.served)
	require.False(t, servers[0].kin.lives(0x3002))
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	require.Panics(t, func() { familiarConn(a) }, "only Unix sockets tell")
}
