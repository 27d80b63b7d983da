package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// echoPeer sends every message back. Its hooks let a test look in.
type echoPeer struct {
	Conn
	h *echoHandler
}

type echoHandler struct {
	open     func(l *Loop, p *echoPeer)
	request  func(c *Conn, r *Request) (Reply, bool)
	upgraded func(p *echoPeer, r *Request)
	message  func(p *echoPeer, op ws.OpCode, b []byte, owned bool)
	timer    func(p *echoPeer)
	closed   func(p *echoPeer, err error)
	closes   atomic.Int64
}

func (h *echoHandler) StartLoop(*Loop) {}

func (h *echoHandler) Open(l *Loop) Peer {
	p := &echoPeer{h: h}
	if h.open != nil {
		h.open(l, p)
	}
	return p
}

func (h *echoHandler) Request(c *Conn, r *Request) Reply {
	if h.request != nil {
		if reply, ok := h.request(c, r); ok {
			return reply
		}
	}
	if r.Upgrade {
		return Reply{Kind: Upgrade}
	}
	if strings.HasPrefix(string(r.Path), "/std") {
		return Reply{Kind: Handover}
	}
	return Reply{Status: 200, ContentType: "text/plain", Body: r.Path}
}

func (p *echoPeer) NetConn() *Conn { return &p.Conn }

func (p *echoPeer) Upgraded(r *Request) {
	if p.h.upgraded != nil {
		p.h.upgraded(p, r)
	}
}

func (p *echoPeer) Message(op ws.OpCode, b []byte, owned bool) {
	if p.h.message != nil {
		p.h.message(p, op, b, owned)
		return
	}
	p.Send(NewMsg(op, b))
}

func (p *echoPeer) Timer() {
	if p.h.timer != nil {
		p.h.timer(p)
	}
}

func (p *echoPeer) Closed(err error) {
	p.h.closes.Add(1)
	if p.h.closed != nil {
		p.h.closed(p, err)
	}
}

// startEcho runs a server on a free port until the test ends.
func startEcho(t testing.TB, o Options, h *echoHandler) *Server {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Loops == 0 {
		o.Loops = 2
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(o, h)
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s
}

// dial opens a WebSocket; br also holds bytes read with the handshake.
func dial(t testing.TB, s *Server) net.Conn {
	t.Helper()
	c, br, _, err := ws.Dial(context.Background(), "ws://"+s.Addr().String()+"/")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	if br != nil {
		return struct {
			net.Conn
			io.Reader
		}{c, io.MultiReader(br, c)}.Conn
	}
	return c
}

func TestEchoText(t *testing.T) {
	s := startEcho(t, Options{}, &echoHandler{})
	c := dial(t, s)
	for _, text := range []string{"", "a", strings.Repeat("b", 126), strings.Repeat("c", 70_000)} {
		require.NoError(t, wsutil.WriteClientText(c, []byte(text)))
		got, err := wsutil.ReadServerText(c)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
}

func TestManyConnectionsEcho(t *testing.T) {
	h := &echoHandler{}
	s := startEcho(t, Options{Loops: 3}, h)
	const n = 50
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, s)
	}
	for i, c := range conns {
		require.NoError(t, wsutil.WriteClientText(c, fmt.Append(nil, i)))
	}
	for i, c := range conns {
		got, err := wsutil.ReadServerText(c)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(got))
	}
	require.Equal(t, n, s.Stats().Conns)
	for _, c := range conns {
		_ = c.Close()
	}
	require.Eventually(t, func() bool { return h.closes.Load() == n && s.Stats().Conns == 0 },
		5*time.Second, time.Millisecond)
}

func TestPageThenHandover(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/std/hello", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, b)
	})
	s := startEcho(t, Options{HTTP: mux}, &echoHandler{})
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	// Two pipelined requests: one answered on the loop, one by net/http.
	fmt.Fprintf(c, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"+
		"POST /std/hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nworld")
	br := bufio.NewReader(c)
	for _, want := range []string{"/page", "POST world"} {
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}

func TestShutdownClosesWithGoingAway(t *testing.T) {
	s := startEcho(t, Options{}, &echoHandler{})
	c := dial(t, s)
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	_, err := wsutil.ReadServerText(c)
	var ce wsutil.ClosedError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, ws.StatusGoingAway, ce.Code)
	_ = c.Close()
	require.NoError(t, <-done)
	require.NoError(t, s.Wait())
	_, err = net.DialTimeout("tcp", s.Addr().String(), time.Second)
	require.Error(t, err)
}

func TestAddressInUse(t *testing.T) {
	s := startEcho(t, Options{}, &echoHandler{})
	other, err := New(Options{Addr: s.Addr().String()}, &echoHandler{})
	require.NoError(t, err)
	require.ErrorIs(t, other.Start(), ErrAddrInUse)
}
