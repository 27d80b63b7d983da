package netpoll

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// asleep waits until the server's clock sleeps for longer than a tick.
func asleep(t *testing.T, s *Server) {
	t.Helper()
	eventually(t, "the clock sleeps", s.clock.dozing.Load)
}

// turnsOf counts the turns of all loops.
func turnsOf(s *Server) (n uint64) {
	for _, l := range s.Stats().Loops {
		n += l.Turns
	}
	return n
}

func TestIdleLoopsSleep(t *testing.T) {
	const loops, seconds = 2, 3
	h, up := conns()
	s := startEcho(t, Options{Loops: loops}, h)
	connect(t, s, 0)
	<-up
	asleep(t, s)
	had := turnsOf(s)
	time.Sleep(seconds * time.Second)
	// One when the clock comes, each second at the latest, and another perhaps.
	turns := turnsOf(s) - had
	require.LessOrEqual(t, turns, uint64(loops*2*(seconds+1)))
	require.GreaterOrEqual(t, turns, uint64(loops), "one that is stuck is to be seen")
	eventually(t, "a loop that is asked nothing is not silent", func() bool {
		st := s.Stats().Loops
		return st[0].Silent == 0 && st[1].Silent == 0
	})
}

// A timer that is set while the clock sleeps wakes it.
func TestTimersOfASleepingServer(t *testing.T) {
	fired := make(chan [2]uint32, 4)
	h, up := conns()
	h.timer = func(p *echoPeer) { fired <- [2]uint32{p.Slot(), p.Loop().Tick()} }
	s := startEcho(t, Options{Loops: 1}, h)
	connect(t, s, 0)
	connect(t, s, 0)
	first, second := <-up, <-up
	for try := 0; ; try++ {
		asleep(t, s)
		var from uint32
		onLoop(t, first.Loop(), func(*Loop) {
			from = first.Loop().Tick()
			second.SetTimer(maxDoze - 1)
			first.SetTimer(2)
		})
		a, b := <-fired, <-fired
		require.Equal(t, first.Slot(), a[0])
		require.Equal(t, second.Slot(), b[0])
		require.GreaterOrEqual(t, a[1]-from, uint32(2), "not early")
		require.GreaterOrEqual(t, b[1]-from, uint32(maxDoze-1), "not early")
		if b[1] > a[1] {
			return // each at its own tick
		}
		require.Less(t, try, 5, "the first waited for the second")
	}
}

func TestTheTimeGoesOnWhileTheClockSleeps(t *testing.T) {
	s := startEcho(t, Options{Loops: 1}, &echoHandler{})
	asleep(t, s)
	l := s.Loops()[0]
	var from, to uint32
	onLoop(t, l, func(*Loop) { from = l.Tick() })
	time.Sleep(5 * tickLength)
	onLoop(t, l, func(*Loop) { to = l.Tick() })
	require.GreaterOrEqual(t, to-from, uint32(5))
}

// clocked gives a rig's loop a clock that comes when the test says.
func clocked(t *testing.T, r *rig) *clock {
	k := &r.s.clock
	k.run(func() []*Loop { return []*Loop{r.l} })
	k.timer.Stop()
	k.timer = time.AfterFunc(time.Hour, func() {})
	t.Cleanup(k.stop)
	k.turnsOn(1)
	return k
}

// turnsOn lets n ticks pass and the clock come, at the beginning of a tick.
func (k *clock) turnsOn(n uint32) {
	k.start = nanotime() - int64(k.last+n)*int64(tickLength)
	k.tick()
}

func TestClockStaysAwakeForBusyLoops(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	k := clocked(t, r)
	r.turns()
	k.turnsOn(1)
	require.True(t, k.dozing.Load())
	r.l.pub.turns.Add(3*busyTurns + 1)
	k.turnsOn(3)
	require.False(t, k.dozing.Load())
	require.Equal(t, r.l.Tick()+1, k.next.Load())
	r.l.pub.turns.Add(busyTurns)
	k.turnsOn(1)
	require.True(t, k.dozing.Load())
}

// A tick that comes while the loop is in a turn, behind its look at the timers,
// brings another turn.
func TestNoTickIsMissed(t *testing.T) {
	fired := 0
	r := newRig(t, Options{}, &echoHandler{timer: func(*echoPeer) { fired++ }})
	p, _ := r.openWS()
	k := clocked(t, r)
	r.turns()
	p.SetTimer(1)
	r.l.armed.Store(true)
	r.l.Post(taskFunc(func(*Loop) bool {
		k.turnsOn(1)
		return false
	}))
	r.l.turn()
	require.Zero(t, fired)
	require.True(t, r.l.armed.Load())
	r.l.turn()
	require.Equal(t, 1, fired)
	require.False(t, r.l.armed.Load())
}

// The clock takes for granted that a loop does what it was woken for: what comes
// behind that is what it sleeps until.
func TestClockGoesFromTimerToTimer(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	k := clocked(t, r)
	a, _ := r.openWS()
	b, _ := r.openWS()
	k.turnsOn(1)
	r.turns()
	now := r.l.Tick()
	a.SetTimer(3)
	b.SetTimer(7)
	require.Equal(t, now+3, k.next.Load())
	r.l.ticks.Store(now + 1) // by another loop's tick
	r.turns()
	require.Equal(t, now+3, k.next.Load())
	k.turnsOn(3)
	require.Equal(t, now+7, k.next.Load())
	r.turns()
	require.Equal(t, now+7, k.next.Load())
	b.SetTimer(0)
	k.turnsOn(4)
	r.turns()
	k.turnsOn(1)
	require.Equal(t, now+8+maxDoze-1, k.next.Load(), "nothing is due")
}

// Where others keep a loop at work, timers of one tick fire behind that, and
// bring no turns of their own before the next tick.
func TestTimersOfBusyLoopsArePaced(t *testing.T) {
	const crowd = 4 * turnFires
	fired := 0
	r := newRig(t, Options{}, &echoHandler{timer: func(p *echoPeer) {
		fired++
		p.Send(NewMsg(ws.OpText, []byte("timer")))
	}})
	var p *echoPeer
	var f *fakeLink
	for range crowd {
		p, f = r.openWS()
	}
	k := clocked(t, r)
	r.turns()
	work := func() string {
		p.traffic(clientFrame(ws.OpText, true, []byte("hello")))
		r.l.turn()
		return string(f.read())
	}
	for range pacedTurns {
		work()
	}
	for _, c := range r.l.conns {
		c.SetTimer(1)
	}
	k.turnsOn(1)
	got := work()
	require.Equal(t, turnFires, fired)
	require.False(t, r.l.armed.Load())
	got += work()
	require.Equal(t, 2*turnFires, fired)
	require.Equal(t, 2, strings.Count(got, "hello"))

	k.turnsOn(1) // too few turns for the rest
	require.True(t, r.l.armed.Load())
	r.l.turn()
	require.Equal(t, 3*turnFires, fired)
	require.True(t, r.l.armed.Load(), "now they bring turns")
	r.turns()
	require.Equal(t, crowd, fired)
	got += string(f.read())
	require.Equal(t, 1, strings.Count(got, "timer"))
	require.True(t, strings.HasPrefix(got, "\x81\x05hello"), "what was there first")
}

// A loop that the clock asks again for a tick that it has taken up is there.
func TestClockAsksTwiceInATick(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	clocked(t, r)
	r.turns()
	require.False(t, r.l.unheard())
	r.l.due.Store(r.l.ticks.Load())
	r.l.armed.Store(true) // it is in a turn
	r.l.told(r.l.ticks.Load(), nanotime())
	require.True(t, r.l.unheard())
	r.l.disarm()
	require.True(t, r.l.armed.Load(), "another turn")
	r.turns()
	require.False(t, r.l.unheard())
}
