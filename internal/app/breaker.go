package app

import (
	"sync"
	"time"
)

const (
	// tripAfter is how many calls in a row must fail that the endpoint is taken
	// for down.
	tripAfter = 5
	// minOpen and maxOpen bound the time until it is tried again.
	minOpen = time.Second
	maxOpen = 30 * time.Second
)

// breaker keeps calls from an endpoint that is down: after failures in a row
// it lets one call through at growing intervals, until one succeeds. Any
// goroutine.
type breaker struct {
	mu     sync.Mutex
	fails  int
	open   bool
	probe  bool // the one call is under way
	until  time.Time
	period time.Duration
}

// allow tells whether to send a call, whose outcome must be reported, and if
// not when to try again.
func (b *breaker) allow(now time.Time) (retry time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if retry = b.wait(now); retry > 0 {
		return retry, false
	}
	b.probe = b.open
	return 0, true
}

// down tells whether the endpoint is taken for down.
func (b *breaker) down() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// blocked is allow without the promise.
func (b *breaker) blocked(now time.Time) (retry time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wait(now)
}

func (b *breaker) wait(now time.Time) time.Duration {
	switch {
	case !b.open:
		return 0
	case b.probe:
		return minOpen
	default:
		return max(0, b.until.Sub(now))
	}
}

// report tells how a call ended; changed, that the endpoint has gone down or
// come back by that.
func (b *breaker) report(down bool, now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !down {
		changed = b.open
		b.fails, b.open, b.probe, b.period = 0, false, false, 0
		return changed
	}
	b.fails++
	if b.open && !b.probe || !b.open && b.fails < tripAfter {
		return false // a straggler, or not yet
	}
	changed = !b.open
	b.open, b.probe = true, false
	b.period = min(max(2*b.period, minOpen), maxOpen)
	b.until = now.Add(b.period)
	return changed
}
