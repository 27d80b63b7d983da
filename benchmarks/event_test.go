package benchmarks

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/socketio"
)

// BenchmarkEcho has a handler emit what it got: on a worker, as handlers run,
// or on the event loop; one client that waits for each answer, or 100 with
// eight events outstanding on each.
func BenchmarkEcho(b *testing.B) {
	for _, v := range []struct {
		name string
		opts []socketio.HandlerOption
	}{
		{"worker", nil},
		{"inline", []socketio.HandlerOption{socketio.Inline()}},
	} {
		setup := func(s *socketio.Server) {
			s.On("echo", func(s *socketio.Socket, e *socketio.Event) {
				_ = s.Emit("echo", e.Raw()...)
			}, v.opts...)
		}
		const event = `42["echo","` + payload + `"]`
		b.Run(v.name+"/one", func(b *testing.B) {
			c := dial(b, serve(b, setup))
			roundTrips(b, c, event, event)
		})
		b.Run(v.name+"/many", func(b *testing.B) {
			echoMany(b, serve(b, setup), client.Frame(event))
		})
	}
}

// BenchmarkAck asks and waits for the acknowledgement: the client a handler,
// or a handler's goroutine the client.
func BenchmarkAck(b *testing.B) {
	b.Run("client asks", func(b *testing.B) {
		c := dial(b, serve(b, func(s *socketio.Server) {
			socketio.OnAck(s, "sum",
				func(_ context.Context, _ *socketio.Socket, in []int) (int, error) {
					return in[0] + in[1], nil
				})
		}))
		roundTrips(b, c, `427["sum",[40,2]]`, `437[42]`)
	})
	b.Run("server asks", serverAsks)
}

func serverAsks(b *testing.B) {
	sockets := make(chan *socketio.Socket, 1)
	c := dial(b, serve(b, func(s *socketio.Server) {
		s.OnConnection(func(s *socketio.Socket) { sockets <- s })
	}))
	s := <-sockets
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		answer := []byte("43")
		for {
			p, err := c.Next()
			if err != nil {
				return
			}
			// 42<id>["question"] is answered with 43<id>[].
			answer = answer[:2]
			for _, d := range p[2:] {
				if d == '[' {
					break
				}
				answer = append(answer, d)
			}
			if c.Emit(string(append(answer, "[]"...))) != nil {
				return
			}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.EmitWithAck(context.Background(), "question"); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	<-ended
}

// roundTrips sends event and expects answer, again and again.
func roundTrips(b *testing.B, c *client.Client, event, answer string) {
	frame := client.Frame(event)
	c.SetDeadline(time.Now().Add(10 * patience))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(frame); err != nil {
			b.Fatal(err)
		}
		if p, err := c.Next(); err != nil || string(p) != answer {
			b.Fatalf("got %q, %v", p, err)
		}
	}
}

// echoMany keeps a window of events outstanding on each of many connections;
// an operation is one event.
func echoMany(b *testing.B, srv *socketio.Server, frame []byte) {
	const clients, window = 100, 8
	c, err := client.Gather(srv.Addr().String(), clients, "")
	require.NoError(b, err)
	b.Cleanup(c.Close)
	var got, sent int
	send := func(i int) {
		sent++
		if err := c.Send(i, frame); err != nil {
			b.Fatal(err)
		}
	}
	c.OnPacket = func(i int, _ []byte) {
		got++
		if sent < b.N {
			send(i)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range clients * window {
		if sent < b.N {
			send(i % clients)
		}
	}
	await(b, c, &got, b.N)
}
