package app

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// size is how much TestFrozenUnderLoad does: more with the build tag long.
type size struct {
	clients         int
	freeze, timeout time.Duration
	slower          time.Duration // than this nobody may become
}

// An endpoint answers nothing while all clients send events: each is answered,
// pushes and the echo of a namespace without application go on as before.
func TestFrozenUnderLoad(t *testing.T) {
	n := frozenSize.clients
	var frozen atomic.Pointer[chan struct{}]
	st := answering(t, func(c posted) string {
		if thaw := frozen.Load(); thaw != nil && c.Type == "event" {
			<-*thaw
		}
		return ""
	})
	a, err := New(Options{URL: st.URL, Secret: secret, Timeout: frozenSize.timeout,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	a.Mount(srv.Of("/"))
	srv.Of("/own").On("echo", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack(e.Raw()...) })
	require.NoError(t, srv.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})

	var acks, told, pushes atomic.Int64
	clients := make([]*client, n)
	for i := range clients {
		c := join(t, srv, "")
		clients[i] = c
		require.NoError(t, c.conn.SetDeadline(time.Time{}))
		go func() {
			for {
				switch text, err := c.read(); {
				case err != nil:
					return
				case text == `42["push"]`:
					pushes.Add(1)
				case strings.HasPrefix(text, "43"):
					acks.Add(1)
					if strings.Contains(text, `"code":"`) {
						told.Add(1)
					}
				case text == "2":
					_ = c.write("3")
				}
			}
		}()
	}
	own := dial(t, srv)
	require.NoError(t, own.conn.SetDeadline(time.Time{}))
	own.send("40/own,")
	require.Contains(t, own.next(), "40/own,")
	p99 := func(d time.Duration) time.Duration {
		var list []time.Duration
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			begun := time.Now()
			own.send(`42/own,1["echo"]`)
			for text := own.next(); text != `43/own,1[]`; text = own.next() {
				if text == "2" {
					own.send("3")
				}
			}
			list = append(list, time.Since(begun))
		}
		slices.Sort(list)
		return list[len(list)*99/100]
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	calm, before := p99(frozenSize.freeze/4), heap()

	thaw := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(thaw) }) }
	t.Cleanup(end)
	frozen.Store(&thaw)
	const events = 4
	for _, c := range clients {
		for i := range events {
			c.send(fmt.Sprintf(`42%d["work"]`, i))
		}
	}
	pushed := time.Now()
	srv.Emit("push")
	require.Eventually(t, func() bool { return pushes.Load() == int64(n) }, patience, time.Millisecond)
	arrived := time.Since(pushed)
	busy, during := p99(frozenSize.freeze), heap()
	perClient := int64(during-min(during, before)) / int64(n)
	t.Logf("%d clients: echo p99 %v before, %v while frozen; push to all in %v; "+
		"%d bytes more a client", n, calm, busy, arrived, perClient)
	require.Less(t, busy, frozenSize.slower)
	require.Less(t, perClient, int64(64<<10))
	require.LessOrEqual(t, a.Stats().Flying, DefaultMaxRequests)
	require.LessOrEqual(t, a.Stats().Waiting, DefaultMaxWaiting)
	require.Eventually(t, func() bool { return acks.Load() == int64(n*events) },
		3*frozenSize.timeout+patience, time.Millisecond, "every event is answered")
	require.Equal(t, acks.Load(), told.Load())
	frozen.Store(nil)
	end()
	// Not sooner than the endpoint is asked again.
	require.Eventually(t, func() bool {
		_ = clients[0].write(`429["work"]`)
		return acks.Load() > told.Load()
	}, maxOpen+patience, 100*time.Millisecond)
}
