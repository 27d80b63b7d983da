package socketio

import (
	"context"
	"sync"

	"github.com/throng-server/throng/netpoll"
)

// computing is the process's bound on handlers that keep a processor busy.
var computing struct {
	mu    sync.Mutex
	slots chan struct{}
	asked bool // SetComputeSlots or TuneProcessors was called
}

// SetComputeSlots sets how many functions given to Compute run at the same
// time in this process. Default: the number of processors, which Compute also
// uses when n < 1. It does not touch those that run.
func SetComputeSlots(n int) {
	if n < 1 {
		n = netpoll.Processors()
	}
	computing.mu.Lock()
	defer computing.mu.Unlock()
	computing.slots = make(chan struct{}, n)
	computing.asked = true
}

func computeSlots() chan struct{} {
	computing.mu.Lock()
	defer computing.mu.Unlock()
	if computing.slots == nil {
		computing.slots = make(chan struct{}, netpoll.Processors())
	}
	return computing.slots
}

// Compute runs f on the calling goroutine when a slot is free, or returns
// ctx's error if it ends first. Handlers that compute for more than a
// millisecond should do so through Compute: Go's scheduler has no priorities,
// and each goroutine that computes takes its share from the event loops. It
// must not be called from an Inline handler.
func Compute[T any](ctx context.Context, f func() T) (T, error) {
	slots := computeSlots()
	select {
	case slots <- struct{}{}:
	default:
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
	defer func() { <-slots }()
	return f(), nil
}
