package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/logtest"
)

func TestEventsRunInOrderBehindConnectionHandlers(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	hold := make(chan struct{})
	s := serve(t, Options{}, func(s *Server) {
		s.OnConnection(func(k *Socket) {
			<-hold
			k.On("n", func(k *Socket, e *Event) { _ = e.Ack(e.Raw()...) })
			ready.Store(true)
		})
		s.OnAny(func(_ *Socket, e *Event) {
			if !ready.Load() {
				panic("event before connection handler returned")
			}
		})
	})
	p := connect(t, s)
	const n = 5000
	for i := range n {
		p.send(fmt.Sprintf(`42%d["n",%d]`, i, i))
	}
	close(hold)
	for i := range n {
		p.expect(fmt.Sprintf(`43%d[%d]`, i, i))
	}
	soon(t, "budgets are given back", func() bool { return s.Stats().MailboxBytes == 0 })
	require.Zero(t, s.Stats().Panics)
}

func TestMailboxOverflow(t *testing.T) {
	t.Parallel()
	var log logtest.Log
	reasons := make(chan string, 4)
	hold := make(chan struct{})
	var ran atomic.Int32
	s := serve(t, Options{MailboxEvents: 10, MailboxBytes: 2000,
		Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(s *Server) {
		s.On("slow", func(*Socket, *Event) { <-hold; ran.Add(1) })
		s.OnDisconnect(func(_ *Socket, r string) { reasons <- r })
	})
	events := connect(t, s)
	for range 11 {
		events.send(`42["slow"]`)
	}
	events.expect("close 1005")

	bytes := connect(t, s)
	big := `42["slow","` + strings.Repeat("x", 3000) + `"]`
	bytes.send(big, `42["slow"]`) // the first may pass, the second not
	bytes.expect("close 1005")

	close(hold)
	require.Equal(t, "mailbox overflow", receive(t, reasons))
	require.Equal(t, "mailbox overflow", receive(t, reasons))
	require.EqualValues(t, 11, ran.Load(), "what was accepted is handled")
	require.EqualValues(t, 2, s.Stats().Drops["mailbox_overflow"])
	require.Contains(t, log.String(), "MailboxEvents")
	require.Zero(t, s.Stats().MailboxBytes)
}

func TestInline(t *testing.T) {
	t.Parallel()
	got := make(chan error, 16)
	s := serve(t, Options{Loops: 2}, func(s *Server) {
		s.On("in", func(k *Socket, e *Event) {
			ctx := context.Background()
			_, err := k.EmitWithAck(ctx, "x")
			got <- err
			_, err = s.EmitWithAck(ctx, "x")
			got <- err
			_, err = s.FetchSockets(ctx)
			got <- err
			if rooms := k.Rooms(); len(rooms) != 1 || rooms[0] != k.ID() {
				got <- fmt.Errorf("rooms %v", rooms)
			}
			_ = e.Ack(e.Raw()...)
		}, Inline())
		s.On("panic", func(*Socket, *Event) { panic("inline") }, Inline())
	})
	p := connect(t, s)
	soon(t, "begun", func() bool { return s.Stats().Sockets["/"] == 1 })
	p.send(`42["panic"]`, `421["in","a"]`)
	for range 3 {
		require.ErrorIs(t, receive(t, got), ErrOnLoop)
	}
	p.expect(`431["a"]`)
	require.EqualValues(t, 1, s.Stats().Panics)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := s.FetchSockets(ctx)
	require.NoError(t, err, "other goroutines wait as ever")
	require.Len(t, l, 1)
}

func TestGuardsAndCatchAll(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 16)
	s := serve(t, Options{OnError: func(_ *Socket, event string, err error) any {
		seen <- "error " + event + " " + err.Error()
		return nil
	}}, func(s *Server) {
		s.OnAny(func(_ *Socket, e *Event) { seen <- "any " + e.Name() })
		s.UseEvent(func(_ *Socket, e *Event) error {
			if e.Name() == "forbidden" {
				return errors.New("no")
			}
			return nil
		})
		for _, name := range []string{"ok", "forbidden"} {
			s.On(name, func(_ *Socket, e *Event) { seen <- "on " + e.Name() })
		}
	})
	p := connect(t, s)
	p.send(`42["forbidden"]`, `42["ok"]`, `42["other"]`, `42[7,1]`)
	for _, want := range []string{"any forbidden", "error forbidden no", "any ok", "on ok",
		"any other", "any "} {
		require.Equal(t, want, receive(t, seen))
	}
}

func TestDataIsSafe(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) { s.OnConnection(func(*Socket) {}) })
	_, sockets := crowd(t, s, 1)
	k := sockets[0]
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := fmt.Sprint(i)
			for n := range 200 {
				k.Set(key, n)
				require.Equal(t, n, k.Get(key))
				k.SetData(n)
				_ = k.Data()
			}
			k.Set(key, nil)
			require.Nil(t, k.Get(key))
		}()
	}
	wg.Wait()
	require.NotNil(t, k.Data())
}

func TestContextEndsWithTheSocket(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 2)
	started := make(chan *Socket, 1)
	s := serve(t, Options{}, func(s *Server) {
		OnAck(s, "wait", func(ctx context.Context, k *Socket, _ any) (int, error) {
			started <- k
			<-ctx.Done()
			ended <- ctx.Err()
			return 0, ctx.Err()
		})
	})
	p := connect(t, s)
	p.send(`421["wait"]`)
	k := receive(t, started)
	_ = p.conn.Close()
	require.ErrorIs(t, receive(t, ended), context.Canceled)
	<-k.Context().Done()
}

func TestHalfReceivedPacketHasADeadline(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	peers, sockets := crowd(t, s, 1)
	p, k := peers[0], sockets[0]
	p.send(`452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	p.write(2, []byte("x"))
	soon(t, "half received", func() bool {
		half := false
		require.NoError(t, k.loop().do(func(*loop) { half = k.c.rare != nil && k.c.rare.half.Pending() }))
		return half
	})
	require.NoError(t, k.loop().do(func(*loop) { k.c.SetDeadline(100 * time.Millisecond) }))
	p.expect("close 1005")
	require.EqualValues(t, 1, s.Stats().Drops["attachments_timeout"])
}

// An idle connection owns nothing but its object.
func TestIdleConnectionIsBare(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) {
		s.Use(func(k *Socket) error { _ = k.Handshake(); return nil })
		s.OnConnection(func(k *Socket) { k.Join("r") })
		s.On("x", func(_ *Socket, e *Event) { _ = e.Ack() })
	})
	peers, sockets := crowd(t, s, 1)
	peers[0].send(`421["x"]`)
	peers[0].expect(`431[]`)
	k := sockets[0]
	soon(t, "bare", func() bool {
		bare := false
		require.NoError(t, k.loop().do(func(*loop) {
			bare = k.c.rare == nil && k.ext.Load() == nil
		}))
		return bare
	})
}
