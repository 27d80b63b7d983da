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
	sent bool // guarded by the endpoint's mutex

	done   chan struct{} // closed when the rest is set
	answer []byte        // JSON, or empty
	failed *Failure
}

// endpoint is one URL: its queue, its connections, its health. Any goroutine.
type endpoint struct {
	url    string
	o      *Options
	client *http.Client
	log    *slog.Logger
	brk    breaker
	now    func() time.Time

	batch atomic.Int32 // calls it takes in one request; 0 and 1: one

	mu      sync.Mutex
	waiting []*call
	flying  int

	requests, batches, retried atomic.Uint64
}

// ask posts a call and waits for its answer, at most twice the timeout: for
// its turn and for the endpoint.
func (e *endpoint) ask(c *call) ([]byte, *Failure) {
	if retry := e.brk.blocked(e.now()); retry > 0 {
		return nil, unavailable(retry, nil)
	}
	c.done = make(chan struct{})
	e.mu.Lock()
	if len(e.waiting) >= e.o.MaxWaiting {
		e.mu.Unlock()
		return nil, busy()
	}
	e.waiting = append(e.waiting, c)
	e.start()
	sent := c.sent
	e.mu.Unlock()
	if !sent && !e.turn(c) {
		return nil, busy()
	}
	<-c.done
	return c.answer, c.failed
}

// turn waits until a call is on its way; false: too long, it was taken back.
func (e *endpoint) turn(c *call) bool {
	t := time.NewTimer(e.o.Timeout)
	defer t.Stop()
	select {
	case <-c.done:
		return true
	case <-t.C:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.sent {
		return true // and its request has a timeout of its own
	}
	for i, w := range e.waiting {
		if w == c {
			e.waiting = append(e.waiting[:i:i], e.waiting[i+1:]...)
			break
		}
	}
	return false
}

// start sends what may be sent now. The mutex is held.
func (e *endpoint) start() {
	for len(e.waiting) > 0 {
		n, limit := int(e.batch.Load()), e.o.MaxRequests
		if strings.Contains(e.url, eventMark) {
			n = 1
		}
		if n > 1 {
			limit = min(limit, batchRequests)
		}
		if e.flying >= limit {
			return
		}
		retry, ok := e.brk.allow(e.now())
		if !ok {
			for _, c := range e.waiting {
				c.sent = true
				c.failed = unavailable(retry, nil)
				close(c.done)
			}
			e.waiting = nil
			return
		}
		n = min(max(n, 1), len(e.waiting))
		list := make([]*call, n)
		copy(list, e.waiting)
		clear(e.waiting[:n])
		e.waiting = e.waiting[n:]
		for _, c := range list {
			c.sent = true
		}
		e.flying++
		go e.send(list)
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
	for _, c := range list {
		if f != nil {
			c.failed = f
		}
		close(c.done)
	}
	e.mu.Lock()
	e.flying--
	e.start()
	e.mu.Unlock()
}

// deliver posts calls and gives each its part of the answer.
func (e *endpoint) deliver(list []*call) *Failure {
	if len(list) == 1 {
		answer, f := e.post(list[0], list[0].body, e.o.MaxAnswer)
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
	answer, f := e.post(&call{}, append(body, ']'), e.o.MaxAnswer*len(list))
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
