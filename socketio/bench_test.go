package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/netpoll"
)

// members connects n clients that throw everything away.
func members(b *testing.B, s *Server, n int) []*Socket {
	b.Helper()
	for range n {
		drain(b, s)
	}
	soon(b, "joined", func() bool { return s.Stats().Sockets["/"] == n })
	list, err := s.LocalSockets(context.Background())
	require.NoError(b, err)
	return list
}

// repeat runs f b.N times on the loop of a socket, a slice in each turn.
func repeat(b *testing.B, k *Socket, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= 256 {
		require.NoError(b, k.loop().do(func(*loop) {
			for range min(left, 256) {
				f()
			}
		}))
		settle(b, k)
	}
	require.True(b, k.Connected(), "the socket was lost: nothing was measured")
}

// settle waits until the handlers and the client of a socket have caught up,
// because more than the limits would end it.
func settle(b *testing.B, k *Socket) {
	for busy := true; busy; {
		require.NoError(b, k.loop().do(func(*loop) {
			frames, _ := k.c.Pending()
			busy = frames > 0 || k.c.waiting.n.Load() > 0
		}))
	}
}

// What a text message costs on the loop, by what is in it.
func BenchmarkReceive(b *testing.B) {
	s := serve(b, Options{Loops: 1}, func(s *Server) {
		s.On("worker", func(*Socket, *Event) {})
		s.On("inline", func(*Socket, *Event) {}, Inline())
	})
	k := members(b, s, 1)[0]
	for name, text := range map[string]string{
		"pong":           "3",
		"event/worker":   `42["worker",{"room":"lobby","text":"hello, everybody"}]`,
		"event/inline":   `42["inline",{"room":"lobby","text":"hello, everybody"}]`,
		"event/unwanted": `42["unwanted",{"room":"lobby","text":"hello, everybody"}]`,
		"ack/unknown":    `439[1]`,
	} {
		b.Run(name, func(b *testing.B) {
			p := []byte(text)
			repeat(b, k, func() { k.c.Message(ws.OpText, p, false) })
		})
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	s := serve(b, Options{Loops: 1}, nil)
	k := members(b, s, 1)[0]
	lp := k.loop()
	repeat(b, k, func() {
		lp.join(k, "room")
		lp.leave(k, "room")
	})
}

// One broadcast on its way through plan and distribution, without writing.
func BenchmarkDistribute(b *testing.B) {
	for _, n := range []int{10, 200} {
		b.Run(fmt.Sprint(n, " members"), func(b *testing.B) {
			s := serve(b, Options{Loops: 1}, nil)
			list := members(b, s, n)
			k := list[0]
			lp := k.loop()
			for _, m := range list {
				m.Join("room")
			}
			f := &fanout{b: s.To("room").Except("other")}
			f.Init(netpoll.AppendFrame(nil, ws.OpText, []byte("42[]")), 1)
			repeat(b, k, func() {
				lp.begin(f, &f.b)
				lp.end()
			})
		})
	}
}

// Emit to a room and everything behind it, to the kernel.
func BenchmarkBroadcast(b *testing.B) {
	s := serve(b, Options{Loops: 1}, nil)
	const n = 100
	list := members(b, s, n)
	for _, m := range list {
		m.Join("room")
	}
	var arg any = json.RawMessage(`{"text":"hello, everybody"}`)
	room := s.To("room")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := room.Emit("news", arg); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 { // stay below what waits for one client
			require.NoError(b, list[0].loop().do(func(*loop) {}))
		}
	}
	require.NoError(b, list[0].loop().do(func(*loop) {}))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
}

func BenchmarkEmit(b *testing.B) {
	s := serve(b, Options{Loops: 1}, nil)
	k := members(b, s, 1)[0]
	var arg any = json.RawMessage(`{"text":"hello, everybody"}`)
	b.ReportAllocs()
	for i := range b.N {
		if err := k.Emit("news", arg); err != nil {
			b.Fatal(err)
		}
		if i%256 == 255 {
			settle(b, k)
		}
	}
}
