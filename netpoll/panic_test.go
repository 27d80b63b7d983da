package netpoll

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/logtest"
)

// A panic in user code costs its connection at most. It is counted and
// logged, and others on the same loop notice nothing.
func TestPanicCostsOneConnection(t *testing.T) {
	type hook func(h *echoHandler, boom func())
	for where, install := range map[string]hook{
		"Handler.Open": func(h *echoHandler, boom func()) {
			h.open = func(*Loop, *echoPeer) { boom() }
		},
		"Handler.Request": func(h *echoHandler, boom func()) {
			h.request = func(*Conn, *Request) (Reply, bool) { boom(); return Reply{}, false }
		},
		"Peer.Upgraded": func(h *echoHandler, boom func()) {
			h.upgraded = func(*echoPeer, *Request) { boom() }
		},
		"Peer.Message": func(h *echoHandler, boom func()) {
			h.message = func(p *echoPeer, op ws.OpCode, b []byte, _ bool) {
				boom()
				p.Send(NewMsg(op, b))
			}
		},
		"Peer.Timer": func(h *echoHandler, boom func()) {
			h.upgraded = func(p *echoPeer, _ *Request) { p.SetTimer(1) }
			h.timer = func(*echoPeer) { boom() }
		},
		"Peer.Closed": func(h *echoHandler, boom func()) {
			h.message = func(p *echoPeer, op ws.OpCode, b []byte, _ bool) {
				if string(b) == "x" {
					p.Abort(nil)
				}
				p.Send(NewMsg(op, b))
			}
			h.closed = func(*echoPeer, error) { boom() }
		},
	} {
		t.Run(where, func(t *testing.T) {
			log := &logtest.Log{}
			var armed sync.Mutex
			on := false
			boom := func() {
				armed.Lock()
				defer armed.Unlock()
				if on {
					on = false
					panic("a mistake in user code")
				}
			}
			h := &echoHandler{}
			install(h, boom)
			s := startEcho(t, Options{Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil))}, h)
			bystander := connect(t, s, 0)
			armed.Lock()
			on = true
			armed.Unlock()

			victim, err := net.Dial("tcp", s.Addr().String())
			require.NoError(t, err)
			defer victim.Close()
			_ = victim.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(victim, goodUpgrade)
			_, _ = victim.Write(clientFrame(ws.OpText, true, []byte("x")))
			if where != "Peer.Timer" {
				_, _ = io.Copy(io.Discard, victim) // until the server closes
			}
			eventually(t, "the panic", func() bool { return s.Stats().Panics == 1 })
			if where != "Peer.Timer" {
				bystander.send(ws.OpText, []byte("I am fine"))
				_, b := bystander.next()
				require.Equal(t, "I am fine", string(b))
				eventually(t, "the victim to be gone", func() bool { return s.Stats().Conns == 1 })
			} else {
				eventually(t, "one to be gone", func() bool { return s.Stats().Conns == 1 })
			}
			require.Contains(t, log.String(), "a mistake in user code")
			require.Contains(t, log.String(), "panic_test.go", "the stack")
			fresh := connect(t, s, 0)
			fresh.send(ws.OpText, []byte("hello"))
			_, b := fresh.next()
			require.Equal(t, "hello", string(b))
		})
	}
}

// A task that panics is done with; those behind it run.
func TestPanicInTask(t *testing.T) {
	s := startEcho(t, Options{Loops: 1}, &echoHandler{})
	l := s.Loops()[0]
	runs := 0
	l.Post(taskFunc(func(*Loop) bool {
		if runs++; runs < 3 {
			return true
		}
		panic("test")
	}))
	onLoop(t, l, func(*Loop) {})
	require.Equal(t, 3, runs)
	require.Equal(t, uint64(1), s.Stats().Panics)
	c := connect(t, s, 0)
	c.send(ws.OpText, []byte("hello"))
	_, b := c.next()
	require.Equal(t, "hello", string(b))
}

// Handler.StartLoop too.
type badStart struct{ echoHandler }

func (*badStart) StartLoop(*Loop) { panic("test") }

func TestPanicInStartLoop(t *testing.T) {
	s, err := New(Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)}, &badStart{})
	require.NoError(t, err)
	require.NoError(t, s.Start())
	require.Equal(t, uint64(2), s.Stats().Panics)
	shutdown(t, s)
}
