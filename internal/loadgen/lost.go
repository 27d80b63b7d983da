package loadgen

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is how long a client waits after a failed attempt; with up to as
// much again, by chance, so that they do not come in step.
const retryAfter = 500 * time.Millisecond

// comeBack has every client that is lost from now on come back, as the
// official clients do.
func (w *worker) comeBack() {
	w.cameIn = func(i int32) {
		if w.plan.joins() {
			w.join(i)
		}
	}
	w.lostIt = func(i int32, was uint8) {
		c := &w.conns[i]
		if was == ready {
			w.isLost(i)
		}
		if c.back {
			wait := retryAfter + time.Duration(w.random.Int64N(int64(retryAfter)))
			w.timers.add(timer{now() + int64(wait), i, c.gen, timerRedial})
		}
	}
}

// isLost marks a client that is to come back.
func (w *worker) isLost(i int32) {
	c := &w.conns[i]
	c.back, c.lost = true, now()
}

// lose drops a client on purpose; it comes back after the plan's time away.
func (w *worker) lose(i int32) {
	w.isLost(i)
	w.counts.Dropped++
	w.leave(i)
	c := &w.conns[i]
	w.timers.add(timer{now() + int64(w.plan.Away), i, c.gen, timerRedial})
}

// leave ends a connection without waiting for an answer.
func (w *worker) leave(i int32) {
	c := &w.conns[i]
	switch {
	case w.plan.Close == CloseFrame:
		w.scratch = appendFrame(w.scratch[:0], opClose, goodbye)
		_, _ = unix.Write(int(c.fd), w.scratch) // it is lost either way
	case w.plan.Close == CloseFIN && c.poll != nil && c.poll.main == idle:
		// No poll waits whose end would tell the server: say it in words, as
		// the official client does.
		_, _ = unix.Write(int(c.fd), w.pollRequest(i, "POST", []byte("1")))
	}
	w.forget(i, w.plan.Close == CloseRST)
}

// goodbye is code 1000 of RFC 6455 section 7.4.1.
var goodbye = []byte{0x03, 0xe8}

// drops are the clients that jitter loses one by one.
type drops struct {
	w    *worker
	next int64
	step float64
}

func (w *worker) newDrops(start int64) *drops {
	rate := w.plan.DropRate * float64(len(w.conns)) / float64(max(w.plan.Connections, 1))
	if w.plan.Scenario != Jitter || rate == 0 {
		return &drops{next: math.MaxInt64}
	}
	step := float64(time.Second) / rate
	return &drops{w, start + int64(step), step}
}

// upTo loses whom it is time for.
func (d *drops) upTo(at int64) {
	for d.next <= at {
		d.next += max(int64(d.step), 1)
		// Those who send stay, and those already lost are not lost again; in a
		// crowd that is mostly away, nobody is.
		for range 8 {
			i := d.w.random.Int32N(int32(len(d.w.conns)))
			if c := &d.w.conns[i]; c.state == ready && c.sender < 0 {
				d.w.lose(i)
				break
			}
		}
	}
}

// storm drops the plan's share of the clients at once and waits until they are
// all back.
func (w *worker) storm() {
	w.comeBack()
	w.napping = w.plan.Nap
	end := now() + int64(w.plan.Duration)
	owed, want := 0.0, w.counts.Returned
	for i := range int32(len(w.conns)) {
		if w.conns[i].state != ready {
			continue
		}
		if owed += w.plan.Share; owed >= 1 {
			owed--
			want++
			w.lose(i)
		}
	}
	w.until(end, func() bool { return w.counts.Returned >= want })
	w.queue = nil
	for i := range w.conns {
		w.conns[i].back = false // whoever is late stays away
	}
}

// churn connects and closes, again and again, with as many at a time as the
// plan has handshakes in flight, beside the connections that stand.
func (w *worker) churn() {
	w.napping = w.plan.Nap
	w.handshake.Reset() // of those that stand
	standing := int32(w.plan.share(w.plan.Connections, w.num))
	ended := false
	again := func(i int32) {
		if i >= standing && !ended {
			w.queue = append(w.queue, i)
		}
	}
	w.cameIn = func(i int32) {
		if i < standing {
			return
		}
		if w.plan.Close == CloseFrame {
			w.sayGoodbye(i)
			return
		}
		w.leave(i)
		w.counts.Cycles++
		again(i)
	}
	w.hungUp = func(i int32) {
		w.counts.Cycles++
		again(i)
	}
	w.lostIt = func(i int32, _ uint8) {
		if i >= standing {
			w.timers.add(timer{now() + int64(retryAfter), i, w.conns[i].gen, timerRedial})
		}
	}
	for i := standing; i < int32(len(w.conns)); i++ {
		w.queue = append(w.queue, i)
	}
	w.until(now()+int64(w.plan.Duration), nil)
	ended, w.queue, w.lostIt = true, nil, nil
	gone := standing // those before it are
	w.until(now()+int64(w.plan.Timeout), func() bool {
		for ; gone < int32(len(w.conns)); gone++ {
			if w.conns[gone].state != offline {
				return false
			}
		}
		return true
	})
	w.queue = nil
}

// sayGoodbye sends a close frame and waits for the server's.
func (w *worker) sayGoodbye(i int32) {
	c := &w.conns[i]
	w.counts.Ready--
	c.state = closing
	w.timers.add(timer{now() + int64(w.plan.Timeout), i, c.gen, timerHandshake})
	w.scratch = appendFrame(w.scratch[:0], opClose, goodbye)
	w.write(i, w.scratch)
}
