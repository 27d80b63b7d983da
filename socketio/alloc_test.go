//go:build !race

package socketio

import (
	"context"
	"encoding/json"
	"testing"
	"time"
	"unsafe"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

// allocsOnLoop runs f on the loop of a socket and counts its allocations.
func allocsOnLoop(t *testing.T, k *Socket, f func()) (n float64) {
	t.Helper()
	require.NoError(t, k.loop().do(func(*loop) { n = testing.AllocsPerRun(200, f) }))
	return n
}

func TestAllocations(t *testing.T) {
	s := serve(t, Options{Loops: 1}, func(s *Server) {
		s.On("ev", func(*Socket, *Event) {})
		s.On("in", func(*Socket, *Event) {}, Inline())
	})
	for range 30 {
		drain(t, s)
	}
	soon(t, "joined", func() bool { return s.Stats().Sockets["/"] == 30 })
	sockets, err := s.LocalSockets(context.Background())
	require.NoError(t, err)
	k := sockets[0]
	soon(t, "ready", func() bool { return k.is(stRan) })
	for _, m := range sockets {
		m.Join("room")
	}

	t.Run("heartbeat", func(t *testing.T) {
		pong := []byte("3")
		require.Zero(t, allocsOnLoop(t, k, func() { k.c.Message(ws.OpText, pong, false) }))
	})
	t.Run("event to a handler", func(t *testing.T) {
		text := []byte(`42["ev",{"a":1}]`)
		require.LessOrEqual(t, allocsOnLoop(t, k, func() {
			k.c.Message(ws.OpText, text, false)
		}), 2.0)
	})
	t.Run("what an event relays", func(t *testing.T) {
		pk, err := sio.Parse([]byte(`2["ev",{"a":1}]`), 0)
		require.NoError(t, err)
		e := newEvent(k, &pk, nil, 10)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if list := e.Raw(); len(list) != 1 || string(list[0].(*Raw).JSON) != `{"a":1}` {
				panic("not what came")
			}
		}))
		require.EqualValues(t, 256, unsafe.Sizeof(roomyEvent{}), "one more byte costs 32")
	})
	t.Run("event to an inline handler", func(t *testing.T) {
		text := []byte(`42["in",{"a":1}]`)
		soon(t, "mailbox empty", func() bool { return k.c.waiting.n.Load() == 0 })
		require.LessOrEqual(t, allocsOnLoop(t, k, func() {
			k.c.Message(ws.OpText, text, false)
		}), 1.0)
	})
	t.Run("broadcast", func(t *testing.T) {
		var arg any = json.RawMessage(`{"a":1}`)
		lp := k.loop()
		// Distribution alone, the emit's own allocations apart.
		f := &fanout{b: s.To("room").Except("x")}
		wire := []byte{0x81, 1, 'x'}
		f.Init(wire, 1)
		require.Zero(t, allocsOnLoop(t, k, func() {
			lp.begin(f, &f.b)
			if len(lp.targets) != len(sockets) {
				panic("members are missing")
			}
			lp.end()
		}))
		n := testing.AllocsPerRun(500, func() {
			if err := s.To("room").Emit("ev", arg); err != nil {
				panic(err)
			}
			time.Sleep(50 * time.Microsecond) // the loop's share is in the count
		})
		require.LessOrEqual(t, n, 3.0, "for %d deliveries", len(sockets))
	})
	t.Run("broadcast in a cluster", func(t *testing.T) {
		list, _ := meshed(t, 1, Options{Loops: 1}, nil)
		var arg any = json.RawMessage(`{"a":1}`)
		n := testing.AllocsPerRun(500, func() {
			if err := list[0].To("room").Emit("ev", arg); err != nil {
				panic(err)
			}
			time.Sleep(50 * time.Microsecond)
		})
		require.LessOrEqual(t, n, 5.0, "its list of rooms and the entry beside the message")
	})
	t.Run("emit", func(t *testing.T) {
		var arg any = json.RawMessage(`{"a":1}`)
		// The object of the one before is used again, if the loop has written that.
		soon(t, "no allocation", func() bool {
			return testing.AllocsPerRun(500, func() {
				if err := k.Emit("ev", arg); err != nil {
					panic(err)
				}
				time.Sleep(20 * time.Microsecond)
			}) == 0
		})
	})
}
