package app

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// batchRequests is how many requests go to an endpoint that takes batches
// before further calls gather for the next.
const batchRequests = 8

// call is one thing that happened, on its way to the endpoint.
type call struct {
	id   string
	name string // of the event, or its type
	body []byte

	// sent and what follows are guarded by the endpoint's mutex until sent.
	sent bool
	one  [1]*call // the call by itself, as a list
	// wake gets, once, either calls for whoever waits for this one to post, it
	// the first of them, or nil when the rest is set. Only calls that wait for
	// their turn have it.
	wake chan []*call

	answer []byte // JSON, or empty
	failed *Failure
}

// endpoint is one URL: its queue, its connections, its health. Any goroutine.
type endpoint struct {
	url  string
	o    *Options
	http http.RoundTripper
	log  *slog.Logger
	brk  breaker
	now  func() time.Time

	request *http.Request // without body; nil: each has a URL of its own
	routes  bool          // names are part of the URL
	spare   sync.Pool     // of *attempt

	batch atomic.Int32 // calls it takes in one request; 0 and 1: one

	mu      sync.Mutex
	waiting []*call
	flying  int

	requests, batches, retried atomic.Uint64
}

func newEndpoint(url string, o *Options, via http.RoundTripper) (*endpoint, error) {
	e := &endpoint{url: url, o: o, http: via, log: o.Logger, now: time.Now,
		routes: strings.Contains(url, eventMark)}
	if e.routes {
		return e, nil
	}
	var err error
	e.request, err = newRequest(url)
	return e, err
}

// ask posts a call and waits for its answer, at most twice the timeout: for
// its turn and for the endpoint. Whoever asks posts: a request under way is
// one goroutine that would wait anyway, and what waits in a batch waits for it.
func (e *endpoint) ask(c *call) ([]byte, *Failure) {
	if retry := e.brk.blocked(e.now()); retry > 0 {
		return nil, unavailable(retry, nil)
	}
	e.mu.Lock()
	if len(e.waiting) == 0 && e.free() {
		retry, ok := e.brk.allow(e.now())
		if !ok {
			e.mu.Unlock()
			return nil, unavailable(retry, nil)
		}
		e.flying++
		e.mu.Unlock()
		c.one[0] = c
		e.send(c.one[:])
		return c.answer, c.failed
	}
	if len(e.waiting) >= e.o.MaxWaiting {
		e.mu.Unlock()
		return nil, busy()
	}
	c.wake = make(chan []*call, 1)
	e.waiting = append(e.waiting, c)
	e.start()
	e.mu.Unlock()
	list, ok := e.turn(c)
	if !ok {
		return nil, busy()
	}
	if list != nil {
		e.send(list)
	}
	return c.answer, c.failed
}

// turn waits until a call may be posted, by the caller if there is a list, or
// was; false: too long, it was taken back.
func (e *endpoint) turn(c *call) (list []*call, ok bool) {
	t := time.NewTimer(e.o.Timeout)
	defer t.Stop()
	select {
	case list = <-c.wake:
		return list, true
	case <-t.C:
	}
	e.mu.Lock()
	sent := c.sent
	if !sent {
		e.forget(c)
	}
	e.mu.Unlock()
	if sent { // and its request has a timeout of its own
		return <-c.wake, true
	}
	return nil, false
}

// forget takes a call out of the queue. The oldest ones go first, so that it is
// found at once and nothing moves. The mutex is held.
func (e *endpoint) forget(c *call) {
	i := slices.Index(e.waiting, c)
	if i == 0 {
		e.waiting[0] = nil
		e.waiting = e.waiting[1:]
		return
	}
	e.waiting = slices.Delete(e.waiting, i, i+1)
}

// size returns how many calls go in one request. The mutex is held.
func (e *endpoint) size() int {
	if e.routes {
		return 1
	}
	return max(int(e.batch.Load()), 1)
}

// free tells that another request may begin. The mutex is held.
func (e *endpoint) free() bool {
	limit := e.o.MaxRequests
	if e.size() > 1 {
		limit = min(limit, batchRequests)
	}
	return e.flying < limit
}

// start lets go what may be sent now. The mutex is held.
func (e *endpoint) start() {
	for len(e.waiting) > 0 && e.free() {
		retry, ok := e.brk.allow(e.now())
		if !ok {
			for _, c := range e.waiting {
				c.sent = true
				c.failed = unavailable(retry, nil)
				c.wake <- nil
			}
			e.waiting = nil
			return
		}
		n := min(e.size(), len(e.waiting))
		first := e.waiting[0]
		list := first.one[:]
		if n > 1 {
			list = make([]*call, n)
		}
		copy(list, e.waiting)
		clear(e.waiting[:n])
		e.waiting = e.waiting[n:]
		for _, c := range list {
			c.sent = true
		}
		e.flying++
		first.wake <- list
	}
}

// send posts calls in one request and lets the next go.
func (e *endpoint) send(list []*call) {
	f := e.deliver(list)
	if e.brk.report(f != nil && f.down(), e.now()) {
		if f != nil {
			e.log.Error("the application is not available", "url", e.url, "error", f)
		} else {
			e.log.Info("the application is available again", "url", e.url)
		}
	}
	if f != nil {
		for _, c := range list {
			c.failed = f
		}
	}
	for _, c := range list[1:] {
		c.wake <- nil
	}
	e.mu.Lock()
	e.flying--
	e.start()
	e.mu.Unlock()
}

// deliver posts calls and gives each its part of the answer.
func (e *endpoint) deliver(list []*call) *Failure {
	if len(list) == 1 {
		answer, f := e.post(list[0].id, list[0].name, list[0].body, e.o.MaxAnswer)
		list[0].answer = answer
		return f
	}
	size := 2
	for _, c := range list {
		size += len(c.body) + 1
	}
	body := append(make([]byte, 0, size), '[')
	for i, c := range list {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, c.body...)
	}
	e.batches.Add(1)
	answer, f := e.post("", "", append(body, ']'), e.o.MaxAnswer*len(list))
	if f != nil {
		return f
	}
	parts, err := splitAnswers(answer, len(list))
	if err != nil {
		return err
	}
	for i, c := range list {
		c.answer = parts[i]
	}
	return nil
}
