package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// gnet goes on accepting while it stops. Connects that race with Shutdown are
// refused or closed, and it comes to its end.
func TestConnectsDuringShutdown(t *testing.T) {
	fds := countFDs(t)
	var refused uint64
	for range 8 {
		h := &echoHandler{}
		s := startEcho(t, Options{Loops: 2}, h)
		addr := s.Addr().String()
		var stop atomic.Bool
		var connected atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for !stop.Load() {
					c, err := net.DialTimeout("tcp", addr, time.Second)
					if err != nil {
						continue // the listener is gone
					}
					connected.Add(1)
					_, _ = io.WriteString(c, goodUpgrade)
					_ = c.Close()
				}
			})
		}
		eventually(t, "connects", func() bool { return connected.Load() > 20 })
		s.Drain()
		eventually(t, "refusals", func() bool { return s.Stats().Drops["draining"] > 5 })
		shutdown(t, s)
		stop.Store(true)
		wg.Wait()
		st := s.Stats()
		require.Zero(t, st.Conns)
		require.Equal(t, int64(st.Accepted), h.closes.Load(), "each accepted one was closed")
		refused += st.Drops["draining"]
	}
	require.Positive(t, refused)
	eventually(t, "descriptors to be closed", func() bool { return countFDs(t) <= fds })
}

// Without Drain before it, in every order with the accepts.
func TestShutdownRacesWithAccept(t *testing.T) {
	for range 10 {
		h := &echoHandler{}
		s := startEcho(t, Options{Loops: 2}, h)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if c, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err == nil {
					_, _ = io.Copy(io.Discard, c) // until the server closes
					_ = c.Close()
				}
			})
		}
		shutdown(t, s)
		wg.Wait()
		require.Equal(t, int64(s.Stats().Accepted), h.closes.Load())
	}
}

// Every state a connection can be in ends; the reason says so.
func TestShutdownEndsEverything(t *testing.T) {
	var reasons sync.Map
	h, up := conns()
	h.closed = func(_ *echoPeer, err error) { reasons.Store(fmt.Sprint(err), true) }
	gate, begun := make(chan struct{}), make(chan struct{})
	s := startEcho(t, Options{Loops: 2, CloseTimeout: 200 * time.Millisecond,
		MaxPendingBytes: 16 << 20,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-gate
			_, _ = io.WriteString(w, "late but whole")
		})}, h)
	polite, deaf := connect(t, s, 0), connect(t, s, 4<<10)
	<-up
	<-up
	for range 40 {
		deaf.send(ws.OpBinary, make([]byte, 60<<10)) // echoes that are not read
	}
	idle, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer idle.Close()
	half, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer half.Close()
	_, _ = io.WriteString(half, "GET / HT")
	std, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer std.Close()
	_, _ = io.WriteString(std, "GET /std HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	eventually(t, "all to be accepted", func() bool { return s.Stats().Accepted == 5 })
	require.Equal(t, 1, s.Stats().HTTPConns)

	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	require.Equal(t, 1001, polite.closeCode())
	polite.send(ws.OpClose, []byte{3, 233})
	_, err = polite.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait for the handler: %v", err)
	default:
	}
	close(gate)
	resp, err := http.ReadResponse(bufio.NewReader(std), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "late but whole", string(body))
	require.NoError(t, <-done)
	require.Zero(t, s.Stats().Conns)
	for _, c := range []net.Conn{idle, half} {
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	_, ok := reasons.Load(ErrShutdown.Error())
	require.True(t, ok)
	require.NoError(t, s.Shutdown(context.Background()), "a second time is harmless")
}

// A context that ends first cuts what is left.
func TestShutdownIsCutByItsContext(t *testing.T) {
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, CloseTimeout: time.Hour}, h)
	connect(t, s, 0) // never answers the close frame
	<-up
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
	require.NoError(t, s.Wait(), "it was asked to end")
	require.Equal(t, int64(1), h.closes.Load())
}

// An engine that ends by itself is an error that Wait reports.
func TestEngineThatEndsUnasked(t *testing.T) {
	h, up := conns()
	s := startEcho(t, Options{}, h)
	connect(t, s, 0)
	<-up
	s.drv.stop(context.Background())
	require.ErrorIs(t, s.Wait(), ErrEngineEnded)
	require.True(t, s.Draining())
	require.Equal(t, int64(1), h.closes.Load())
	require.Zero(t, s.Stats().Conns)
	for _, l := range s.Loops() {
		l.Post(taskFunc(func(*Loop) bool { t.Error("ran after the end"); return false }))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
}

// One port for several servers of a process, when all of them say so.
func TestReusePortIsShared(t *testing.T) {
	counts := [2]atomic.Int64{}
	var servers []*Server
	addr := "127.0.0.1:0"
	for i := range 2 {
		h := &echoHandler{upgraded: func(*echoPeer, *Request) { counts[i].Add(1) }}
		s := startEcho(t, Options{Addr: addr, ReusePort: true, Loops: 1}, h)
		addr = s.Addr().String()
		servers = append(servers, s)
	}
	require.Equal(t, servers[0].Addr().String(), servers[1].Addr().String())
	require.NotZero(t, servers[0].Addr().(*net.TCPAddr).Port)
	for range 200 {
		if counts[0].Load() > 0 && counts[1].Load() > 0 {
			break
		}
		_ = connect(t, servers[0], 0).Close()
	}
	require.Positive(t, counts[0].Load())
	require.Positive(t, counts[1].Load())

	third, err := New(Options{Addr: addr}, &echoHandler{})
	require.NoError(t, err)
	require.ErrorIs(t, third.Start(), ErrAddrInUse, "it did not ask to share")
	require.NoError(t, third.Shutdown(context.Background()))
}

func TestMaxConns(t *testing.T) {
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxConns: 2}, h)
	first := connect(t, s, 0)
	connect(t, s, 0)
	<-up
	<-up
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, uint64(1), s.Stats().Drops["connections_full"])
	_ = first.Close()
	eventually(t, "room", func() bool { return s.Stats().Conns == 1 })
	connect(t, s, 0)
}
