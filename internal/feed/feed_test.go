package feed_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster/queue"
	"github.com/throng-server/throng/internal/feed"
	"github.com/throng-server/throng/socketio"
)

var _ queue.Sink = (*feed.Sink)(nil)

// client is a connection with one socket.
type client struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader
	id   string
}

func dial(t *testing.T, srv *socketio.Server, ns string) *client {
	t.Helper()
	conn, br, _, err := ws.Dial(context.Background(),
		"ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	c := &client{t: t, conn: conn, in: conn}
	if br != nil {
		c.in = br
	}
	require.True(t, strings.HasPrefix(c.next(), "0{"))
	require.NoError(t, wsutil.WriteClientText(conn, []byte("40"+ns+",")))
	answer := c.next()
	_, c.id, _ = strings.Cut(answer, `{"sid":"`)
	c.id, _, _ = strings.Cut(c.id, `"`)
	require.NotEmpty(t, c.id, answer)
	return c
}

func (c *client) next() string {
	c.t.Helper()
	b, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{c.in, c.conn})
	require.NoError(c.t, err)
	return string(b)
}

func raw(json string) []any { return []any{socketio.Raw{JSON: []byte(json)}} }

func TestSink(t *testing.T) {
	t.Parallel()
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	heard := make(chan string, 8)
	require.NoError(t, srv.Of("/chat").OnServerSide("cache", func(e *socketio.ServerEvent) {
		heard <- string(e.Args()[0])
	}))
	require.NoError(t, srv.Start())
	defer func() { require.NoError(t, srv.Shutdown(context.Background())) }()
	s := feed.New(srv)
	require.True(t, s.Serves("/"))
	require.True(t, s.Serves("/chat"))
	require.False(t, s.Serves("/nowhere"))
	require.Len(t, srv.Namespaces(), 2, "asking makes none")

	a, b, other := dial(t, srv, "/chat"), dial(t, srv, "/chat"), dial(t, srv, "/")
	all := queue.Target{}
	one := func(id string) queue.Target { return queue.Target{Rooms: []string{id}} }
	emit := func(to queue.Target, json string) {
		t.Helper()
		require.NoError(t, s.Emit("/chat", to, queue.Plain, "ev", raw(json)))
	}
	s.Join("/chat", one(a.id), []string{"r", "s"})
	s.Join("/chat", one(b.id), []string{"r"})
	emit(one("r"), "1")
	emit(one("s"), "2")
	emit(queue.Target{Rooms: []string{"r", "s"}, Except: []string{a.id}}, "3")
	s.Leave("/chat", one(a.id), []string{"r"})
	emit(one("r"), "4")
	s.CloseRoom("/chat", "r")
	emit(one("r"), "5")
	emit(one("s"), "6")
	require.NoError(t, s.Emit("/nowhere", all, 0, "ev", raw("7")))
	emit(all, "8")
	for _, want := range []string{"1", "2", "6", "8"} {
		require.Equal(t, `42/chat,["ev",`+want+`]`, a.next())
	}
	for _, want := range []string{"1", "3", "4", "8"} {
		require.Equal(t, `42/chat,["ev",`+want+`]`, b.next())
	}
	require.NoError(t, s.Emit("/", all, queue.Volatile, "ev", nil))
	require.Equal(t, `42["ev"]`, other.next())

	require.ErrorContains(t, s.Emit("/", all, 0, "connect", nil), "reserved")
	require.Error(t, s.Emit("/", all, 0, "ev", raw("{")))

	s.Disconnect("/chat", one(a.id), false)
	require.Equal(t, "41/chat,", a.next())
	s.Disconnect("/chat", one(b.id), true)
	for {
		if _, _, err := wsutil.ReadServerData(b.conn); err != nil {
			break
		}
	}

	require.NoError(t, s.ServerEvent("/chat", "cache", raw(`"new"`)))
	require.Equal(t, `"new"`, <-heard)
	require.NoError(t, s.ServerEvent("/chat", "nobody", nil))
	require.NoError(t, s.ServerEvent("/nowhere", "cache", nil))
	require.ErrorIs(t, s.ServerEvent("/", "connection", nil), socketio.ErrReserved)
}
