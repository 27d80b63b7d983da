package socketio

import (
	"context"
	"fmt"
	"io"
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
)

// phoneBook is a cluster whose nodes know each other's addresses and nothing
// else.
type phoneBook struct {
	cluster.Transport
	mu    *sync.Mutex
	nodes map[uint16]cluster.Node
	self  uint16
}

func (b *phoneBook) Self() cluster.Node {
	n, _ := b.NodeByTag(b.self)
	return n
}

func (b *phoneBook) NodeByTag(tag uint16) (cluster.Node, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.nodes[tag]
	return n, ok
}

func (b *phoneBook) Nodes() []cluster.Node                         { return nil }
func (b *phoneBook) Start(context.Context, cluster.Receiver) error { return nil }
func (b *phoneBook) Publish(cluster.Class, []byte) bool            { return true }
func (b *phoneBook) Send(cluster.Node, []byte) bool                { return true }
func (b *phoneBook) Status() cluster.Status                        { return cluster.Status{} }
func (b *phoneBook) Close(context.Context) error                   { return nil }

// neighbors starts servers that know each other and echo.
func neighbors(t testing.TB, n int) []*Server {
	var mu sync.Mutex
	book := map[uint16]cluster.Node{}
	servers := make([]*Server, n)
	for i := range servers {
		tag := uint16(i + 1)
		mu.Lock()
		book[tag] = cluster.Node{ID: fmt.Sprint("n", i), Tag: tag, Secret: fmt.Sprint("secret", i)}
		mu.Unlock()
		servers[i] = serve(t, Options{Loops: 2, NodeTag: tag,
			Cluster: &phoneBook{mu: &mu, nodes: book, self: tag}}, func(s *Server) {
			s.On("echo", func(k *Socket, e *Event) { _ = k.Emit("echo", e.Raw()...) })
		})
		mu.Lock()
		n := book[tag]
		n.Addr = servers[i].Addr().String()
		book[tag] = n
		mu.Unlock()
	}
	return servers
}

// The requests of one client go to three nodes in turn, polls, posts and the
// upgrade; the second client's WebSocket stays behind another node.
func TestRequestsReachTheNodeOfTheirSession(t *testing.T) {
	t.Parallel()
	servers := neighbors(t, 3)
	first := servers[0].Addr().String()
	turn := 0
	elsewhere := func(p *pollPeer) {
		turn++
		at := strings.Index(p.url, "/socket.io")
		p.url = "http://" + servers[turn%3].Addr().String() + p.url[at:]
	}
	p := pollDial(t, servers[0])
	for i := range 12 {
		elsewhere(p)
		p.post(fmt.Sprintf(`42["echo",%d]`, i))
		elsewhere(p)
		got, _ := p.get()
		require.Equal(t, fmt.Sprintf(`42["echo",%d]`, i), got)
	}

	// The upgrade comes to the third node.
	_, query, _ := strings.Cut(p.url, "?")
	query = strings.Replace(query, "polling", "websocket", 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, _, err := ws.Dial(ctx, "ws://"+servers[2].Addr().String()+"/socket.io/?"+query)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	say := func(text string) { require.NoError(t, wsutil.WriteClientText(c, []byte(text))) }
	hear := func() string {
		b, err := wsutil.ReadServerText(c)
		require.NoError(t, err)
		return string(b)
	}
	say("2probe")
	require.Equal(t, "3probe", hear())
	say("5")
	for i := range 5 {
		say(fmt.Sprintf(`42["echo","ws%d"]`, i))
		require.Equal(t, fmt.Sprintf(`42["echo","ws%d"]`, i), hear())
	}
	require.Equal(t, 1, servers[0].root.Len(), "it is the first node's")
	require.NotZero(t, servers[0].Stats().ForwardedIn)
	require.NotZero(t, servers[2].Stats().ForwardedOut)
	require.Zero(t, servers[2].Stats().ForwardedIn)

	// Who is no node cannot say that a request was forwarded.
	req, err := http.NewRequest("GET", "http://"+first+"/socket.io/?"+
		strings.Replace(query, "websocket", "polling", 1), nil)
	require.NoError(t, err)
	req.Header.Set("Throng-Hop", hop("wrong", []byte("GET"), []byte(req.URL.RequestURI())))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 400, resp.StatusCode)

	// The node dies: others know its address for a while.
	require.NoError(t, servers[0].Shutdown(ctx))
	resp, err = http.Get("http://" + servers[1].Addr().String() + "/socket.io/?" +
		strings.Replace(query, "websocket", "polling", 1))
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 400, resp.StatusCode)
	require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, string(b))
	require.EqualValues(t, 1, servers[1].Stats().ForwardErrors)
}

// A node that drains cuts the WebSockets of other nodes' sessions one after
// the other, takes no more of them, and goes on to forward polls.
func TestDrainEndsWhatIsForwarded(t *testing.T) {
	t.Parallel()
	servers := neighbors(t, 2)
	home, away := servers[0], servers[1]
	query := func(p *pollPeer) string {
		_, q, _ := strings.Cut(p.url, "?")
		return q
	}
	upgrade := func(p *pollPeer) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, _, _, err := ws.Dial(ctx, "ws://"+away.Addr().String()+"/socket.io/?"+
			strings.Replace(query(p), "polling", "websocket", 1))
		return c, err
	}
	const tunnels = 4
	cut := make(chan time.Time, tunnels)
	for range tunnels {
		c, err := upgrade(pollDial(t, home))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		require.NoError(t, wsutil.WriteClientText(c, []byte("2probe")))
		b, err := wsutil.ReadServerText(c)
		require.NoError(t, err)
		require.Equal(t, "3probe", string(b))
		require.NoError(t, wsutil.WriteClientText(c, []byte("5")))
		go func() {
			_, _ = io.Copy(io.Discard, c)
			cut <- time.Now()
		}()
	}
	stays := pollDial(t, home)

	const over = 600 * time.Millisecond
	begun := time.Now()
	drained := make(chan error, 1)
	go func() { drained <- away.Drain(t.Context(), over) }()
	first := <-cut
	require.Greater(t, first.Sub(begun), over/8)
	_, err := upgrade(stays)
	require.Error(t, err)
	stays.url = "http://" + away.Addr().String() + "/socket.io/?" + query(stays)
	stays.post(`42["echo",1]`)
	got, _ := stays.get()
	require.Equal(t, `42["echo",1]`, got)
	for range tunnels - 2 {
		<-cut
	}
	last := <-cut
	require.Greater(t, last.Sub(first), over/4)
	require.Less(t, last.Sub(begun), over+patience)
	require.NoError(t, <-drained)
	require.Eventually(t, func() bool { return home.root.Len() == 1 }, patience, time.Millisecond)
}

func TestDrainSpreadsTheEnds(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		ends := make(chan time.Time, 40)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnDisconnect(func(_ *Socket, reason string) {
				if reason == ReasonShutdown {
					ends <- time.Now()
				}
			})
		})
		for range 36 {
			connect(t, s)
		}
		for range 4 {
			pollDial(t, s)
		}
		begun := time.Now()
		const over = 600 * time.Millisecond
		require.NoError(t, s.Drain(t.Context(), over))
		require.GreaterOrEqual(t, time.Since(begun), over)
		early, late := 0, 0
		for range 40 {
			if at := receive(t, ends).Sub(begun); at < over/2 {
				early++
			} else {
				late++
			}
		}
		require.Greater(t, early, 5)
		require.Greater(t, late, 5)
		_, err := http.Get("http://" + s.Addr().String() + "/socket.io/?EIO=4&transport=polling")
		require.Error(t, err, "closed without an answer")
		require.NotZero(t, s.Stats().Drops["draining"])
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	connect(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Drain(ctx, time.Hour), context.DeadlineExceeded)
	require.Equal(t, 1, s.root.Len(), "the others go on")
}
