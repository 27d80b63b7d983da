package netpoll

import "math/bits"

const (
	wheelSlots = 1024
	wheelMask  = wheelSlots - 1
	// maxTicks keeps due times comparable when the tick counter wraps.
	maxTicks = 1 << 30
	// atHead marks a prev that names a list head instead of a link.
	atHead = 1 << 31
	// workList is the number of the list that advance is working through.
	workList = wheelSlots
)

// wheelLink is a connection's place in the wheel. Links are slot numbers plus
// one instead of pointers: the collector has nothing to follow, and the zero
// value is a timer that is off.
type wheelLink struct {
	next, prev uint32
	due        uint32
}

// armed reports whether the timer is running.
func (l *wheelLink) armed() bool { return l.prev != 0 }

// wheel is a loop's timers: one list per 100 ms tick, 1,024 of them, a timer
// due later than that goes around. Everything runs on the loop and nothing
// allocates.
//
// A timer that is moved to a later time, which is what traffic does to an idle
// deadline, stays in its list and moves on when that list's time comes. So a
// list holds timers due at its tick or later, never earlier.
type wheel struct {
	// heads are the first links; the last list is what advance took off.
	heads [wheelSlots + 1]uint32
	// full has a bit for each list that is not empty.
	full [wheelSlots / 64]uint64
	// now is the time of the last advance; ticks up to done have been taken off
	// the lists. They differ while expiries are held back by a limit.
	now, done uint32
	// links are the slots' timers, side by side: setting one touches its two
	// neighbors in a list, whose connections are seldom in a cache.
	links []wheelLink
}

// reserve makes room for the timer of slot, which is off.
func (w *wheel) reserve(slot uint32) {
	for len(w.links) <= int(slot) {
		w.links = append(w.links, wheelLink{})
	}
}

// set makes the timer of slot fire at tick due, which is to come; it replaces
// the time set before.
func (w *wheel) set(slot, due uint32) {
	l := &w.links[slot]
	if l.prev != 0 {
		if int32(due-l.due) >= 0 {
			l.due = due
			return
		}
		w.unlink(l)
	}
	l.due = due
	w.link(slot, l)
}

// stop turns the timer of slot off. It must be off before the slot is freed.
func (w *wheel) stop(slot uint32) {
	if l := &w.links[slot]; l.prev != 0 {
		w.unlink(l)
	}
}

// advance moves the time on to tick to and calls fire for the timers due, in
// the order of their ticks. fire may set and stop any timer, its own included,
// and free slots whose timer is off; it must not call advance.
//
// At most looks timers are looked at, fired or moved on, and at most fires of
// them fired, so that a crowd with one deadline cannot hold the loop; more
// reports that some are left for the next call, which may repeat the same tick.
func (w *wheel) advance(to uint32, looks, fires int, fire func(slot uint32)) (fired int, more bool) {
	if int32(to-w.now) > 0 {
		w.now = to
	}
	for {
		for w.heads[workList] != 0 {
			if looks <= 0 || fired == fires {
				return fired, true
			}
			looks--
			slot := w.heads[workList] - 1
			l := &w.links[slot]
			w.unlink(l)
			if int32(l.due-w.done) > 0 {
				w.link(slot, l)
				continue
			}
			fired++
			fire(slot)
		}
		if w.done == w.now {
			return fired, false
		}
		if w.now-w.done > wheelSlots {
			// The loop slept for more than a turn of the wheel: once around
			// meets every list.
			w.done = w.now - wheelSlots
		}
		w.done++
		w.takeList(w.done & wheelMask)
	}
}

// after returns the first tick behind t that has a list, and a timer perhaps,
// or t+most if there is none before.
func (w *wheel) after(t, most uint32) uint32 {
	for d := uint32(1); d < most; {
		i := (t + d) & wheelMask
		if rest := w.full[i/64] >> (i % 64); rest != 0 {
			return t + min(d+uint32(bits.TrailingZeros64(rest)), most)
		}
		d += 64 - i%64
	}
	return t + most
}

// takeList moves a whole list to the work list. Timers that fire sets anew go
// to the emptied one, so that a round ends.
func (w *wheel) takeList(i uint32) {
	first := w.heads[i]
	if first == 0 {
		return
	}
	w.heads[i] = 0
	w.full[i/64] &^= 1 << (i % 64)
	w.heads[workList] = first
	w.links[first-1].prev = atHead | workList
}

func (w *wheel) link(slot uint32, l *wheelLink) {
	i := l.due & wheelMask
	l.next, l.prev = w.heads[i], atHead|i
	if l.next != 0 {
		w.links[l.next-1].prev = slot + 1
	}
	w.heads[i] = slot + 1
	w.full[i/64] |= 1 << (i % 64)
}

func (w *wheel) unlink(l *wheelLink) {
	if l.next != 0 {
		w.links[l.next-1].prev = l.prev
	}
	if l.prev&atHead != 0 {
		i := l.prev &^ atHead
		w.heads[i] = l.next
		if l.next == 0 && i != workList {
			w.full[i/64] &^= 1 << (i % 64)
		}
	} else {
		w.links[l.prev-1].next = l.next
	}
	l.next, l.prev = 0, 0
}
