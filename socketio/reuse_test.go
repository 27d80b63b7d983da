package socketio

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The objects of emits are used again: what handlers of outgoing events have
// kept of one is not what the next one says.
func TestWhatHandlersKeepOfEmitsStays(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"namespace", "socket"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			const count = 50
			kept := make(chan *Event, count)
			keep := func(_ *Socket, e *Event) { kept <- e }
			ready := make(chan *Socket, 1)
			s := serve(t, Options{Loops: 1}, func(s *Server) {
				if where == "namespace" {
					s.Of("/").OnAnyOutgoing(keep)
				}
				s.OnConnection(func(k *Socket) {
					if where == "socket" {
						k.OnAnyOutgoing(keep)
					}
					ready <- k
				})
			})
			p := dial(t, s)
			p.join("/", "")
			k := receive(t, ready)
			for i := range count {
				require.NoError(t, k.Emit("n", i))
				p.expect(fmt.Sprintf(`42["n",%d]`, i)) // it is written: the next may use it
			}
			for i := range count {
				require.Equal(t, fmt.Sprint(i), string(receive(t, kept).args.JSON))
			}
		})
	}
}

// Clients that get answers, acknowledgements and nothing at all, because they
// leave in the middle, never see each other's.
func TestAnswersAreTheirOwn(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.On("echo", func(k *Socket, e *Event) {
				_ = k.Emit("echo", e.Raw()...)
				_ = e.Ack(e.Raw()...)
			})
		})
		const rounds = 200
		var clients sync.WaitGroup
		for c := range 12 {
			p := dial(t, s)
			p.join("/", "")
			clients.Go(func() {
				for i := range rounds {
					// Sometimes more than fits into an emission, sometimes several at
					// once, which wait behind each other.
					what := strings.Repeat("x", i%7*40)
					n := 1 + i%3
					for j := range n {
						p.send(fmt.Sprintf(`42%d["echo","%d %d %d %s"]`, i, c, i, j, what))
					}
					if c%4 == 3 && i == rounds/2 {
						p.conn.Close()
						return
					}
					for j := range n {
						p.expect(fmt.Sprintf(`42["echo","%d %d %d %s"]`, c, i, j, what),
							fmt.Sprintf(`43%d["%d %d %d %s"]`, i, c, i, j, what))
					}
				}
			})
		}
		clients.Wait()
	})
}

// An emission belongs to one at a time, whoever takes it while the loop gives
// others back; and a loop does not keep more than it needs.
func TestSpareEmissions(t *testing.T) {
	t.Parallel()
	t.Run("one owner", func(t *testing.T) {
		t.Parallel()
		var p spares
		written := make(chan *emission, 256)
		var takers sync.WaitGroup
		for id := range uint16(4) {
			takers.Go(func() {
				for range 20_000 {
					m := p.take()
					require.Zero(t, m.event, "somebody else's")
					require.Nil(t, m.next)
					m.event = id + 1
					require.Equal(t, id+1, m.event)
					written <- m
				}
			})
		}
		go func() {
			takers.Wait()
			close(written)
		}()
		again := 0
		seen := make(map[*emission]bool)
		for m := range written {
			if seen[m] {
				again++
			}
			seen[m] = true
			m.event = 0
			p.put(m)
		}
		require.Positive(t, again, "nothing was used again")
	})
	t.Run("bounded", func(t *testing.T) {
		t.Parallel()
		var p spares
		made := make(map[*emission]bool)
		for range 3 * maxSpares {
			m := new(emission)
			made[m] = true
			p.put(m)
		}
		kept := 0
		for made[p.take()] {
			kept++
		}
		require.Equal(t, maxSpares, kept)
		require.Zero(t, p.n)
	})
}
