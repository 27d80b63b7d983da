package netpoll

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is still known of a closed connection must not reach the stranger who
// has its descriptor now. The dead one leaves pending output behind and is on
// the direct, bulk, urgent and doomed lists when it goes.
func TestClosedConnReachesNoStranger(t *testing.T) {
	h, up := conns()
	s := startEcho(t, Options{Loops: 1}, h)
	l := s.Loops()[0]
	poison := NewMsg(ws.OpText, []byte("for somebody else"))
	for range 10 {
		first := connect(t, s, 0)
		old := <-up
		fd := old.fd
		onLoop(t, l, func(*Loop) {
			for range DefaultMaxPendingFrames {
				old.SendBulk(poison)
				old.Send(poison)
			}
			old.doom()
			old.Abort(errors.New("test"))
		})
		_ = first.Close()
		var strangers []*wsClient
		for reused := false; !reused; {
			require.Less(t, len(strangers), 50, "no descriptor is used again")
			c := connectLeaving(t, s, int(fd))
			strangers = append(strangers, c)
			reused = (<-up).fd == fd
		}
		for range 100 {
			l.PostSend(&old.Conn, poison)
		}
		onLoop(t, l, func(l *Loop) {
			old.Send(poison)
			old.SendBulk(poison)
			old.queueClose(1000, "late")
			old.CloseWS(1000, "late")
			l.direct.push(&old.Conn)
			l.flushConn(&old.Conn)
			old.finished()
			old.fail(1002, "late", nil)
			old.SetTimer(1)
			old.Abort(nil)
		})
		for i, c := range strangers {
			c.send(ws.OpText, fmt.Append(nil, i))
			_, b := c.next()
			require.Equal(t, fmt.Sprint(i), string(b), "the first it hears is its own echo")
			_ = c.Close()
		}
	}
	eventually(t, "all to close", func() bool { return s.Stats().Conns == 0 })
}

// connectLeaving connects so that fd is the lowest free descriptor when the
// server accepts: it is held until the client's own socket has got another.
func connectLeaving(t *testing.T, s *Server, fd int) *wsClient {
	var held []int
	for last := -1; last < fd; {
		var err error
		last, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		held = append(held, last)
	}
	d := &net.Dialer{Control: func(string, string, syscall.RawConn) error {
		return unix.Close(held[len(held)-1])
	}}
	c := connectBy(t, s, d, 0)
	for _, h := range held[:len(held)-1] {
		_ = unix.Close(h)
	}
	return c
}

// Closing from wherever user code runs: Closed comes once, nothing breaks.
func TestReentrantClose(t *testing.T) {
	errTest := errors.New("test")
	abort := func(p *echoPeer) {
		p.Abort(errTest)
		p.Abort(errors.New("again"))
		p.CloseWS(1000, "")
		p.Send(number(1))
		p.SetTimer(1)
	}
	closeWS := func(p *echoPeer) {
		p.CloseWS(4000, "bye")
		p.CloseWS(4001, "again")
		p.Send(number(1))
	}
	text := clientFrame(ws.OpText, true, []byte("x"))
	stream := append(append(append([]byte{}, text...), clientFrame(ws.OpText, false, []byte("a"))...),
		append(clientFrame(ws.OpPing, true, nil), clientFrame(ws.OpContinuation, true, []byte("b"))...)...)
	hooks := map[string]func(h *echoHandler, do func(*echoPeer)){
		"Request": func(h *echoHandler, do func(*echoPeer)) {
			h.request = func(c *Conn, _ *Request) (Reply, bool) {
				do(c.Peer().(*echoPeer))
				return Reply{Kind: Upgrade}, true
			}
		},
		"Upgraded": func(h *echoHandler, do func(*echoPeer)) {
			h.upgraded = func(p *echoPeer, _ *Request) { do(p) }
		},
		"Message": func(h *echoHandler, do func(*echoPeer)) {
			h.message = func(p *echoPeer, _ ws.OpCode, _ []byte, _ bool) { do(p) }
		},
		"second message, fragmented": func(h *echoHandler, do func(*echoPeer)) {
			h.message = func(p *echoPeer, _ ws.OpCode, _ []byte, owned bool) {
				if owned {
					do(p)
				}
			}
		},
		"Timer": func(h *echoHandler, do func(*echoPeer)) {
			h.upgraded = func(p *echoPeer, _ *Request) { p.SetTimer(1) }
			h.timer = do
		},
		"Closed": func(h *echoHandler, do func(*echoPeer)) {
			h.upgraded = func(p *echoPeer, _ *Request) { p.Abort(errTest) }
			old := h.closed
			h.closed = func(p *echoPeer, err error) { old(p, err); do(p) }
		},
		"Task that walks": func(h *echoHandler, do func(*echoPeer)) {
			h.upgraded = func(p *echoPeer, _ *Request) {
				p.Loop().Post(taskFunc(func(l *Loop) bool {
					for _, c := range l.conns {
						if c != nil {
							c.Send(number(1))
							do(c.Peer().(*echoPeer))
						}
					}
					return false
				}))
			}
		},
	}
	for where, install := range hooks {
		for how, do := range map[string]func(*echoPeer){"Abort": abort, "CloseWS": closeWS} {
			t.Run(where+" "+how, func(t *testing.T) {
				closed := map[*echoPeer][]error{}
				h := &echoHandler{}
				h.closed = func(p *echoPeer, err error) { closed[p] = append(closed[p], err) }
				install(h, do)
				r := newRig(t, Options{}, h)
				var fs []*fakeLink
				var ps []*echoPeer
				for range 3 {
					p, f := r.open()
					p.traffic(append([]byte(goodUpgrade), stream...))
					ps, fs = append(ps, p), append(fs, f)
				}
				for tick := range uint32(40) { // past CloseTimeout
					r.l.ticks.Store(tick)
					r.turns()
				}
				for i, p := range ps {
					require.True(t, fs[i].closed)
					require.Len(t, closed[p], 1)
					require.Error(t, closed[p][0])
					if how == "Abort" || where == "Closed" {
						require.Equal(t, errTest, closed[p][0])
					}
				}
				r.requireEmpty()
				require.Zero(t, r.s.Stats().Panics)
			})
		}
	}
}

// Abort ends TCP without the client's help.
func TestAbortClosesAtOnce(t *testing.T) {
	h := &echoHandler{message: func(p *echoPeer, _ ws.OpCode, _ []byte, _ bool) { p.Abort(nil) }}
	s := startEcho(t, Options{Loops: 1, CloseTimeout: time.Hour}, h)
	c := connect(t, s, 0)
	c.send(ws.OpText, []byte("x"))
	_, err := c.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, s.Stats().Conns)
}

// requireEmpty checks that a loop without connections holds nothing.
func (r *rig) requireEmpty() { r.t.Helper(); requireEmpty(r.t, r.l) }

func requireEmpty(t testing.TB, l *Loop) {
	t.Helper()
	require.Zero(t, l.live)
	require.Len(t, l.freeSlots, len(l.conns), "free slots")
	seen := map[uint32]bool{}
	for _, slot := range l.freeSlots {
		require.False(t, seen[slot], "slot %d is free twice", slot)
		seen[slot] = true
	}
	for _, c := range l.conns {
		require.Nil(t, c)
	}
	require.Equal(t, [wheelSlots + 1]uint32{}, l.wheel.heads, "timers")
}

// Thousands of connections end in every way a client can think of; nothing
// of them stays.
func TestRandomLifecyclesLeaveNothing(t *testing.T) {
	total := 10_000
	if testing.Short() {
		total = 1000
	}
	const parallel = 16
	goroutines, fds := countGoroutines(), countFDs(t)
	blob := NewMsg(ws.OpBinary, make([]byte, 400<<10))
	h := &echoHandler{message: func(p *echoPeer, op ws.OpCode, b []byte, _ bool) {
		switch string(b) {
		case "blob":
			p.Send(blob)
			p.SendBulk(blob)
		case "abort":
			p.Abort(errors.New("asked"))
		case "close":
			p.CloseWS(4000, "asked")
		case "later":
			p.SetTimer(1)
		default:
			p.Send(NewMsg(op, b))
		}
	}, timer: func(p *echoPeer) { p.Abort(nil) }}
	s := startEcho(t, Options{Loops: 2, SocketSendBuffer: 128 << 10}, h)
	var left atomic.Int64
	left.Store(int64(total))
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				randomLife(t, s.Addr().String())
			}
		})
	}
	wg.Wait()
	eventually(t, "all connections to end", func() bool { return s.Stats().Conns == 0 })
	st := s.Stats()
	require.Equal(t, uint64(total), st.Accepted)
	require.Equal(t, int64(total), h.closes.Load(), "Closed once each")
	require.Zero(t, st.Panics)
	loops := s.Loops()
	shutdown(t, s)
	for _, l := range loops {
		requireEmpty(t, l)
	}
	// Eventually runs its condition on a goroutine of its own.
	eventually(t, "goroutines to end", func() bool { return countGoroutines() <= goroutines+1 })
	eventually(t, "descriptors to be closed", func() bool { return countFDs(t) <= fds })
}

func randomLife(t *testing.T, addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	c := nc.(*net.TCPConn)
	defer c.Close()
	// Some wait for what does not come and give up.
	_ = c.SetDeadline(time.Now().Add(time.Duration(1+rand.IntN(8)) * time.Millisecond))
	if rand.IntN(2) == 0 {
		_ = c.SetLinger(0) // a reset
	}
	say := func(b []byte) { _, _ = c.Write(b) }
	hear := func(n int) { _, _ = io.CopyN(io.Discard, c, int64(n)) }
	request := []byte("GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
	switch rand.IntN(4) {
	case 0: // HTTP, whole or not, answered or not
		say(request[:rand.IntN(len(request)+1)])
		return
	case 1:
		say(append(request, request...))
		hear(rand.IntN(80))
		return
	}
	say([]byte(goodUpgrade))
	hear(rand.IntN(130))
	for range rand.IntN(4) {
		what := []string{"blob", "abort", "close", "later", "hello"}[rand.IntN(5)]
		f := clientFrame(ws.OpText, true, []byte(what))
		if rand.IntN(4) == 0 {
			f = f[:rand.IntN(len(f))]
		}
		say(f)
	}
	switch rand.IntN(4) {
	case 0:
		hear(rand.IntN(100_000))
	case 1:
		say(clientFrame(ws.OpClose, true, []byte{3, 232}))
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

func countFDs(t testing.TB) int {
	d, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(d)
}
