package socketio

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// returner is a client that keeps what the official one keeps to come back.
type returner struct {
	*peer
	pid, offset string
}

// newcomer joins "/" of a server with recovery.
func newcomer(t testing.TB, s *Server) *returner {
	t.Helper()
	p := &returner{peer: dial(t, s)}
	p.send("40")
	p.welcome(p.next())
	return p
}

// welcome takes a CONNECT.
func (p *returner) welcome(text string) {
	p.t.Helper()
	parts := strings.Split(text, `"`)
	require.Len(p.t, parts, 9, text)
	require.Equal(p.t, "pid", parts[5])
	p.sid, p.pid = parts[3], parts[7]
	require.Len(p.t, p.sid, 20)
	require.Len(p.t, p.pid, 20)
}

// event takes an event and its offset off the wire and returns the rest.
func (p *returner) event(text string) string {
	p.t.Helper()
	at := len(text) - 2 - offsetLen
	require.Positive(p.t, at, text)
	offset := text[at : len(text)-2]
	require.Less(p.t, p.offset, offset, "offsets ascend")
	p.offset = offset
	return strings.TrimSuffix(text[:at], `,"`)
}

func (p *returner) wants() string {
	auth := fmt.Sprintf(`40{"pid":%q`, p.pid)
	if p.offset != "" {
		auth += fmt.Sprintf(`,"offset":%q`, p.offset)
	}
	return auth + "}"
}

// back opens another connection and claims the session.
func (p *returner) back(s *Server) *returner {
	p.t.Helper()
	n := &returner{peer: dial(p.t, s), pid: p.pid, offset: p.offset}
	n.send(p.wants())
	return n
}

func (p *returner) drop(s *Server) {
	p.t.Helper()
	parked := s.Stats().Recovery.Parked
	require.NoError(p.t, p.conn.Close())
	soon(p.t, "parked", func() bool { return s.Stats().Recovery.Parked > parked })
}

func recovering(loops int) Options {
	return Options{Loops: loops, ConnectionStateRecovery: &ConnectionStateRecovery{}}
}

// onEachLoop runs f with clients enough that old and new connections share a
// loop and do not.
func onEachLoop(t *testing.T, f func(t *testing.T, loops int)) {
	for _, loops := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			t.Parallel()
			f(t, loops)
		})
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		came := make(chan *Socket, 100)
		guards := make(chan bool, 100)
		s := serve(t, recovering(loops), func(s *Server) {
			s.Use(func(k *Socket) error { guards <- k.Recovered(); return nil })
			s.OnConnection(func(k *Socket) { came <- k })
		})
		for range 2 * loops {
			p := newcomer(t, s)
			k := receive(t, came)
			require.False(t, k.Recovered())
			require.False(t, receive(t, guards))
			k.Join("room", "other")
			k.SetData("mine")
			k.Set("key", 7)
			require.NoError(t, s.Emit("one", 1))
			require.Equal(t, `42["one",1`, p.event(p.next()))
			require.NoError(t, k.Emit("none"))
			require.Equal(t, `42["none"`, p.event(p.next()))
			require.NoError(t, s.To("room").Emit("bin", []byte("x")))
			require.Equal(t, `451-["bin",{"_placeholder":true,"num":0}`, p.event(p.next()))
			p.expect("b:x")
			require.NoError(t, s.Volatile().Emit("volatile", "v"))
			p.expect(`42["volatile","v"]`)
			p.drop(s)

			require.NoError(t, s.Emit("all", []byte("y")))
			require.NoError(t, s.To("room").Emit("in"))
			require.NoError(t, s.To("room").Except("other").Emit("excepted"))
			require.NoError(t, s.To("else").Emit("elsewhere"))
			require.NoError(t, s.Of("/x").Emit("foreign"))
			require.NoError(t, s.Volatile().Emit("volatile"))
			require.NoError(t, s.To(p.sid).Emit("own", "last"))

			n := p.back(s)
			require.Equal(t, `451-["all",{"_placeholder":true,"num":0}`, n.event(n.next()))
			n.expect("b:y")
			require.Equal(t, `42["in"`, strings.TrimSuffix(n.event(n.next()), `,"`))
			require.Equal(t, `42["own","last"`, n.event(n.next()))
			n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
			b := receive(t, came)
			require.True(t, b.Recovered())
			require.Equal(t, p.sid, b.ID())
			require.Equal(t, []string{p.sid, "room", "other"}, b.Rooms())
			require.Equal(t, "mine", b.Data())
			require.Equal(t, 7, b.Get("key"))
			require.Empty(t, guards, "middleware is skipped")
			found, err := s.root.Socket(p.sid)
			require.NoError(t, err)
			require.Same(t, b, found)

			// Live again, by every way, and not to itself.
			require.NoError(t, s.To(p.sid).Emit("id"))
			require.NoError(t, b.Broadcast().Emit("not"))
			require.NoError(t, k.Broadcast().Emit("neither"))
			require.NoError(t, s.To("room").Emit("room"))
			require.Equal(t, `42["id"`, n.event(n.next()))
			require.Equal(t, `42["room"`, n.event(n.next()))

			// Once more, and then for good.
			n.drop(s)
			m := n.back(s)
			m.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
			receive(t, came).Disconnect(false)
			m.expect("41")
			m = m.back(s)
			m.welcome(m.next())
			require.NotEqual(t, p.sid, m.sid)
			require.NotEqual(t, p.pid, m.pid)
			require.False(t, receive(t, came).Recovered())
			require.False(t, receive(t, guards))
			require.NoError(t, m.conn.Close())
		}
		got := s.Stats().Recovery
		require.EqualValues(t, 4*loops, got.Results["recovered"])
		require.EqualValues(t, 2*loops, got.Results["unknown_session"])
	})
}

// Without the option nothing is different on the wire.
func TestRecoveryOff(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	p := dial(t, s)
	p.send(`40{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"x"}`)
	got := p.next()
	require.Len(t, got, len(`40{"sid":"12345678901234567890"}`))
	require.NoError(t, s.Emit("e", "a"))
	p.expect(`42["e","a"]`)
}

func TestRecoveryWithoutOffset(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		s := serve(t, recovering(loops), nil)
		require.NoError(t, s.Emit("before"))
		p := newcomer(t, s)
		p.drop(s)
		require.NoError(t, s.Emit("missed"))
		n := p.back(s)
		require.Equal(t, `42["missed"`, n.event(n.next()))
		n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
	})
}

// A client that comes back before its old connection was noticed dead.
func TestRecoveryTakesOver(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		gone := make(chan string, 100)
		s := serve(t, recovering(loops), func(s *Server) {
			s.OnDisconnect(func(_ *Socket, reason string) { gone <- reason })
		})
		p := newcomer(t, s)
		for range 8 {
			require.NoError(t, s.Emit("e"))
			require.Equal(t, `42["e"`, p.event(p.next()))
			n := p.back(s)
			n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
			n.sid = p.sid
			require.Equal(t, "transport close", receive(t, gone))
			require.Equal(t, 1, s.root.Len())
			p = n
		}
	})
}

func TestRecoveryRefused(t *testing.T) {
	t.Parallel()
	o := recovering(2)
	o.ConnectionStateRecovery.MaxParked = 2
	o.ConnectionStateRecovery.MaxLogBytes = 20_000
	s := serve(t, o, nil)
	fresh := func(p *returner, why string) {
		t.Helper()
		before := s.Stats().Recovery.Results[why]
		n := p.back(s)
		n.welcome(n.next())
		require.NotEqual(t, p.sid, n.sid)
		require.NotEqual(t, p.pid, n.pid)
		require.Equal(t, before+1, s.Stats().Recovery.Results[why])
	}
	p := newcomer(t, s)
	p.drop(s)
	sid, pid := p.sid, p.pid

	p.pid = "AAAAAAAAAAAAAAAAAAAA"
	fresh(p, "unknown_session")
	p.pid = p.sid
	fresh(p, "unknown_session")
	p.pid, p.offset = pid, "poisoned"
	fresh(p, "bad_offset")
	p.offset = s.recovery.epoch + "zzzzzzzz"
	fresh(p, "bad_offset")
	p.offset = ""

	for range 100 { // more than the log holds
		require.NoError(t, s.Emit("e", strings.Repeat("x", 100)))
	}
	got := s.Stats().Recovery
	require.LessOrEqual(t, got.LogBytes, 20_000)
	require.Less(t, got.LogEvents, 60)
	p.sid = sid
	fresh(p, "too_far_behind")
	fresh(p, "unknown_session")

	a, b, c := newcomer(t, s), newcomer(t, s), newcomer(t, s)
	for _, p := range []*returner{a, b} {
		p.drop(s)
	}
	require.NoError(t, c.conn.Close())
	soon(t, "evicted", func() bool { return s.Stats().Recovery.Evicted == 1 })
	require.Equal(t, 2, s.Stats().Recovery.Parked)
	fresh(a, "unknown_session")
	b = b.back(s)
	b.welcome(b.next())
}

func TestRecoveryExpires(t *testing.T) {
	t.Parallel()
	o := recovering(2)
	o.ConnectionStateRecovery.MaxDisconnectionDuration = 50 * time.Millisecond
	o.CleanupEmptyChildNamespaces = true
	s := serve(t, o, nil)
	p := newcomer(t, s)
	require.NoError(t, p.conn.Close())
	soon(t, "expired", func() bool { return s.Stats().Recovery.Expired == 1 })
	require.Zero(t, s.Stats().Recovery.Parked)
	s.recovery.mu.Lock()
	left := len(s.recovery.sessions)
	s.recovery.mu.Unlock()
	require.Zero(t, left)
	n := p.back(s)
	n.welcome(n.next())
	require.NotEqual(t, p.sid, n.sid)
}

// Middleware may be asked again; what comes meanwhile is missed, too, and a
// client that goes meanwhile, or is sent away, has its session still.
func TestRecoveryWithMiddleware(t *testing.T) {
	t.Parallel()
	guards := make(chan *Socket)
	verdicts := make(chan error)
	o := recovering(2)
	o.ConnectionStateRecovery.RunMiddlewares = true
	s := serve(t, o, func(s *Server) {
		s.Use(func(k *Socket) error {
			guards <- k
			return <-verdicts
		})
	})
	p := &returner{peer: dial(t, s)}
	p.send("40")
	first := receive(t, guards)
	require.NoError(t, first.Emit("early"))
	verdicts <- nil
	require.Equal(t, `42["early"`, p.event(p.next()))
	p.welcome(p.next())
	p.drop(s)

	require.NoError(t, s.Emit("one"))
	for range 3 { // on either loop
		n := p.back(s)
		k := receive(t, guards)
		require.True(t, k.Recovered())
		require.Equal(t, p.sid, k.ID())
		n.drop(s)
		verdicts <- nil
	}
	n := p.back(s)
	receive(t, guards)
	require.NoError(t, s.Emit("two"))
	for i := range s.loops { // are past it
		require.NoError(t, s.loops[i].Load().do(func(*loop) {}))
	}
	verdicts <- nil
	require.Equal(t, `42["one"`, n.event(n.next()))
	require.Equal(t, `42["two"`, n.event(n.next()))
	n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
	require.NoError(t, s.Emit("three"))
	require.Equal(t, `42["three"`, n.event(n.next()))

	n.drop(s)
	p.offset = n.offset
	n = p.back(s)
	receive(t, guards)
	verdicts <- &Error{Message: "no more"}
	n.expect(`44{"message":"no more"}`)
	require.Zero(t, s.Stats().Recovery.Parked, "a refusal ends the session")
}

// An offset that names an event from before the start, which no loop will see.
func TestRecoveryOfMadeUpOffset(t *testing.T) {
	t.Parallel()
	s := serve(t, recovering(2), func(s *Server) {
		for range 5 {
			require.NoError(t, s.Emit("nobody"))
		}
	})
	p := newcomer(t, s)
	p.drop(s)
	p.offset = s.recovery.epoch + "-------4"
	n := p.back(s)
	n.welcome(n.next())
	require.EqualValues(t, 1, s.Stats().Recovery.Results["bad_offset"])
}

// Catch-all handlers do not see offsets.
func TestRecoveryOfWhatHandlersSee(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 10)
	s := serve(t, recovering(1), func(s *Server) {
		note := func(k *Socket, e *Event) { seen <- fmt.Sprint(k != nil, e.Name(), e.args.JSON) }
		s.root.OnAnyOutgoing(note)
		s.OnConnection(func(k *Socket) {
			k.OnAnyOutgoing(note)
			_ = k.Emit("a", "b")
			_ = s.Emit("c")
			_ = k.Emit("end")
		})
	})
	p := newcomer(t, s)
	for range 3 {
		p.event(p.next())
	}
	b := []byte(`"b"`)
	got := map[string]int{}
	for range 6 {
		got[receive(t, seen)]++
	}
	require.Equal(t, map[string]int{fmt.Sprint(true, "a", b): 2, fmt.Sprint(false, "c", []byte{}): 1,
		fmt.Sprint(true, "c", []byte{}): 1, fmt.Sprint(true, "end", []byte{}): 2}, got)
}

// A client that has heard nothing for long, because nothing was for it, has
// missed nothing of what went out of the log meanwhile.
func TestRecoveryOfQuietClients(t *testing.T) {
	t.Parallel()
	o := recovering(2)
	o.ConnectionStateRecovery.MaxLogBytes = 20_000
	s := serve(t, o, nil)
	r := s.recovery
	p := newcomer(t, s)
	require.NoError(t, s.Emit("e"))
	p.event(p.next())
	for _, many := range []int{10, 200} { // for the time, for the bytes
		for range many {
			require.NoError(t, s.To("else").Emit("e", strings.Repeat("x", 100)))
		}
		r.mu.Lock()
		for i := range r.log {
			r.log[i].at -= int64(time.Hour)
		}
		r.lost.at -= int64(time.Hour)
		r.mu.Unlock()
		require.Zero(t, s.Stats().Recovery.LogEvents)

		p.drop(s)
		require.NoError(t, s.To(p.sid).Emit("missed"))
		n := p.back(s)
		require.Equal(t, `42["missed"`, n.event(n.next()))
		n.expect(fmt.Sprintf(`40{"sid":%q,"pid":%q}`, p.sid, p.pid))
		n.sid = p.sid
		p = n
	}
	require.EqualValues(t, 2, s.Stats().Recovery.Results["recovered"])
}

// What one socket is told nobody else gets, who is in a room named like its id:
// neither at once nor after a break.
func TestRecoveryKeepsEmitsToOneApart(t *testing.T) {
	t.Parallel()
	onEachLoop(t, func(t *testing.T, loops int) {
		s := serve(t, recovering(loops), nil)
		a, b := newcomer(t, s), newcomer(t, s)
		ka, err := s.Of("/").Socket(a.sid)
		require.NoError(t, err)
		kb, err := s.Of("/").Socket(b.sid)
		require.NoError(t, err)
		kb.Join(a.sid)
		require.NoError(t, ka.Emit("private", 1))
		require.NoError(t, s.To(a.sid).Emit("room", 1))
		require.Equal(t, `42["private",1`, a.event(a.next()))
		require.Equal(t, `42["room",1`, a.event(a.next()))
		require.Equal(t, `42["room",1`, b.event(b.next()))
		b.drop(s)
		require.NoError(t, ka.Emit("private", 2))
		require.NoError(t, s.To(a.sid).Emit("room", 2))
		again := b.back(s)
		require.Equal(t, `42["room",2`, again.event(again.next()))
		again.welcome(again.next())
		require.Equal(t, `42["private",2`, a.event(a.next()))
	})
}
