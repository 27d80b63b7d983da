package benchmarks

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// BenchmarkBroadcast emits to 1,000 clients: the next message when all of them
// have the one before, or 32 messages before.
func BenchmarkBroadcast(b *testing.B) { broadcast(b, socketio.Options{}) }

// BenchmarkRecoverableBroadcast is BenchmarkBroadcast with connection state
// recovery: each event is numbered, kept, and 15 bytes longer.
func BenchmarkRecoverableBroadcast(b *testing.B) {
	broadcast(b, socketio.Options{
		ConnectionStateRecovery: &socketio.ConnectionStateRecovery{}})
}

func broadcast(b *testing.B, o socketio.Options) {
	for _, window := range []int{1, 32} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			got, sent := 0, 0
			srv := serveWith(b, o, func(*socketio.Server) {})
			c := gather(b, srv, receivers, "", &got)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, srv.Emit("news", payload))
				sent++
				await(b, c, &got, receivers*(sent+1-window))
			}
			await(b, c, &got, receivers*sent)
			require.Equal(b, receivers*sent, got)
			perDelivery(b, got)
		})
	}
}

// BenchmarkRooms emits to the 200 rooms of five members each in turn, with all
// rooms' messages outstanding.
func BenchmarkRooms(b *testing.B) {
	const rooms, members = receivers / 5, 5
	got, sent, joined := 0, 0, 0
	srv := serve(b, func(s *socketio.Server) {
		places := make(chan int, receivers)
		for i := range receivers {
			places <- i % rooms
		}
		s.OnConnection(func(s *socketio.Socket) {
			s.Join(name(<-places))
			_ = s.Emit("joined")
		})
	})
	c := gather(b, srv, receivers, "", &joined)
	await(b, c, &joined, receivers)
	c.OnPacket = func(int, []byte) { got++ }
	var names [rooms]string
	for i := range names {
		names[i] = name(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, srv.To(names[sent%rooms]).Emit("news", payload))
		sent++
		await(b, c, &got, members*(sent+1-rooms))
	}
	await(b, c, &got, members*sent)
	require.Equal(b, members*sent, got)
	perDelivery(b, got)
}

func name(i int) string { return fmt.Sprintf("room %d", i) }
