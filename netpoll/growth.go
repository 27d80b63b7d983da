package netpoll

import (
	"slices"
	"time"
)

// raise returns a worker to launch if the queue needs one and none is on its
// way: an idle one, or a new one below min or when mailboxes are stuck. When
// it cannot, the sampler looks again. With w.mu held; byWorker is true when
// the caller was raised itself.
//
// While the queue is not empty, a worker is on its way or none is idle: every
// push and every worker that was raised calls raise.
func (w *Workers) raise(byWorker bool) *worker {
	if w.rising || w.queue.n == 0 {
		return nil
	}
	if n := len(w.idle); n > 0 {
		k := w.idle[n-1]
		w.idle[n-1] = nil
		w.idle = w.idle[:n-1]
		w.rising, k.raised = true, true
		return k
	}
	if w.count < w.min {
		return w.start()
	}
	if w.queue.popped() < w.stuck {
		if w.count >= w.max {
			w.saturated++
			w.stuck = 0
		} else if now := time.Now(); !now.Before(w.hold) {
			k := w.start()
			if byWorker {
				k.born, k.bornAt = now, w.queue.popped()
			}
			return k
		}
	}
	if !w.armed {
		w.armed, w.mark = true, w.queue.pushed
		if w.sampler == nil {
			w.sampler = time.AfterFunc(w.stuckAfter, w.sample)
		} else {
			w.sampler.Reset(w.stuckAfter)
		}
	}
	return nil
}

// start makes a worker. With w.mu held.
func (w *Workers) start() *worker {
	w.count++
	w.peak = max(w.peak, w.count)
	w.rising = true
	return &worker{w: w, wake: make(chan struct{}, 1), raised: true}
}

// sample runs StuckAfter after sampler was armed. As long as there are as many
// workers as processors that take one mailbox after the other, those that wait
// wait for a processor, and more workers would only be in each other's way.
func (w *Workers) sample() {
	w.mu.Lock()
	w.armed = false
	if w.moving < w.cores {
		w.stuck = w.mark
	}
	w.moving = 0
	w.period++
	k := w.raise(false)
	w.mu.Unlock()
	k.launch()
}

// holdFactor is how many times the delay a new worker had, waiting for a
// processor, passes before the next one is made.
const holdFactor = 8

// arrived ends the rise of k. With w.mu held.
func (w *Workers) arrived(k *worker) {
	w.rising, k.raised = false, false
	if k.born.IsZero() {
		return
	}
	// The worker that started k took a job at once. If that one blocked, its
	// processor came to k without delay. A delay in which others went on with
	// the queue says that jobs compute, and that more workers only compete for
	// processors; one in which nothing moved, that the machine was elsewhere.
	d := time.Since(k.born)
	if d > w.stuckAfter && w.queue.popped() != k.bornAt {
		w.hold = time.Now().Add(holdFactor * d)
	}
	k.born = time.Time{}
}

// armRetire makes retireIdle run when the longest idle worker is due. With
// w.mu held.
func (w *Workers) armRetire() {
	if w.retiring || w.count <= w.min || len(w.idle) == 0 {
		return
	}
	w.retiring = true
	d := w.idleAfter - time.Since(w.idle[0].idleSince)
	if w.retire == nil {
		w.retire = time.AfterFunc(d, w.retireIdle)
	} else {
		w.retire.Reset(d)
	}
}

// retireIdle ends workers above min that were idle for IdleTimeout.
func (w *Workers) retireIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.retiring = false
	n := 0
	for n < len(w.idle) && w.count > w.min && time.Since(w.idle[n].idleSince) >= w.idleAfter {
		close(w.idle[n].wake)
		w.count--
		n++
	}
	w.idle = slices.Delete(w.idle, 0, n)
	w.armRetire()
}
