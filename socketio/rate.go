package socketio

import (
	"fmt"
	"time"

	"github.com/throng-server/throng/protocol/sio"
)

// eventRate is a token bucket for the events of a socket, in the form that
// needs one number a socket: the time at which the last event would have come
// had all come evenly.
type eventRate struct {
	every, burst int64 // nanoseconds
	message      string
}

// newEventRate returns nil for no bound.
func newEventRate(rate float64, burst int) *eventRate {
	if rate <= 0 {
		return nil
	}
	if burst == 0 {
		burst = max(int(rate), 1)
	}
	every := max(int64(float64(time.Second)/rate), 1)
	return &eventRate{every: every, burst: every * int64(burst),
		message: fmt.Sprintf("too many events: %v a second are allowed", rate)}
}

// epoch makes the times of arrivals small and monotonic.
var epoch = time.Now()

// allow takes a token if there is one; arrival is 0 for a new socket.
func (r *eventRate) allow(arrival *int64, now int64) bool {
	next := max(*arrival, now) + r.every
	if next-now > r.burst {
		return false
	}
	*arrival = next
	return true
}

// paced tells whether an event is within the rate, and refuses it if not. Loop
// only.
func (lp *loop) paced(s *Socket, pk *sio.Packet, r *eventRate) bool {
	for len(lp.arrivals) <= int(s.slot) {
		lp.arrivals = append(lp.arrivals, 0)
	}
	if r.allow(&lp.arrivals[s.slot], int64(time.Since(epoch))) {
		return true
	}
	lp.srv.drop(dropRate)
	lp.srv.warn(noteRate, "a client sends more events than it may: they are dropped",
		"namespace", s.ns.name, "socket", s.ID(), "options", "EventRate, EventBurst")
	if pk.HasID {
		e := &Event{s: s, id: pk.ID, wants: true}
		_ = e.Ack(map[string]string{"error": r.message}) // text always has a form
	}
	return false
}

// forget lets the next owner of a slot begin with a full bucket.
func (lp *loop) forget(slot uint32) {
	if int(slot) < len(lp.arrivals) {
		lp.arrivals[slot] = 0
	}
}
