package valkey

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Bounds of the wait between two tries. The longest one is what a returning
// broker is left alone at most.
const (
	minWait = 10 * time.Millisecond
	maxWait = time.Second
)

// backoff waits between tries: twice as long each time, with jitter, so that
// the nodes do not come all at once. The zero value is ready.
type backoff struct {
	most  time.Duration // the longest wait, if less than maxWait; 0: that
	last  time.Duration
	total time.Duration
}

// wait returns true if stop closed meanwhile; wake ends it early.
func (b *backoff) wait(stop <-chan struct{}, wake <-chan struct{}) bool {
	b.last = min(max(2*b.last, minWait), maxWait, cmp.Or(b.most, maxWait))
	d := b.last/2 + rand.N(b.last/2)
	b.total += d
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-stop:
		return true
	case <-wake:
		return false
	case <-t.C:
		return false
	}
}

func (b *backoff) reset() { *b = backoff{most: b.most} }
