package benchmarks

import (
	"context"
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/socketio"
)

var sessions = flag.Int("sessions", 100_000, "sessions of BenchmarkHundred, in thousands")

const (
	hundredRooms = 1_000
	// undrained bounds what waits for the sessions between two drains, counted
	// over all of them.
	undrained = 12_800_000
)

// BenchmarkHundred has 100,000 sessions (or -sessions) in one process, whatever
// the descriptor limit: they poll, so that between two requests each is
// memory alone, with its timer, its namespace and its room, and a few
// connections make the requests of all. What is seen is everything but the
// sockets: heap, collection, the wheel, room plans, and distributing a
// broadcast up to the pending output of each.
//
//	go test -run xxx -bench Hundred ./benchmarks -sessions 1000000
//
// The sub-benchmarks share the sessions and belong in this order.
func BenchmarkHundred(b *testing.B) {
	n := max(*sessions/hundredRooms, 2) * hundredRooms
	// The last first heartbeat comes so long after the end of the ramp, and
	// nobody answers: there is one for each session.
	interval := max(10*time.Second, time.Duration(n/10_000)*time.Second)
	places := make(chan int, n)
	for i := range n {
		places <- i % hundredRooms
	}
	srv := serveWith(b, socketio.Options{MaxConnections: n + 1_000,
		PingInterval: interval, PingTimeout: time.Hour, ConnectTimeout: time.Hour},
		func(s *socketio.Server) {
			s.OnConnection(func(s *socketio.Socket) { s.Join(name(<-places)) })
		})
	warm := gatherPolls(b, srv.Addr().String(), hundredRooms)
	before, began := liveHeap(), time.Now()
	p := warm.more(b, n-hundredRooms)
	ramp := time.Since(began)
	require.Eventually(b, func() bool { return srv.Stats().Sockets["/"] == n && len(places) == 0 },
		patience, time.Millisecond)
	there := time.Now()
	perSession := float64(liveHeap()-before) / float64(n-hundredRooms)

	b.Run("heartbeats", func(b *testing.B) {
		if ramp > interval {
			b.Skip("the ramp took longer than the interval between heartbeats")
		}
		used, pings := time.Duration(0), 0.0
		for b.Loop() {
			from, had := processorTime(b), waitingBytes(srv)
			time.Sleep(time.Until(there.Add(interval)))
			if k := float64(waitingBytes(srv)-had) / pingBytes; k > 0 {
				used, pings = processorTime(b)-from, k
			}
		}
		require.Positive(b, pings)
		b.ReportMetric(pings, "heartbeats")
		b.ReportMetric(float64(used.Nanoseconds())/pings, "cpu-ns/heartbeat")
		b.ReportMetric(0, "ns/op")
	})
	b.Run("collect", func(b *testing.B) {
		var from, to runtime.MemStats
		runtime.ReadMemStats(&from)
		used := processorTime(b)
		for b.Loop() {
			runtime.GC()
		}
		used = processorTime(b) - used
		runtime.ReadMemStats(&to)
		cycles := float64(to.NumGC - from.NumGC)
		b.ReportMetric(perSession, "heap-B/session")
		b.ReportMetric(float64(to.PauseTotalNs-from.PauseTotalNs)/1e3/cycles, "pause-us/gc")
		b.ReportMetric(used.Seconds()*1e3/cycles, "cpu-ms/gc")
	})
	b.Run("broadcast", func(b *testing.B) {
		emitTo(b, srv, p, n, 1, func(int) socketio.Broadcast { return srv.All() })
	})
	b.Run("rooms", func(b *testing.B) {
		emitTo(b, srv, p, n/hundredRooms, hundredRooms, func(i int) socketio.Broadcast {
			return srv.To(name(i % hundredRooms))
		})
	})
	b.Run("join and leave", func(b *testing.B) {
		for b.Loop() {
			srv.SocketsJoin("all")
			srv.SocketsLeave("all")
			// The question is answered behind them.
			left, err := srv.In("all").FetchSockets(context.Background())
			require.NoError(b, err)
			require.Empty(b, left)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/session")
	})
	require.Equal(b, n, srv.Stats().Sockets["/"], "nobody was lost")
}

// pingBytes is a heartbeat as it waits for a poll: a frame's head and the type.
const pingBytes = 3

// waitingBytes is what waits for the polls of all sessions.
func waitingBytes(srv *socketio.Server) (sum int64) {
	for _, l := range fed.Loops(srv)[0].Server().Stats().Loops {
		sum += l.QueuedBytes
	}
	return sum
}

// emitTo measures emits to members sessions each, batch of them under way,
// until the message waits for each session.
func emitTo(b *testing.B, srv *socketio.Server, p *polls, members, batch int,
	to func(i int) socketio.Broadcast,
) {
	var used time.Duration
	waiting, sent := 0, 0
	want := srv.Stats().Deliveries
	arrive := func() {
		for srv.Stats().Deliveries < want {
			runtime.Gosched()
		}
	}
	drain := func() {
		// A poll without anything to fetch would wait.
		require.NoError(b, srv.Emit("end"))
		want += uint64(len(p.sids))
		p.drain(b)
	}
	from := processorTime(b)
	for b.Loop() {
		require.NoError(b, to(sent).Emit("news", payload))
		sent++
		want += uint64(members)
		if sent%batch == 0 {
			arrive()
		}
		if waiting += members; waiting >= undrained {
			arrive()
			b.StopTimer()
			used += processorTime(b) - from
			drain()
			waiting, from = 0, processorTime(b)
			b.StartTimer()
		}
	}
	arrive()
	used += processorTime(b) - from
	perDelivery(b, sent*members)
	b.ReportMetric(float64(used.Nanoseconds())/float64(sent*members), "cpu-ns/delivery")
	drain()
	require.Equal(b, want, srv.Stats().Deliveries)
}

// processorTime is what this process has computed.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
