package app

import (
	"log/slog"
	"net/http"
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
	who  origin

	one [1]*call // the call by itself, as a list
	// wake gets, once, either calls for whoever waits for this one to post, it
	// the first of them, or nil when the rest is set. Only calls that wait for
	// their turn, or for a worker, have it.
	wake  chan []*call
	until time.Time // when waiting has been too long
	left  bool      // it was dismissed

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
	waiting []*call // the longest first
	flying  int
	leaving []*call // dismissed, not told yet
	telling bool    // one of them has been told, and will tell the next
	expiry  *time.Timer
	armed   bool

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
	if len(e.waiting)+len(e.leaving) >= e.o.MaxWaiting {
		e.mu.Unlock()
		return nil, busy()
	}
	c.wake = make(chan []*call, 1)
	c.until = time.Now().Add(e.o.Timeout)
	e.waiting = append(e.waiting, c)
	e.start()
	e.arm()
	e.mu.Unlock()
	list := <-c.wake
	if list != nil {
		e.send(list)
	} else if c.left {
		e.mu.Lock()
		e.tell()
		e.mu.Unlock()
	}
	return c.answer, c.failed
}

// arm has expire look at the queue when its first call has waited for too
// long. One timer does, since all wait equally long. The mutex is held.
func (e *endpoint) arm() {
	if e.armed || len(e.waiting) == 0 {
		return
	}
	e.armed = true
	d := time.Until(e.waiting[0].until)
	if e.expiry == nil {
		e.expiry = time.AfterFunc(d, e.expire)
	} else {
		e.expiry.Reset(d)
	}
}

// expire dismisses the calls that have waited for too long.
func (e *endpoint) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.armed = false
	now := time.Now()
	n := 0
	for n < len(e.waiting) && !now.Before(e.waiting[n].until) {
		n++
	}
	e.dismiss(n, busy())
	e.arm()
}

// dismiss ends the first n calls that wait. Thousands may wait when an endpoint
// goes down: they are told one after the other, each by the one before. All at
// once they would stand in every processor's queue, and event loops behind
// them. The mutex is held.
func (e *endpoint) dismiss(n int, f *Failure) {
	for _, c := range e.waiting[:n] {
		c.failed, c.left = f, true
	}
	e.leaving = append(e.leaving, e.waiting[:n]...)
	clear(e.waiting[:n])
	e.waiting = e.waiting[n:]
	if !e.telling {
		e.tell()
	}
}

// tell wakes one that was dismissed. The mutex is held.
func (e *endpoint) tell() {
	e.telling = len(e.leaving) > 0
	if !e.telling {
		e.leaving = nil
		return
	}
	c := e.leaving[0]
	e.leaving[0] = nil
	e.leaving = e.leaving[1:]
	c.wake <- nil
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
			e.dismiss(len(e.waiting), unavailable(retry, nil))
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
		e.flying++
		first.wake <- list
	}
}

// send posts calls in one request and lets the next go.
func (e *endpoint) send(list []*call) {
	f := e.deliver(list)
	if e.brk.report(f != nil && f.down(), e.now()) {
		if f != nil {
			e.log.Error("the application is not available", "url", redacted(e.url), "error", f)
		} else {
			e.log.Info("the application is available again", "url", redacted(e.url))
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
