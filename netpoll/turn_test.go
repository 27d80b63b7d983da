package netpoll

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// numberTask sends n like PostSend(c, number(n)), as a task.
type numberTask struct {
	c *Conn
	n int
}

func (t numberTask) Run(*Loop) bool {
	t.c.Send(number(t.n))
	return false
}

// Messages and tasks of one goroutine take effect in its order, those of
// several each in its own. gnet's Execute does not promise that.
func TestPostIsFIFO(t *testing.T) {
	for _, loops := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			const goroutines, each = 4, 25_000
			h, up := conns()
			s := startEcho(t, Options{Loops: loops, MaxPendingFrames: 1 << 20}, h)
			c := connect(t, s, 0)
			p := <-up
			// Somebody on every loop gets something in between.
			var others []*echoPeer
			for range loops {
				go drain(connect(t, s, 0))
				others = append(others, <-up)
			}
			for g := range goroutines {
				go func() {
					for i := range each {
						v := g<<24 | i
						if i%7 == 3 {
							p.Loop().Post(numberTask{&p.Conn, v})
						} else {
							p.Loop().PostSend(&p.Conn, number(v))
						}
						if i%500 == 0 {
							o := others[i/500%len(others)]
							o.Loop().PostSend(&o.Conn, number(0))
						}
					}
				}()
			}
			next := [goroutines]int{}
			for range goroutines * each {
				_, b := c.next()
				v := int(binary.BigEndian.Uint32(b))
				require.Equal(t, next[v>>24], v&(1<<24-1), "goroutine %d", v>>24)
				next[v>>24]++
			}
		})
	}
}

func drain(c *wsClient) { _, _ = io.Copy(io.Discard, c.br) }

// A task that asks to be run again comes before what was posted after it.
func TestTaskIsFinishedBeforeLaterPosts(t *testing.T) {
	r := newRig(t, Options{MaxPendingFrames: 1 << 20}, &echoHandler{})
	p, f := r.openWS()
	var order []string
	runs := 0
	r.l.Post(taskFunc(func(l *Loop) bool {
		runs++
		order = append(order, fmt.Sprint("walk ", runs))
		for !l.Spent() {
			p.SendBulk(number(0))
		}
		return runs < 3
	}))
	r.l.Post(taskFunc(func(*Loop) bool { order = append(order, "later"); return false }))
	for range 3 {
		require.NotContains(t, order, "later")
		before := runs
		r.l.turn()
		require.LessOrEqual(t, runs, before+1, "one turn, one share of the walk")
		f.read()
	}
	for r.l.armed.Load() {
		r.l.turn()
		f.read()
	}
	require.Equal(t, []string{"walk 1", "walk 2", "walk 3", "later"}, order)
}

// A walk over many turns lets the reads of other clients in. The task below
// ends when an echo client has had its answers; without the yield between
// turns it would never get one.
func TestReadsAreNotStarvedByFanOut(t *testing.T) {
	const members, wantEchoes, cap = 40, 5, 3000
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxPendingFrames: 1 << 24, MaxPendingBytes: 1 << 28}, h)
	var room []*echoPeer
	for range members {
		go drain(connect(t, s, 0))
		room = append(room, <-up)
	}
	c := connect(t, s, 0)
	<-up
	var echoes atomic.Int64
	turns, started, done := 0, make(chan struct{}), make(chan struct{})
	m := number(1)
	s.Loops()[0].Post(taskFunc(func(l *Loop) bool {
		if turns++; turns == 1 {
			close(started)
		}
		for i := 0; !l.Spent(); i++ {
			room[i%members].SendBulk(m)
		}
		if echoes.Load() < wantEchoes && turns < cap {
			return true
		}
		close(done)
		return false
	}))
	<-started
	for range wantEchoes {
		c.send(ws.OpText, []byte("still there?"))
		c.next()
		echoes.Add(1)
	}
	<-done
	require.Less(t, turns, cap, "the fan-out went on without reads in between")
}

// The flush has a budget too; direct messages cannot use all of it when
// broadcasts wait.
func TestFlushStopsAtItsBudget(t *testing.T) {
	const members = 4 * clockEvery
	r := newRig(t, Options{TurnBudget: 1}, &echoHandler{})
	links := make([]*fakeLink, 2*members)
	peers := make([]*echoPeer, 2*members)
	for i := range links {
		peers[i], links[i] = r.openWS()
	}
	count := func(fs []*fakeLink) (n int) {
		for _, f := range fs {
			k, _ := countFrames(f.read())
			n += k
		}
		return n
	}
	r.l.Post(taskFunc(func(*Loop) bool {
		for i, p := range peers {
			if i < members {
				p.Send(number(1))
			} else {
				p.SendBulk(number(1))
			}
		}
		return false
	}))
	direct, bulk := links[:members], links[members:]
	r.l.turn()
	require.Equal(t, 2*clockEvery, count(direct), "direct ones, before and after the broadcasts")
	require.Equal(t, clockEvery, count(bulk), "broadcasts have their share")
	require.True(t, r.l.armed.Load(), "the rest needs a turn")
	r.turns()
	require.Equal(t, members-2*clockEvery, count(direct))
	require.Equal(t, members-clockEvery, count(bulk))
}

// Direct messages leave before broadcasts that were queued earlier, unless it
// is the same connection.
func TestDirectGoesBeforeBulk(t *testing.T) {
	r := newRig(t, Options{TurnBudget: 1}, &echoHandler{})
	var fs []*fakeLink
	var ps []*echoPeer
	for range 2*clockEvery + 1 {
		p, f := r.openWS()
		ps, fs = append(ps, p), append(fs, f)
	}
	r.l.Post(taskFunc(func(*Loop) bool {
		for _, p := range ps {
			p.SendBulk(number(1))
		}
		ps[len(ps)-1].Send(number(2))
		return false
	}))
	r.l.turn()
	n, got := countFrames(fs[len(fs)-1].read())
	require.Equal(t, 2, n, "the promoted connection writes all it has, first of all")
	require.Equal(t, []byte{0, 0, 0, 1}, got[0], "in order")
	require.Equal(t, []byte{0, 0, 0, 2}, got[1])
	n, _ = countFrames(fs[len(fs)-2].read())
	require.Zero(t, n, "another broadcast waits")
}

// The order of the writes is seen by a direct one that fails: no broadcast has
// left before it.
func TestDirectIsWrittenFirst(t *testing.T) {
	var bulk []*fakeLink
	before := -1
	h := &echoHandler{closed: func(*echoPeer, error) {
		if before < 0 {
			before = 0
			for _, f := range bulk {
				before += len(f.read())
			}
		}
	}}
	r := newRig(t, Options{}, h)
	var ps []*echoPeer
	for range 5 {
		p, f := r.openWS()
		ps, bulk = append(ps, p), append(bulk, f)
	}
	broken, f := r.openWS()
	require.NoError(t, unix.Shutdown(f.far, unix.SHUT_RDWR))
	r.l.Post(taskFunc(func(*Loop) bool {
		for _, p := range ps {
			p.SendBulk(number(1))
		}
		broken.Send(number(2))
		return false
	}))
	r.turns()
	require.Zero(t, before, "bytes of broadcasts written before the direct message")
	n, _ := countFrames(bulk[0].read())
	require.Equal(t, 1, n)
}

// Whatever mix of priorities is used, a connection gets it in order.
func TestPrioritiesKeepTheOrderOfAConnection(t *testing.T) {
	const total = 20_000
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxPendingFrames: 1 << 20}, h)
	c := connect(t, s, 0)
	p := <-up
	i := 0
	s.Loops()[0].Post(taskFunc(func(l *Loop) bool {
		for n := 0; n < 700 && i < total; n, i = n+1, i+1 {
			if i%5 < 3 {
				p.SendBulk(number(i))
			} else {
				p.Send(number(i))
			}
		}
		return i < total
	}))
	for want := range total {
		_, b := c.next()
		require.Equal(t, want, int(binary.BigEndian.Uint32(b)))
	}
}

// A message queued outside of a turn is not left to the ticker.
func TestSendFromAReadAsksForATurn(t *testing.T) {
	for name, send := range map[string]func(*Conn, *Msg){
		"Send": (*Conn).Send, "SendBulk": (*Conn).SendBulk,
	} {
		t.Run(name, func(t *testing.T) {
			h := &echoHandler{message: func(p *echoPeer, op ws.OpCode, b []byte, _ bool) {
				send(&p.Conn, NewMsg(op, b))
			}}
			r := newRig(t, Options{}, h)
			p, f := r.openWS()
			p.traffic(clientFrame(ws.OpText, true, []byte("x")))
			require.True(t, r.l.armed.Load())
			r.turns()
			n, _ := countFrames(f.read())
			require.Equal(t, 1, n)
		})
	}
}

// One byte at most is on its way to a loop: wakes never outnumber turns.
func TestOneWakeATurn(t *testing.T) {
	const goroutines, each = 8, 20_000
	s := startEcho(t, Options{Loops: 2}, &echoHandler{})
	var ran atomic.Int64
	task := taskFunc(func(*Loop) bool { ran.Add(1); return false })
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				s.Loops()[i%2].Post(task)
			}
		})
	}
	wg.Wait()
	eventually(t, "all tasks", func() bool { return ran.Load() == goroutines*each })
	for _, l := range s.Stats().Loops {
		require.LessOrEqual(t, l.Wakes, l.Turns+1)
		require.Less(t, l.Turns, uint64(goroutines*each), "turns must serve many posts")
	}
}

// pipe lets a rig's loop be woken like a real one, without the ticker that
// would hide a lost wake.
func (r *rig) pipe() (wait func() (bytes int), stop func()) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(r.t, err)
	r.l.attach(fds[0])
	buf := make([]byte, 64)
	return func() int { n, _ := unix.Read(fds[1], buf); return n },
		func() { r.l.detach(); _ = unix.Close(fds[1]) }
}

// Posting while the loop is about to go to sleep must wake it again.
func TestNoPostIsLost(t *testing.T) {
	const goroutines, each = 4, 5_000
	r := newRig(t, Options{}, &echoHandler{})
	wait, stop := r.pipe()
	defer stop()
	var left atomic.Int64
	left.Store(goroutines)
	for range goroutines {
		go func() {
			ran := make(chan struct{})
			for range each {
				r.l.Post(taskFunc(func(*Loop) bool { ran <- struct{}{}; return false }))
				<-ran
			}
			left.Add(-1)
			r.l.arm()
		}()
	}
	for left.Load() > 0 {
		require.Equal(t, 1, wait(), "bytes in the pipe")
		r.l.turn()
	}
}

// What was posted before the loop ran is done when it does.
func TestPostBeforeTheLoopRuns(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	ran := false
	r.l.Post(taskFunc(func(*Loop) bool { ran = true; return false }))
	wait, stop := r.pipe()
	defer stop()
	require.Equal(t, 1, wait())
	r.l.turn()
	require.True(t, ran)
}

// After the end a late post finds no pipe: its number may be a stranger's.
func TestWakeAfterTheEndTouchesNoDescriptor(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	_, stop := r.pipe()
	fd := r.l.wakeFD
	stop()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	require.Contains(t, []int{pair[0], pair[1]}, fd, "the number is in use again")
	r.l.Post(taskFunc(func(*Loop) bool { return false }))
	for _, end := range pair {
		_, err := unix.Read(end, make([]byte, 1))
		require.ErrorIs(t, err, unix.EAGAIN)
	}
}

// Timers of one tick fire a few a turn, so that what is read meanwhile does not
// wait for all of them, but many when the loop has not come round in a tick.
func TestTimersLetReadsIn(t *testing.T) {
	const crowd = 10 * turnFires
	fired := 0
	r := newRig(t, Options{}, &echoHandler{timer: func(*echoPeer) { fired++ }})
	var p *echoPeer
	var f *fakeLink
	for range crowd {
		p, f = r.openWS()
	}
	all := func() {
		r.turns()
		fired, r.l.worked = 0, 0 // a loop with work takes its time
		for _, c := range r.l.conns {
			c.SetTimer(1)
		}
	}
	all()
	r.l.ticks.Store(1)
	for k := range crowd / turnFires {
		p.traffic(clientFrame(ws.OpText, true, []byte("hello")))
		r.l.turn()
		require.Equal(t, (k+1)*turnFires, fired)
		require.Contains(t, string(f.read()), "hello", "while timers wait")
		require.Equal(t, fired < crowd, r.l.armed.Load(), "the next turn comes at once")
	}

	all()
	r.l.ticks.Store(2)
	r.l.turn()
	require.Equal(t, turnFires, fired)
	r.l.ticks.Store(3)
	r.l.turn()
	require.Equal(t, crowd, fired, "the loop is late")
	all()
	r.l.ticks.Store(4)
	r.l.turn()
	require.Equal(t, turnFires, fired, "and in time again")
}
