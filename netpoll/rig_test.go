package netpoll

import (
	"log/slog"
	"net"
	"testing"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// rig is one loop without an engine: the test is its goroutine, so that every
// step can be looked at. Its sockets are real, what gnet does is played.
type rig struct {
	t testing.TB
	s *Server
	l *Loop
	h *echoHandler
}

func newRig(t testing.TB, o Options, h *echoHandler) *rig {
	t.Helper()
	o.Addr = "127.0.0.1:0"
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(o, h)
	require.NoError(t, err)
	s.tight = true // there is nobody to share the processor with
	return &rig{t: t, s: s, l: newLoop(s, 0), h: h}
}

// fakeLink plays gnet's connection on one end of a socket pair.
type fakeLink struct {
	gnet.Conn // nil: what the tests do not expect panics
	fd, far   int
	ctx       any
	outbound  []byte // what gnet would hold back
	closed    bool
	buf       []byte // of read
}

func (f *fakeLink) SetContext(v any)          { f.ctx = v }
func (f *fakeLink) Context() any              { return f.ctx }
func (f *fakeLink) OutboundBuffered() int     { return len(f.outbound) }
func (f *fakeLink) RemoteAddr() net.Addr      { return fakeAddr }
func (f *fakeLink) EventLoop() gnet.EventLoop { return fakeEventLoop{} }
func (f *fakeLink) Dup() (int, error)         { return unix.Dup(f.fd) }

func (f *fakeLink) Write(p []byte) (int, error) {
	if len(f.outbound) == 0 {
		n, _ := send(int32(f.fd), p)
		f.outbound = append(f.outbound, p[n:]...)
	} else {
		f.outbound = append(f.outbound, p...)
	}
	return len(p), nil
}

// fakeAddr is there before, as gnet's addresses are.
var fakeAddr net.Addr = &net.TCPAddr{}

type fakeEventLoop struct{ gnet.EventLoop }

// Close has gnet's order: the event first, the descriptor after it.
func (fakeEventLoop) Close(gc gnet.Conn) error {
	f := gc.(*fakeLink)
	if f.closed {
		return nil
	}
	f.closed = true
	(&driver{s: &Server{}}).OnClose(f, nil)
	f.ctx = nil
	return unix.Close(f.fd)
}

// open accepts a connection.
func (r *rig) open() (*echoPeer, *fakeLink) {
	r.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX,
		unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(r.t, err)
	f := &fakeLink{fd: fds[0], far: fds[1]}
	require.True(r.t, r.l.accept(f, f.fd))
	r.t.Cleanup(func() {
		if !f.closed {
			f.ctx.(*Conn).Abort(nil)
		}
		_ = unix.Close(f.far)
	})
	p := f.ctx.(*Conn).Peer().(*echoPeer)
	return p, f
}

// openWS accepts a connection that has done its handshake.
func (r *rig) openWS() (*echoPeer, *fakeLink) {
	r.t.Helper()
	p, f := r.open()
	p.traffic([]byte(goodUpgrade))
	r.turns()
	require.Contains(r.t, string(f.read()), "101 Switching")
	return p, f
}

// turns does turns until the loop has nothing more to do at once.
func (r *rig) turns() {
	r.t.Helper()
	for range 10_000 {
		r.l.turn()
		if !r.l.armed.Load() {
			return
		}
	}
	r.t.Fatal("the loop never comes to rest")
}

// read takes what the client has received so far.
func (f *fakeLink) read() []byte {
	var got []byte
	if f.buf == nil {
		f.buf = make([]byte, 64<<10)
	}
	for {
		n, err := unix.Read(f.far, f.buf)
		if n <= 0 || err != nil {
			return got
		}
		got = append(got, f.buf[:n]...)
	}
}

const goodUpgrade = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n" +
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// clientFrame is a masked frame as a client sends it.
func clientFrame(op ws.OpCode, fin bool, payload []byte) []byte {
	f := ws.MaskFrameWith(ws.NewFrame(op, fin, payload), [4]byte{1, 2, 3, 4})
	return ws.MustCompileFrame(f)
}

// countFrames splits what a client received into frames; it stops at anything
// that is not a whole one.
func countFrames(b []byte) (n int, payloads [][]byte) {
	for len(b) > 0 {
		h, k, err := parseHeader(b)
		if err != nil || k == 0 || len(b) < k+int(h.Length) {
			return n, payloads
		}
		n++
		payloads = append(payloads, b[k:k+int(h.Length)])
		b = b[k+int(h.Length):]
	}
	return n, payloads
}

// taskFunc makes a Task of a function.
type taskFunc func(l *Loop) bool

func (f taskFunc) Run(l *Loop) bool { return f(l) }

// onLoop runs f on l and waits for it. f must not end its goroutine, as
// require does.
func onLoop(t testing.TB, l *Loop, f func(l *Loop)) {
	t.Helper()
	done := make(chan struct{})
	l.Post(taskFunc(func(l *Loop) bool {
		defer close(done)
		f(l)
		return false
	}))
	<-done
}

func readOnce(fd int, p []byte) (int, error) { return unix.Read(fd, p) }
