package benchmarks

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/socketio"
)

const (
	// everybody is a room of all sessions, besides the 1,000 they are spread
	// over.
	everybody = "everybody"
	// hundredWait bounds what takes longest: a million sessions coming in.
	hundredWait = 5 * time.Minute
)

// BenchmarkHundredFed is BenchmarkHundred with WebSocket sessions: none has a
// descriptor, their bytes are fed, and what is written to them is counted and
// dropped. So a broadcast goes the whole way but for the system call. The
// kernel's part, more than half of all, is not in it; see `make bench-100k`.
//
//	go test -run xxx -bench Hundred ./benchmarks
func BenchmarkHundredFed(b *testing.B) {
	// Rooms are of one size.
	*sessions = max(*sessions/hundredRooms, 1) * hundredRooms
	var h *hundred
	hold := func(b *testing.B) *hundred {
		if h == nil {
			h = gatherFed(b)
		}
		b.ReportAllocs()
		b.ResetTimer()
		return h
	}
	defer func() {
		if h != nil {
			h.close()
		}
	}()
	b.Run("connect", func(b *testing.B) {
		n := float64(*sessions)
		for b.Loop() {
			if h != nil {
				h.close()
				h = nil
			}
			before, start := memory(), time.Now()
			h = gatherFed(b)
			b.ReportMetric(float64(time.Since(start).Nanoseconds())/n, "ns/session")
			var made runtime.MemStats
			runtime.ReadMemStats(&made)
			b.ReportMetric(float64(made.TotalAlloc-before.TotalAlloc)/n, "allocated-B/session")
			b.ReportMetric(float64(made.Mallocs-before.Mallocs)/n, "allocs/session")
			after := memory()
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/session")
			b.ReportMetric(float64(after.HeapObjects-before.HeapObjects)/n, "objects/session")
		}
	})
	b.Run("gc", func(b *testing.B) { hold(b).collect(b) })
	b.Run("heartbeats", func(b *testing.B) {
		h := hold(b)
		second := int64(*sessions) / 25
		h.await(b, h.pings, second) // the first come late
		b.ResetTimer()
		from, cpu := h.pings(), processorTime(b)
		for b.Loop() {
			for want := h.pings() + second; h.pings() < want; {
				time.Sleep(10 * time.Millisecond)
			}
		}
		b.ReportMetric((processorTime(b)-cpu).Seconds()*1e6/float64(h.pings()-from), "cpu-us/heartbeat")
	})
	b.Run("room plan of all but all", func(b *testing.B) {
		h := hold(b)
		from := h.events()
		for b.Loop() {
			require.NoError(b, h.srv.To(everybody).Except(everybody).Emit("news", payload))
			h.fence()
		}
		require.Equal(b, from, h.events())
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*sessions), "ns/member")
	})
	b.Run("broadcast", func(b *testing.B) { hold(b).broadcast(b, 1, *sessions, everybody) })
	b.Run("broadcast 32", func(b *testing.B) { hold(b).broadcast(b, 32, *sessions, everybody) })
	b.Run("rooms", func(b *testing.B) {
		var names []string
		for i := range hundredRooms {
			names = append(names, name(i))
		}
		hold(b).broadcast(b, hundredRooms, *sessions/hundredRooms, names...)
	})
}

// hundred is a server and its fed sessions.
type hundred struct {
	srv  *socketio.Server
	taps []*tap
	look time.Duration // how often await looks; 0 is 100 us
}

// gatherFed starts a server and lets all sessions in, spread over its loops
// and the rooms.
func gatherFed(b *testing.B) *hundred { return gatherFedOn(b, 0) }

// gatherFedOn is gatherFed with so many loops, whose clients can ask for an
// echo; 0 is the default.
func gatherFedOn(b *testing.B, loops int) *hundred {
	b.Helper()
	srv, err := socketio.NewServer(socketio.Options{
		Addr: "127.0.0.1:0", Loops: loops, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(b, err)
	var come, joined atomic.Int64
	srv.OnConnection(func(s *socketio.Socket) {
		n := int(come.Add(1))
		s.Join(everybody, name(n%hundredRooms))
		if loops > 0 {
			s.Join(hall(n%halls), everybody+" again")
		}
		joined.Add(1)
	})
	srv.On("echo", func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit("echo", e.Raw()...) },
		socketio.Inline())
	require.NoError(b, srv.Start())
	h := &hundred{srv: srv}
	all := fed.Loops(srv)
	for i, l := range all {
		t := &tap{keep: loops > 0}
		h.taps = append(h.taps, t)
		n := *sessions / len(all)
		if i < *sessions%len(all) {
			n++
		}
		l.Post(&opener{tap: t, left: n, addr: srv.Addr().String()})
	}
	h.await(b, joined.Load, int64(*sessions))
	h.fence()
	require.Equal(b, *sessions, srv.Stats().Sockets["/"])
	return h
}

func (h *hundred) close() {
	ctx, cancel := context.WithTimeout(context.Background(), hundredWait)
	defer cancel()
	_ = h.srv.Shutdown(ctx)
}

// broadcast emits to the rooms in turn, with so many messages outstanding.
func (h *hundred) broadcast(b *testing.B, window, size int, rooms ...string) {
	members := int64(size)
	begin, sent := h.events(), int64(0)
	for b.Loop() {
		require.NoError(b, h.srv.To(rooms[sent%int64(len(rooms))]).Emit("news", payload))
		sent++
		h.await(b, h.events, begin+members*(sent+1-int64(window)))
	}
	h.await(b, h.events, begin+members*sent)
	h.fence()
	require.Equal(b, members*sent, h.events()-begin, "none is lost, none comes twice")
	perDelivery(b, int(members*sent))
}

// collect measures collections of the whole heap.
func (h *hundred) collect(b *testing.B) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processorTime(b)
	for b.Loop() {
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	n := after.NumGC - before.NumGC
	var worst uint64
	for i := range min(n, uint32(len(after.PauseNs))) {
		worst = max(worst, after.PauseNs[(after.NumGC-i+255)%256])
	}
	b.ReportMetric((processorTime(b)-cpu).Seconds()*1e3/float64(n), "cpu-ms/collection")
	b.ReportMetric(float64(worst)/1e3, "worst-pause-us")
}

func (h *hundred) sum(get func(*tap) *atomic.Int64) (n int64) {
	for _, t := range h.taps {
		n += get(t).Load()
	}
	return n
}

func (h *hundred) events() int64 { return h.sum(func(t *tap) *atomic.Int64 { return &t.events }) }
func (h *hundred) pings() int64  { return h.sum(func(t *tap) *atomic.Int64 { return &t.pings }) }

// await looks until get has reached n. What is counted is done by the loops,
// which are not told that somebody waits. The kernel sleeps, because
// time.Sleep never takes less than a millisecond in a process that is idle:
// the loops would have run dry.
func (h *hundred) await(b *testing.B, get func() int64, n int64) {
	for start := time.Now(); get() < n; {
		if time.Since(start) > hundredWait {
			b.Fatalf("%d of %d came", get(), n)
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(cmp.Or(h.look, 100*time.Microsecond))}, nil)
	}
}

// memory is what is left after a collection.
func memory() (m runtime.MemStats) {
	liveHeap()
	runtime.ReadMemStats(&m)
	return m
}
