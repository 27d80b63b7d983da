package benchmarks

import (
	"testing"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/socketio"
)

// BenchmarkConnect opens a TCP connection, upgrades it, joins the namespace
// and closes: one client after the other, or as many at a time as there are
// processors. Without TuneProcessors the client's goroutine, as any that waits
// for the network beside idle loops, waits for Go's monitor thread as well:
// 0.8 ms a connect.
func BenchmarkConnect(b *testing.B) {
	b.Run("one", func(b *testing.B) {
		socketio.TuneProcessors(0)
		addr := serve(b, func(*socketio.Server) {}).Addr().String()
		b.ReportAllocs()
		for b.Loop() {
			connect(b, addr)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		socketio.TuneProcessors(0)
		addr := serve(b, func(*socketio.Server) {}).Addr().String()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				connect(b, addr)
			}
		})
	})
}

func connect(b *testing.B, addr string) {
	c, err := client.Dial(addr, "")
	if err != nil {
		b.Error(err)
		return
	}
	c.Close()
}
