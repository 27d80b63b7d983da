package socketio

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an emit costs its goroutine when nobody receives it: alone, on the only
// node of a cluster, and with one other node.
func BenchmarkEmitToNobody(b *testing.B) {
	var arg any = json.RawMessage(`{"text":"hello, everybody"}`)
	for _, nodes := range []int{0, 1, 2} {
		b.Run(fmt.Sprint(nodes, " nodes"), func(b *testing.B) {
			var s *Server
			if nodes == 0 {
				s = serve(b, Options{Loops: 1}, nil)
			} else {
				list, _ := meshed(b, nodes, Options{Loops: 1}, nil)
				s = list[0]
			}
			room := s.To("room")
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if err := room.Emit("news", arg); err != nil {
					b.Fatal(err)
				}
				if i%64 == 63 {
					require.NoError(b, s.loops[0].Load().do(func(*loop) {}))
				}
			}
		})
	}
}

// A broadcast to the members of a room, each written by itself, all the way to
// the kernel: emitted on their server, and on another node of the process.
func BenchmarkBroadcastOverNodes(b *testing.B) {
	var arg any = json.RawMessage(`{"text":"hello, everybody"}`)
	for _, n := range []int{15, 1000} {
		for _, from := range []string{"here", "elsewhere"} {
			b.Run(fmt.Sprint(n, " members/", from), func(b *testing.B) {
				list, _ := meshed(b, 2, Options{Loops: 1}, nil)
				s, emitter := list[0], list[0]
				if from == "elsewhere" {
					emitter = list[1]
				}
				for _, m := range members(b, s, n) {
					m.Join("room")
				}
				room := emitter.To("room")
				lp := s.loops[0].Load()
				require.NoError(b, lp.do(func(*loop) {}))
				before := s.Stats().Deliveries
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					if err := room.Emit("news", arg); err != nil {
						b.Fatal(err)
					}
					for s.Stats().Deliveries < before+uint64((i+1)*n) {
						require.NoError(b, lp.do(func(*loop) {}))
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			})
		}
	}
}
