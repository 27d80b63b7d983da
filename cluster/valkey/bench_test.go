package valkey

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/brokertest"
)

// sink counts what arrives and keeps how late it was.
type sink struct {
	want  int
	got   int
	times []time.Duration
	done  chan struct{}
}

func (s *sink) Receive(_ cluster.Node, entry []byte) {
	at := time.Unix(0, int64(binary.BigEndian.Uint64(entry)))
	s.times = append(s.times, time.Since(at))
	if s.got++; s.got == s.want {
		close(s.done)
	}
}
func (s *sink) NodeJoined(cluster.Node)     {}
func (s *sink) NodeLost(cluster.Node, bool) {}
func (s *sink) Gap(cluster.Node, uint64)    {}
func (s *sink) Sockets() map[string]int     { return nil }

func startBench(b *testing.B, url, id string, s *sink) *Transport {
	b.Helper()
	t, err := Open(b.Context(), Options{URL: url, NodeID: id,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close(b.Context()) })
	if err := t.Start(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	return t
}

func stamped() []byte {
	e := make([]byte, 200)
	binary.BigEndian.PutUint64(e, uint64(time.Now().UnixNano()))
	return e
}

// One node publishes entries of 200 bytes as fast as they arrive at another.
func BenchmarkEntries(b *testing.B) {
	s := brokertest.Start(b)
	in := &sink{want: b.N, done: make(chan struct{})}
	out := startBench(b, s.URL(), "out", &sink{})
	startBench(b, s.URL(), "in", in)
	b.ResetTimer()
	for i := range b.N {
		for i%1024 == 0 && out.Status().QueuedEntries > 50_000 {
			time.Sleep(time.Millisecond)
		}
		out.Publish(cluster.Kept, stamped())
	}
	<-in.done
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// 1,000 entries a second: how late they are.
func BenchmarkLatency(b *testing.B) {
	s := brokertest.Start(b)
	in := &sink{want: b.N, done: make(chan struct{})}
	out := startBench(b, s.URL(), "out", &sink{})
	startBench(b, s.URL(), "in", in)
	b.ResetTimer()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range b.N {
		<-tick.C
		out.Publish(cluster.Kept, stamped())
	}
	<-in.done
	b.StopTimer()
	slices.Sort(in.times)
	at := func(q float64) float64 {
		return float64(in.times[int(q*float64(len(in.times)-1))].Microseconds())
	}
	b.ReportMetric(at(0.5), "µs-p50")
	b.ReportMetric(at(0.99), "µs-p99")
	b.ReportMetric(0, "ns/op")
}
