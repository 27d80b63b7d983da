package socketio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// comesBack claims the session of p and expects these events before it.
func comesBack(t *testing.T, s *Server, p *returner, missed ...string) *returner {
	t.Helper()
	n := p.back(s)
	for _, text := range missed {
		require.Equal(t, text, n.event(n.next()))
	}
	n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
	n.sid = p.sid
	return n
}

// What a handler that still runs joins and leaves holds for the session, with
// the events behind it.
func TestRecoveryOfLateJoins(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		s := serve(t, recovering(loops), nil)
		for range 2 * loops {
			p := newcomer(t, s)
			k, err := s.root.Socket(p.sid)
			require.NoError(t, err)
			k.Join("early", "left")
			require.Equal(t, []string{p.sid, "early", "left"}, k.Rooms())
			p.drop(s)

			require.NoError(t, s.To("early").Emit("1"))
			require.NoError(t, s.To("late").Emit("before the join"))
			require.NoError(t, s.Except("late").Emit("2"))
			k.Join("late", "late", "early", p.sid, "never")
			k.Leave("left", "never")
			require.NoError(t, s.To("late").Emit("3"))
			require.NoError(t, s.To("left").Emit("behind the leave"))
			require.NoError(t, s.Except("late").Emit("excepted"))
			require.NoError(t, s.To("never").Emit("never there"))
			require.NoError(t, s.To("early", "late").Emit("4"))
			require.NoError(t, k.loop().do(func(*loop) {})) // it has met the leave

			n := comesBack(t, s, p, `42["1"`, `42["2"`, `42["3"`, `42["4"`)
			b, err := s.root.Socket(p.sid)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{p.sid, "early", "late"}, b.Rooms())
			require.Empty(t, k.Rooms())

			// The first socket is heard still, behind the client's return.
			k.Join("later")
			require.NoError(t, s.To("later").Emit("5"))
			require.Equal(t, `42["5"`, n.event(n.next()))
			k.Leave("late")
			require.ElementsMatch(t, []string{p.sid, "early", "later"}, b.Rooms())

			// And with the second one away as well.
			n.drop(s)
			k.Join("last")
			b.Leave("early")
			require.NoError(t, k.loop().do(func(*loop) {}))
			require.NoError(t, b.loop().do(func(*loop) {}))
			n = comesBack(t, s, n)
			c, err := s.root.Socket(p.sid)
			require.NoError(t, err)
			require.ElementsMatch(t, []string{p.sid, "later", "last"}, c.Rooms())

			// Not when the session is over.
			c.Disconnect(false)
			n.expect("41")
			k.Join("over")
			b.Join("over")
			c.Join("over")
			require.Empty(t, c.Rooms())
		}
		require.Zero(t, s.Stats().Recovery.Parked)
		require.Zero(t, s.Stats().Rooms)
	})
}

func TestRecoveryBoundsLateJoins(t *testing.T) {
	t.Parallel()
	o := recovering(1)
	o.MaxRooms = 2
	s := serve(t, o, nil)
	p := newcomer(t, s)
	k, err := s.root.Socket(p.sid)
	require.NoError(t, err)
	k.Join("a")
	p.drop(s)
	k.Join("b", "c")
	soon(t, "refused", func() bool { return s.Stats().Drops["max_rooms"] == 1 })
	comesBack(t, s, p)
	b, err := s.root.Socket(p.sid)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{p.sid, "a", "b"}, b.Rooms())
}

// Middleware that is asked again sees the rooms and may change them.
func TestRecoveryOfRoomsInMiddleware(t *testing.T) {
	t.Parallel()
	o := recovering(2)
	o.ConnectionStateRecovery.RunMiddlewares = true
	rooms := make(chan []string, 1)
	s := serve(t, o, func(s *Server) {
		s.Use(func(k *Socket) error {
			if !k.Recovered() {
				k.Join("old", "kept")
				return nil
			}
			k.Join("new")
			k.Leave("old")
			rooms <- k.Rooms()
			require.NoError(t, s.To("new").Emit("joined"))
			require.NoError(t, s.To("old").Emit("left"))
			return nil
		})
	})
	p := newcomer(t, s)
	p.drop(s)
	require.NoError(t, s.To("new").Emit("too early"))
	comesBack(t, s, p, `42["joined"`)
	require.ElementsMatch(t, []string{p.sid, "kept", "new"}, receive(t, rooms))
	b, err := s.root.Socket(p.sid)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{p.sid, "kept", "new"}, b.Rooms())
}

// A client that has missed more than may wait for it gets a new session, told
// before it was restored or, if that shows later, by the end of its connection.
func TestRecoveryOfMoreThanMayWait(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(o *Options){
		"frames": func(o *Options) { o.MaxPendingFrames = 32 },
		"bytes":  func(o *Options) { o.MaxPendingBytes = 8 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guards, verdicts := make(chan *Socket), make(chan error)
			o := recovering(2)
			o.ConnectionStateRecovery.RunMiddlewares = true
			limit(&o)
			s := serve(t, o, func(s *Server) {
				s.Use(func(k *Socket) error {
					guards <- k
					return <-verdicts
				})
			})
			admitted := func(p *returner, recovered bool) {
				t.Helper()
				require.Equal(t, recovered, receive(t, guards).Recovered())
				verdicts <- nil
			}
			flood := func(n int) {
				for range n {
					require.NoError(t, s.To("room").Emit("e", strings.Repeat("x", 500)))
				}
			}
			join := func() *returner {
				p := &returner{peer: dial(t, s)}
				p.send("40")
				k := receive(t, guards)
				k.Join("room")
				verdicts <- nil
				p.welcome(p.next())
				p.drop(s)
				return p
			}
			p := join()
			flood(20)
			n := p.back(s)
			admitted(n, false)
			n.welcome(n.next())
			require.NotEqual(t, p.sid, n.sid)
			require.EqualValues(t, 1, s.Stats().Recovery.Results["too_far_behind"])

			p = join()
			n = p.back(s)
			k := receive(t, guards)
			flood(20)
			require.NoError(t, k.loop().do(func(*loop) {}))
			verdicts <- nil
			require.Contains(t, []string{"close 1005", "close 1000", "gone"}, n.next())
			soon(t, "counted", func() bool {
				return s.Stats().Recovery.Results["too_far_behind"] == 2
			})
			n = p.back(s)
			admitted(n, false)
			n.welcome(n.next())
			require.NotEqual(t, p.sid, n.sid)
		})
	}
}
