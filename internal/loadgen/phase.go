package loadgen

import (
	"fmt"
	"time"
)

// sender is a connection that sends a stream.
type sender struct {
	conn   int32
	stream uint32
	seq    uint32 // the last one sent
	credit int32  // closed loop: how many it may send
	room   string
}

// settlement is what finish found.
type settlement struct{ expected, lost, missed uint64 }

// settleTime is for servers that do not say when a join is done.
const settleTime = 500 * time.Millisecond

// connectAll brings this worker's share in; an attempt that fails is not
// repeated.
func (w *worker) connectAll() {
	n := w.plan.share(w.plan.Connections, w.num)
	for i := range int32(n) {
		w.queue = append(w.queue, i)
	}
	w.until(now()+int64(MaxDuration), func() bool {
		return len(w.queue) == 0 && w.counts.InFlight == 0
	})
	w.queue = nil
}

// joinAll has all enter their room, and waits for the answers.
func (w *worker) joinAll() {
	// No more than these under way: the server answers each at once.
	const slice = 256
	asked, patient := 0, true
	answered := func(but int) bool {
		return w.until(now()+int64(w.plan.Timeout), func() bool {
			return w.counts.Joined+but >= min(asked, w.counts.Ready)
		})
	}
	for i := range int32(w.plan.share(w.plan.Connections, w.num)) {
		if w.conns[i].state != ready {
			continue
		}
		w.join(i)
		if asked++; asked%slice == 0 && patient {
			patient = answered(slice) // the others are not waited for either
		}
	}
	if len(w.joinedHead) == 0 || !patient {
		w.until(now()+int64(settleTime), nil)
	}
	if patient {
		patient = answered(0)
	}
	if !patient && !w.stopped {
		for range w.counts.Ready - w.counts.Joined {
			w.note(errTimeout, fmt.Sprintf("no event %q within %s of a join",
				w.plan.Contract.Joined, w.plan.Timeout))
		}
	}
}

// join sends what enters the room of connection i.
func (w *worker) join(i int32) {
	c := &w.conns[i]
	if c.state != ready || c.joined {
		return
	}
	w.packetBuf = w.entry.append(w.packetBuf[:0], w.plan.room(w.global(i)), stamp{})
	if w.send(i, w.packetBuf) && len(w.joinedHead) == 0 {
		c.joined = true
		w.counts.Joined++
	}
}

// sendAll sends for the plan's duration, at a rate or in a closed loop.
func (w *worker) sendAll() {
	w.napping = w.plan.Nap
	for i := range w.conns {
		w.conns[i].receives = w.conns[i].state == ready
	}
	start := now()
	end := start + int64(w.plan.Duration)
	if w.plan.Scenario == Jitter {
		w.comeBack()
	}
	if w.plan.Rate > 0 {
		w.sendAtRate(start, end)
	} else {
		w.sendInTurn(end)
	}
}

// sendAtRate sends each message when it is due, whatever has come back. Its
// latency counts from then, so that a stall of the generator or the server is
// not left out.
func (w *worker) sendAtRate(start, end int64) {
	if len(w.senders) == 0 {
		w.paced(start, end, 0, nil)
		return
	}
	rate := w.plan.Rate * float64(len(w.senders)) / float64(w.plan.senders())
	next := 0
	w.paced(start, end, rate, func(due int64) {
		w.emit(int32(next), due)
		next = (next + 1) % len(w.senders)
	})
}

// paced calls do for everything that is due at a rate between two times, and
// turns the loop. What could not be done by the end counts as blocked.
func (w *worker) paced(start, end int64, rate float64, do func(due int64)) {
	const burst = 32 // between two looks at the sockets
	step := float64(time.Second) / max(rate, 1e-9)
	drops := w.newDrops(start)
	for k := 0; !w.stopped; {
		at := now()
		drops.upTo(at)
		due := end
		if rate > 0 {
			due = min(end, start+int64(float64(k)*step))
		}
		switch {
		case at >= end:
			if due < end {
				w.counts.Blocked += uint64(float64(end-due) / step)
			}
			return
		case due <= at:
			do(due)
			if k++; k%burst == 0 {
				w.turn(0)
			}
		default:
			w.turn(time.Duration(min(due, drops.next) - at))
		}
	}
}

// sendInTurn keeps the plan's number of messages of each sender under way.
func (w *worker) sendInTurn(end int64) {
	w.sending = true
	for s := range w.senders {
		w.credit(int32(s), w.plan.Outstanding)
	}
	for !w.stopped {
		for len(w.credited) > 0 {
			list := w.credited
			w.credited = w.spare[:0]
			for _, s := range list {
				w.spend(s)
			}
			w.spare = list
		}
		left := end - now()
		if left <= 0 {
			break
		}
		w.turn(time.Duration(left))
	}
	w.sending, w.credited = false, w.credited[:0]
}

// credit allows a sender of a closed loop n messages more.
func (w *worker) credit(s int32, n int) {
	if !w.sending {
		return
	}
	if x := &w.senders[s]; x.credit == 0 {
		w.credited = append(w.credited, s)
		x.credit = int32(n)
	} else {
		x.credit += int32(n)
	}
}

// spend sends all that a sender may.
func (w *worker) spend(s int32) {
	x := &w.senders[s]
	n := x.credit
	x.credit = 0
	for range n {
		w.emit(s, now())
	}
}

// emit sends the next message of a sender, which was due then.
func (w *worker) emit(s int32, due int64) {
	x := &w.senders[s]
	c := &w.conns[x.conn]
	if c.state != ready || c.waiting() > maxOutput {
		w.counts.Blocked++
		return
	}
	x.seq++
	w.packetBuf = w.form.append(w.packetBuf[:0], x.room,
		stamp{w.plan.Run, x.stream, x.seq, due})
	w.lag.add(now() - due)
	w.counts.Sent++
	w.send(x.conn, w.packetBuf)
}

// waiting is how many bytes the server has not taken.
func (c *conn) waiting() int {
	if c.poll != nil {
		// One POST may not be longer than the server's limit, often 1 MB.
		return len(c.out) + 2*len(c.poll.outbox)
	}
	return len(c.out)
}

// finish waits until every client online has all that was sent, at most for
// the plan's drain time, and settles the accounts.
func (w *worker) finish(sent []uint32) {
	w.napping = w.plan.Nap
	expect := func(i int32, slot int) uint32 {
		stream := slot
		switch g := w.global(i); w.plan.Scenario {
		case Rooms:
			stream = g % w.plan.Rooms
		case Echo:
			stream = g
		}
		if stream < len(sent) {
			return sent[stream]
		}
		return 0
	}
	pending := int32(0) // all before this one have everything
	end := now() + int64(w.plan.Drain)
	w.until(end, func() bool {
		for ; int(pending) < len(w.conns); pending++ {
			if w.conns[pending].back {
				return false
			}
			if w.conns[pending].state == offline {
				continue
			}
			for slot, x := range w.ownWindows(pending) {
				// What was sent while a client was away does not come.
				if x.last < expect(pending, slot) && !x.away {
					return false
				}
			}
		}
		return w.counts.InFlight == 0
	})
	// Duplicates come after what they repeat.
	w.until(min(end, now()+int64(tailTime)), nil)

	w.settled = settlement{missed: w.counts.Missed}
	var missing uint64
	for i := range int32(len(w.conns)) {
		c := &w.conns[i]
		if !c.receives {
			continue
		}
		for slot, x := range w.ownWindows(i) {
			n := expect(i, slot)
			w.settled.expected += uint64(n)
			missing += uint64(n - min(x.got, n))
			if c.back || x.away {
				w.settled.missed += uint64(n - min(x.last, n))
			}
		}
	}
	w.settled.missed = min(w.settled.missed, missing)
	w.settled.lost = missing - w.settled.missed
}

// tailTime is how long finish still listens for duplicates.
const tailTime = 100 * time.Millisecond
