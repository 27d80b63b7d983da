package netpoll

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	tickLength = 100 * time.Millisecond
	// maxDoze is the longest that a loop hears nothing, in ticks: the one that
	// is stuck is to be seen.
	maxDoze = 10
	// busyTurns in a tick, a loop is busy and told the time at each. Below, it
	// can afford to read the time itself.
	busyTurns = 200
	// trimTicks lie between two trims of a loop's pools.
	trimTicks = 100

	// turnTimers caps the timers that one turn looks at.
	turnTimers = 512
	// turnFires caps those that fire, while the loop is in time: heartbeats of
	// thousands come on the same tick, each costs a write, and what is read
	// meanwhile waits for all of a turn's.
	turnFires = 16
	// pacedTurns in a tick, others bring a loop so many turns that heartbeats
	// need none of their own.
	pacedTurns = 30
)

// clock tells a server's loops what time it is. While nothing is to be done it
// sleeps until the next timer of any: waking an idle processor costs as much as
// some heartbeats, and ten times a second was a third of what 15,000 idle
// connections cost.
type clock struct {
	loops func() []*Loop
	start int64 // nanotime of tick 0
	// next is the tick that it will come at. While it dozes that is not the
	// following one, and what the loops were told is old.
	next   atomic.Uint32
	dozing atomic.Bool

	mu    sync.Mutex
	timer *time.Timer // nil before run and after stop
	last  uint32
}

// loopClock is a loop's side of the clock. The atomics are shared with it.
type loopClock struct {
	ticks atomic.Uint32 // the time, as last told
	// due is the tick of the loop's first timer or earlier, then that of the
	// next, which the clock takes for the first once it has told this one.
	due, then atomic.Uint32
	asked     atomic.Int64 // nanotime of the first tick not taken up
	seen      uint64       // turns; the clock's alone

	first      uint32 // due, as the loop knows it
	trimmed    uint32
	worked     uint32 // turns since the last tick that were not for timers
	paced      bool   // timers fire behind the work of such turns
	timersDue  bool   // some of this tick are left
	timersLate bool   // and were of the one before
}

// run starts the clock. Once.
func (k *clock) run(loops func() []*Loop) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loops = loops
	k.start = nanotime()
	k.next.Store(1)
	k.timer = time.AfterFunc(tickLength, k.tick)
}

func (k *clock) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

// at returns the tick of a nanotime.
func (k *clock) at(t int64) uint32 { return uint32((t - k.start) / int64(tickLength)) }

// tick tells the loops the time and sets the next.
func (k *clock) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer == nil {
		return
	}
	at := nanotime()
	now := k.at(at)
	busy := false
	for _, l := range k.loops() {
		l.told(now, at)
		turns := l.pub.turns.Load()
		busy = busy || turns-l.seen > busyTurns*uint64(now-k.last)
		l.seen = turns
	}
	k.last = now
	if busy {
		k.next.Store(now + 1)
		k.dozing.Store(false)
	} else {
		k.doze(now)
	}
	k.rest()
}

// doze finds out when the clock is needed next. A loop that sets an earlier
// timer meanwhile either is seen by the second look or sees what the first one
// found, and hurries the clock.
func (k *clock) doze(now uint32) {
	for next := k.soonest(now); ; {
		k.next.Store(next)
		k.dozing.Store(next-now > 1)
		again := k.soonest(now)
		if again >= next {
			return
		}
		next = again
	}
}

// soonest is the tick of the first timer of all, at most maxDoze away.
func (k *clock) soonest(now uint32) uint32 {
	wait := int32(maxDoze)
	for _, l := range k.loops() {
		wait = min(wait, max(int32(l.due.Load()-now), 1))
	}
	return now + uint32(wait)
}

// rest sleeps until the next tick. The counter may have wrapped between them.
func (k *clock) rest() {
	t := nanotime()
	ticks := int32(k.next.Load() - k.at(t))
	k.timer.Reset(time.Duration(ticks)*tickLength - time.Duration(t-k.start)%tickLength)
}

// hurry makes the clock come at tick due at the latest. Any goroutine.
func (k *clock) hurry(due uint32) {
	if int32(due-k.next.Load()) >= 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil && int32(due-k.next.Load()) < 0 {
		k.next.Store(due)
		k.rest()
	}
}

// told is the clock's: it is now, and the loop has a turn if it has timers.
func (l *Loop) told(now uint32, at int64) {
	due := l.due.Load()
	if int32(due-now) > 0 {
		l.ticks.Store(now)
		return
	}
	// Before the tick, so that what takes it up is later.
	if l.pub.beat.Load() >= l.asked.Load() {
		l.asked.Store(at)
	}
	l.ticks.Store(now)
	then := l.then.Load()
	if int32(then-now) <= 0 {
		then = now + 1
	}
	l.due.CompareAndSwap(due, then)
	l.arm()
}

// Tick returns the loop's clock: 100 ms units since the start. Loop only.
func (l *Loop) Tick() uint32 {
	if k := &l.srv.clock; k.dozing.Load() {
		return k.at(nanotime())
	}
	return l.ticks.Load()
}

// setTimer sets the timer of a connection's slot, 0 stops it.
func (l *Loop) setTimer(slot, ticks uint32) {
	if ticks == 0 {
		l.wheel.stop(slot)
		return
	}
	due := l.Tick() + min(ticks, maxTicks)
	l.wheel.set(slot, due)
	if int32(due-l.first) < 0 {
		l.first = due
		l.due.Store(due)
		l.srv.clock.hurry(due)
	}
}

// missed tells that the clock came for this loop while it was in a turn that
// had looked at its timers already.
func (l *Loop) missed() bool {
	now := l.ticks.Load()
	return now != l.wheel.now && int32(l.first-now) <= 0 || l.unheard()
}

// unheard tells that the clock waits for the loop.
func (l *Loop) unheard() bool { return l.asked.Load() > l.pub.beat.Load() }

// clock takes over the time and fires timers, if that is not for pace to do.
func (l *Loop) clock() {
	now := l.ticks.Load()
	fresh := now != l.wheel.now
	asked := l.asked.Load()
	late := asked > l.pub.beat.Load()
	if fresh || late { // the clock can ask twice in a tick
		at := nanotime()
		if late {
			l.pub.lag.Store(at - asked)
		}
		l.pub.beat.Store(at)
	}
	if !fresh && !l.timersDue {
		return
	}
	if fresh {
		if now-l.trimmed >= trimTicks {
			l.trimmed = now
			l.trim()
		}
		// What is left of a paced tick needs no haste yet, but turns.
		l.timersLate = l.timersDue && !l.paced
		l.paced = !l.timersDue && l.worked >= pacedTurns*(now-l.wheel.now)
		l.worked = 0
	}
	switch {
	case l.paced:
		l.fire(now, 0)
	case l.timersLate:
		l.fire(now, turnTimers)
	default:
		l.fire(now, turnFires)
	}
}

// fire lets at most so many timers fire and tells the clock when it is needed.
func (l *Loop) fire(now uint32, most int) {
	_, l.timersDue = l.wheel.advance(now, turnTimers, most, func(slot uint32) {
		if c := l.conns[slot]; c != nil {
			c.timerFired()
		}
	})
	first := now + 1
	if !l.timersDue || !l.paced {
		// What is left of this tick brings turns by itself.
		first = l.wheel.after(now, maxDoze)
	}
	l.first = first
	l.then.Store(l.wheel.after(first, maxDoze))
	l.due.Store(first)
	l.srv.clock.hurry(first)
}

// pace fires timers behind a turn's work, so that nobody waits for them who was
// there first.
func (l *Loop) pace() {
	if l.paced && l.timersDue {
		l.fire(l.wheel.now, turnFires)
		l.flush()
	}
}
