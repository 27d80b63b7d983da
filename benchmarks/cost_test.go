//go:build !race

package benchmarks

import (
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/socketio"
)

const (
	// What one connection may cost, from its accept to the day it waits in a
	// namespace: what stays, and what is allocated on the way.
	maxLiveHeap  = 720
	maxAllocated = 2560
	costClients  = 2_000
)

// TestConnectionCost prints where the bytes of a connection are, and fails
// when they become more. Its clients are bare descriptors and allocate nothing
// that counts.
func TestConnectionCost(t *testing.T) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1 // before the server allocates anything
	defer func() { runtime.MemProfileRate = rate }()
	srv := serve(t, func(*socketio.Server) {})
	addr := srv.Addr().(*net.TCPAddr)
	warm := idle(t, addr, 100) // what grows once for all is there already
	before := memory()
	base := bySite()
	fds := idle(t, addr, costClients)
	var made runtime.MemStats
	runtime.ReadMemStats(&made)
	after := memory()
	sites := bySite()
	require.Equal(t, costClients+100, srv.Stats().Sockets["/"])
	for _, fd := range append(warm, fds...) {
		_ = unix.Close(fd)
	}

	live := float64(after.HeapAlloc-before.HeapAlloc) / costClients
	allocated := float64(made.TotalAlloc-before.TotalAlloc) / costClients
	t.Logf("live heap of a connection: %.0f B in %.1f objects; to connect it allocates %.0f B in %.1f",
		live, float64(after.HeapObjects-before.HeapObjects)/costClients, allocated,
		float64(made.Mallocs-before.Mallocs)/costClients)
	t.Log("live bytes, objects and where they are made:")
	for _, s := range grown(sites, base) {
		t.Logf("%6.1f %5.2f  %s", s.bytes, s.objects, s.name)
	}
	require.LessOrEqual(t, live, float64(maxLiveHeap))
	require.LessOrEqual(t, allocated, float64(maxAllocated))
}

type site struct {
	name           string
	bytes, objects float64
}

// bySite adds up what lives by the function of this module, or of gnet, that
// made it.
func bySite() map[string]site {
	var rec []runtime.MemProfileRecord
	for n := 1_000; ; n *= 2 {
		rec = make([]runtime.MemProfileRecord, n)
		if k, ok := runtime.MemProfile(rec, true); ok {
			rec = rec[:k]
			break
		}
	}
	out := map[string]site{}
	for i := range rec {
		name := "elsewhere"
		frames := runtime.CallersFrames(rec[i].Stack())
		for {
			f, more := frames.Next()
			if strings.Contains(f.Function, "throng/") || strings.Contains(f.Function, "gnet/") {
				name = f.Function
				break
			}
			if !more {
				break
			}
		}
		s := out[name]
		s.bytes += float64(rec[i].InUseBytes())
		s.objects += float64(rec[i].InUseObjects())
		out[name] = s
	}
	return out
}

// grown is what came between two looks, a connection's share, most first.
func grown(now, before map[string]site) (out []site) {
	for name, s := range now {
		s.name = name
		s.bytes = (s.bytes - before[name].bytes) / costClients
		s.objects = (s.objects - before[name].objects) / costClients
		if s.bytes >= 1 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b site) int { return int(b.bytes - a.bytes) })
	return out
}

const countMembers = 200

// TestCounts asserts how often the server writes and is woken, which no busy
// machine can change: its connections are fed.
func TestCounts(t *testing.T) {
	o1 := socketio.Options{Loops: 1, PingInterval: time.Hour} // no ping is in between
	srv := serveWith(t, o1, func(s *socketio.Server) {
		s.On("echo", func(s *socketio.Socket, e *socketio.Event) {
			_ = s.Emit("echo", e.Raw()...)
		}, socketio.Inline())
	})
	l := fed.Loops(srv)[0]
	o := &opener{tap: &tap{}, left: countMembers, addr: srv.Addr().String()}
	l.Post(o)
	require.Eventually(t, func() bool { return srv.Stats().Sockets["/"] == countMembers },
		patience, 5*time.Millisecond)
	fenceLoops(srv)
	// look waits until so many events are written.
	look := func(events int64) (_, writes int64, st netpoll.LoopStats) {
		require.Eventually(t, func() bool { return o.tap.events.Load() >= events }, patience,
			time.Millisecond)
		fenceLoops(srv)
		return o.tap.events.Load(), o.tap.writes.Load(), l.Server().Stats().Loops[0]
	}
	// The ticker wakes a loop ten times a second, and so do fences.
	others := func(since time.Time) uint64 {
		return 8 + 2*uint64(time.Since(since)/(100*time.Millisecond))
	}

	t.Run("one write a delivery", func(t *testing.T) {
		start := time.Now()
		e0, w0, s0 := look(0)
		const messages = 50
		for i := range int64(messages) {
			require.NoError(t, srv.Emit("news", payload))
			look(e0 + (i+1)*countMembers)
		}
		e1, w1, s1 := look(0)
		require.EqualValues(t, messages*countMembers, e1-e0)
		t.Logf("writes/delivery %.3f, wake bytes/message %.2f", float64(w1-w0)/float64(e1-e0),
			float64(s1.Wakes-s0.Wakes)/messages)
		require.Equal(t, e1-e0, w1-w0)
		require.LessOrEqual(t, s1.Wakes-s0.Wakes, 4*messages+others(start))
	})
	t.Run("one write for all that waits", func(t *testing.T) {
		start := time.Now()
		e0, w0, s0 := look(0)
		const messages = 32
		holding(l, func() {
			for range messages {
				require.NoError(t, srv.Emit("news", payload))
			}
		})
		e1, w1, s1 := look(e0 + messages*countMembers)
		require.EqualValues(t, messages*countMembers, e1-e0)
		t.Logf("frames/write %.1f, wake bytes/message %.2f", float64(e1-e0)/float64(w1-w0),
			float64(s1.Wakes-s0.Wakes)/messages)
		require.EqualValues(t, countMembers, w1-w0)
		require.LessOrEqual(t, s1.Wakes-s0.Wakes, others(start))
	})
	t.Run("one write for all answers of a read", func(t *testing.T) {
		const frames = 16
		var in []byte
		for range frames {
			text := `42["echo","` + payload + `"]`
			in = append(in, 0x81, 0x80|byte(len(text)), 0, 0, 0, 0)
			in = append(in, text...)
		}
		e0, w0, _ := look(0)
		l.Post(&feeding{slot: 1, b: in})
		e1, w1, _ := look(e0 + frames)
		require.EqualValues(t, frames, e1-e0)
		t.Logf("frames/write %.1f", float64(e1-e0)/float64(w1-w0))
		require.EqualValues(t, 1, w1-w0)
	})
}

// feeding gives a connection bytes.
type feeding struct {
	slot uint32
	b    []byte
}

func (f *feeding) Run(l *netpoll.Loop) bool {
	l.At(f.slot).Feed(f.b)
	return false
}

// holding keeps the loop busy while f runs.
func holding(l *netpoll.Loop, f func()) {
	h := &holder{held: make(chan struct{}), free: make(chan struct{})}
	l.Post(h)
	<-h.held
	f()
	close(h.free)
}

type holder struct{ held, free chan struct{} }

func (h *holder) Run(*netpoll.Loop) bool {
	close(h.held)
	<-h.free
	return false
}
