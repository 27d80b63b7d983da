package socketio

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Broadcasts go on from several goroutines while clients lose their
// connections, at random moments and noticed or not: each sees every event once,
// in one order. Meanwhile sockets join and leave, those that have left, too.
func TestRecoveryUnderFire(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		const clients, drops, sources = 24, 12, 3
		var mu sync.Mutex
		var known []*Socket
		s := serve(t, recovering(loops), func(s *Server) {
			s.OnConnection(func(k *Socket) {
				mu.Lock()
				known = append(known, k)
				mu.Unlock()
				if !k.Recovered() {
					k.Join("room")
					_ = k.Emit("ready")
				}
			})
		})
		stop := make(chan struct{})
		var emitters sync.WaitGroup
		for g := range sources {
			emitters.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(rand.IntN(800)) * time.Microsecond):
						_ = s.To("room").Emit(fmt.Sprint("g", g), i)
					}
				}
			})
		}
		emitters.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Microsecond):
				}
				mu.Lock()
				if len(known) > 0 {
					k := known[rand.IntN(len(known))]
					k.Join(fmt.Sprint("other", i%3))
					k.Leave(fmt.Sprint("other", (i+1)%3))
				}
				mu.Unlock()
			}
		})
		orders := map[string]string{} // offset: event
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				p := newcomer(t, s)
				next := map[string]int{}
				take := func(text string) {
					body := p.event(text)
					mu.Lock()
					defer mu.Unlock()
					if strings.HasPrefix(body, `42["g`) {
						if was, ok := orders[p.offset]; ok && was != body {
							t.Errorf("%s: %s and %s", p.offset, was, body)
						}
						orders[p.offset] = body
						kind, n := body[4:6], 0
						if _, err := fmt.Sscan(body[8:], &n); err != nil {
							t.Errorf("%s: %v", body, err)
						}
						if want, began := next[kind]; began && n != want {
							t.Errorf("client %d of %d loops: %s, expected %d", c, loops, body, want)
						}
						next[kind] = n + 1
					}
				}
				for p.event(p.next()) != `42["ready"` {
				}
				for i := range drops {
					for range 1 + rand.IntN(40) {
						take(p.next())
					}
					if i%2 == c%2 { // else it is taken over
						_ = p.conn.Close()
					}
					sid, pid := p.sid, p.pid
					p = p.back(s)
					text := p.next()
					for ; strings.HasPrefix(text, "42"); text = p.next() {
						take(text)
					}
					p.welcome(text)
					if p.sid != sid || p.pid != pid {
						t.Errorf("client %d: a new session", c)
						return
					}
				}
				for range 50 {
					take(p.next())
				}
				if len(next) != sources {
					t.Errorf("client %d has seen %v", c, next)
				}
			})
		}
		all.Wait()
		close(stop)
		emitters.Wait()
		require.EqualValues(t, clients*drops, s.Stats().Recovery.Results["recovered"])
	})
}

// A client comes back to a loop that has not got as far as the client: what it
// has is not sent again.
func TestRecoveryOnALateLoop(t *testing.T) {
	t.Parallel()
	s := serve(t, recovering(2), func(s *Server) { s.Of("/x") })
	p := newcomer(t, s)
	k, err := s.root.Socket(p.sid)
	require.NoError(t, err)
	var n *returner
	var on *Socket // in another namespace, on the other loop
	for on == nil || on.loop() == k.loop() {
		n = &returner{peer: dial(t, s)}
		n.send("40/x,")
		text := n.next()
		on, err = s.Of("/x").Socket(text[len(`40/x,{"sid":"`):][:20])
		require.NoError(t, err)
	}
	n.pid = p.pid
	require.NoError(t, on.loop().do(func(*loop) {
		require.NoError(t, s.Emit("had"))
		require.Equal(t, `42["had"`, p.event(p.next()))
		p.drop(s)
		require.NoError(t, s.Emit("missed"))
		n.offset = p.offset
		on.c.Packet(false, []byte(n.wants()[1:]), false)
	}))
	require.NoError(t, s.Emit("live"))
	var got []string
	for len(got) < 3 {
		if text := n.next(); strings.HasPrefix(text, "42") {
			got = append(got, n.event(text))
		} else {
			require.Equal(t, fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid), text)
			got = append(got, "connected")
		}
	}
	require.Equal(t, []string{`42["missed"`, "connected", `42["live"`}, got)
}
