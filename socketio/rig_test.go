package socketio

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait of the tests; none waits that long when all is
// well.
const patience = 10 * time.Second

// quiet is how long tests listen for something that must not come, after the
// order of messages has already shown that it did not.
const quiet = 50 * time.Millisecond

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// serve starts a server whose handlers setup registers.
func serve(t testing.TB, o Options, setup func(s *Server)) *Server {
	t.Helper()
	o.Addr = "127.0.0.1:0"
	if o.Logger == nil {
		o.Logger = silent()
	}
	if o.Loops == 0 {
		o.Loops = 2
	}
	s, err := NewServer(o)
	require.NoError(t, err)
	if setup != nil {
		setup(s)
	}
	require.NoError(t, s.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s
}

// peer is a raw Engine.IO client: it answers pings and shows everything else.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   chan string // texts, "b:" attachments, "close CODE" at the end
	mu   sync.Mutex
	sid  string // of the namespace "/"
}

// dial opens a session and reads the open packet.
func dial(t testing.TB, s *Server) *peer {
	t.Helper()
	p := dialRaw(t, s, "")
	require.True(t, strings.HasPrefix(p.next(), `0{"sid":"`))
	return p
}

func dialRaw(t testing.TB, s *Server, query string) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderString("X-Test: yes\r\nX-Other: no\r\n")}
	conn, br, _, err := d.Dial(ctx, fmt.Sprintf("ws://%s/socket.io/?EIO=4&transport=websocket%s",
		s.Addr(), query))
	require.NoError(t, err)
	p := &peer{t: t, conn: conn, in: make(chan string, 1<<14)}
	t.Cleanup(func() { _ = conn.Close() })
	var r io.Reader = conn
	if br != nil {
		r = br
	}
	go p.read(r)
	return p
}

func (p *peer) read(r io.Reader) {
	defer close(p.in)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			p.in <- "gone"
			return
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(r, b); err != nil {
			p.in <- "gone"
			return
		}
		switch {
		case h.OpCode == ws.OpClose:
			code := ws.StatusNoStatusRcvd
			if len(b) > 0 {
				code, _ = ws.ParseCloseFrameData(b)
			}
			p.in <- fmt.Sprintf("close %d", code)
			p.write(ws.OpClose, b)
			return
		case h.OpCode == ws.OpText && string(b) == "2":
			p.write(ws.OpText, []byte("3"))
		case h.OpCode == ws.OpBinary:
			p.in <- "b:" + string(b)
		default:
			p.in <- string(b)
		}
	}
}

func (p *peer) write(op ws.OpCode, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = wsutil.WriteClientMessage(p.conn, op, b)
}

// send sends text messages, all before the answer to the first.
func (p *peer) send(texts ...string) {
	for _, s := range texts {
		p.write(ws.OpText, []byte(s))
	}
}

func (p *peer) next() string {
	p.t.Helper()
	select {
	case s, ok := <-p.in:
		if !ok {
			return "end"
		}
		return s
	case <-time.After(patience):
		require.FailNow(p.t, "nothing received")
		return ""
	}
}

func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		require.Equal(p.t, w, p.next())
	}
}

func (p *peer) nothing() {
	p.t.Helper()
	select {
	case s := <-p.in:
		require.FailNow(p.t, "unexpected message", s)
	case <-time.After(quiet):
	}
}

// join connects to a namespace and returns the socket id.
func (p *peer) join(ns, auth string) string {
	p.t.Helper()
	prefix := "40"
	if ns != "/" {
		prefix = "40" + ns + ","
	}
	p.send(prefix + auth)
	got := p.next()
	require.True(p.t, strings.HasPrefix(got, prefix+`{"sid":"`), got)
	sid := strings.TrimSuffix(strings.TrimPrefix(got, prefix+`{"sid":"`), `"}`)
	require.Len(p.t, sid, 20)
	if ns == "/" {
		p.sid = sid
	}
	return sid
}

// connect opens a session and joins "/".
func connect(t testing.TB, s *Server) *peer {
	t.Helper()
	p := dial(t, s)
	p.join("/", "")
	return p
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

// receive takes a value a handler has put into a channel.
func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing happened")
		panic("unreachable")
	}
}

// drain makes a client that has joined "/" throw everything away without
// allocating, for counts of allocations.
func drain(t testing.TB, s *Server) {
	t.Helper()
	d := ws.Dialer{}
	conn, br, _, err := d.Dial(context.Background(),
		fmt.Sprintf("ws://%s/socket.io/?EIO=4&transport=websocket", s.Addr()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, wsutil.WriteClientMessage(conn, ws.OpText, []byte("40")))
	if br != nil {
		ws.PutReader(br)
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	}()
}
