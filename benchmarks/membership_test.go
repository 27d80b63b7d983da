package benchmarks

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// BenchmarkJoinLeave has a socket join a room and leave it: a call returns
// before it has taken effect, so one that waits ends the measurement. The room
// has other members, or is made and deleted each time.
func BenchmarkJoinLeave(b *testing.B) {
	for _, v := range []struct {
		name   string
		others int
	}{{"new room", 0}, {"room of 1000", receivers}} {
		b.Run(v.name, func(b *testing.B) {
			const room = "room"
			sockets := make(chan *socketio.Socket, receivers+1)
			srv := serve(b, func(s *socketio.Server) {
				s.OnConnection(func(s *socketio.Socket) { sockets <- s })
			})
			got := 0
			gather(b, srv, v.others+1, "", &got)
			s := <-sockets
			for range v.others {
				(<-sockets).Join(room)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Join(room)
				s.Leave(room)
				if got++; got%256 == 0 { // a loop's inbox must not grow without end
					s.Rooms()
				}
			}
			require.Equal(b, []string{s.ID()}, s.Rooms())
		})
	}
}
