package socketio

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// BenchmarkForward is what a request costs that comes to another node than its
// session's: an event that is posted and its answer that is polled, both
// servers and the client in one process.
func BenchmarkForward(b *testing.B) {
	for name, at := range map[string]int{"home": 0, "away": 1} {
		b.Run(name, func(b *testing.B) {
			servers := neighbors(b, 2)
			p := pollDial(b, servers[0])
			p.client.Transport = &http.Transport{DisableCompression: true}
			defer p.client.CloseIdleConnections()
			_, query, _ := strings.Cut(p.url, "?")
			p.url = "http://" + servers[at].Addr().String() + "/socket.io/?" + query
			for b.Loop() {
				p.post(`42["echo",1]`)
				got, _ := p.get()
				require.Equal(b, `42["echo",1]`, got)
			}
		})
	}
}

// BenchmarkForwardWebSocket counts what a WebSocket takes that came to another
// node than its session's, the client's own end included.
func BenchmarkForwardWebSocket(b *testing.B) {
	for name, at := range map[string]int{"home": 0, "away": 1} {
		b.Run(name, func(b *testing.B) {
			servers := neighbors(b, 2)
			const n = 100
			peers := make([]*pollPeer, n)
			for i := range peers {
				peers[i] = pollDial(b, servers[0])
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			routines, files := runtime.NumGoroutine(), openFiles(b)
			ctx, cancel := context.WithTimeout(b.Context(), patience)
			defer cancel()
			for _, p := range peers {
				_, query, _ := strings.Cut(p.url, "?")
				c, _, _, err := ws.Dial(ctx, "ws://"+servers[at].Addr().String()+"/socket.io/?"+
					strings.Replace(query, "polling", "websocket", 1))
				require.NoError(b, err)
				defer c.Close()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			routines, files = runtime.NumGoroutine()-routines, openFiles(b)-files
			for b.Loop() { // there is nothing to repeat, and it forgets metrics
			}
			each := func(v int, unit string) { b.ReportMetric(float64(v)/n, unit) }
			each(routines, "goroutines")
			each(files, "descriptors")
			each(int(after.HeapAlloc+after.StackInuse)-int(before.HeapAlloc+before.StackInuse), "bytes")
		})
	}
}

func openFiles(b *testing.B) int {
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(b, err)
	return len(list)
}
