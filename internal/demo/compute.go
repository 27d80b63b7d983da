package demo

import (
	"context"
	"math"
	"math/big"
	"math/bits"
	"runtime"
	"sync"
	"time"

	"github.com/throng-server/throng/socketio"
)

const (
	maxLimit        = 10_000_000_000 // some seconds of one processor
	maxComputations = 4              // a client may have at once
	progressEvery   = 100 * time.Millisecond
	// blockSize is how many squares are added between two looks at the clock:
	// far below a millisecond.
	blockSize = 1 << 16
)

// Compute adds up squares for its clients, in the namespace /compute, without
// keeping anybody else waiting.
//
// A client sends
//
//	compute {limit}
//	cancel_computation
//
// receives
//
//	status               {msg: "Computation started"}
//	computation_progress {limit, done, percent}
//	computation_canceled {limit}
//
// and everybody in the namespace receives
//
//	computation_result {result}
func Compute(srv *socketio.Server) {
	// One processor stays free for the event loops, if there are several.
	socketio.SetComputeSlots(max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))-1))

	ns := srv.Of("/compute")
	ns.OnError(tellSender)
	ns.OnConnection(func(s *socketio.Socket) {
		j := &jobs{}
		j.renew(s)
		s.SetData(j)
	})

	socketio.On(ns, "compute", func(s *socketio.Socket, in computeRequest) error {
		limit, ok := in.limit()
		if !ok {
			return refuse("limit must be a whole number from 0 to 10000000000")
		}
		mine := s.Data().(*jobs)
		ctx, ok := mine.begin()
		if !ok {
			return refuse("4 of your computations are under way: wait or cancel them")
		}
		if err := s.Emit("status", status{Msg: "Computation started"}); err != nil {
			mine.end()
			return err
		}
		// The handler returns now, so that the socket's next event, which may
		// be cancel_computation, is taken up.
		err := srv.Go(func(context.Context) {
			defer mine.end()
			compute(ctx, s, limit)
		})
		if err != nil { // the server is shutting down
			mine.end()
		}
		return err
	})

	ns.On("cancel_computation", func(s *socketio.Socket, _ *socketio.Event) {
		s.Data().(*jobs).renew(s)
	})

	// To see that others are served meanwhile.
	ns.On("echo", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("echo", e.Raw()...)
		_ = e.Ack(e.Raw()...)
	})
}

// compute adds up the squares and tells of it. ctx ends when the client
// cancels or leaves.
func compute(ctx context.Context, s *socketio.Socket, limit uint64) {
	told := time.Now()
	progress := func(done uint64) {
		if time.Since(told) < progressEvery {
			return
		}
		told = time.Now()
		_ = s.Volatile().Emit("computation_progress", progressNote{
			Limit: limit, Done: done, Percent: 100 * done / limit,
		})
	}
	// Compute bounds how many such functions run at the same time, in the
	// whole process; the others wait in it.
	sum, err := socketio.Compute(ctx, func() *big.Int { return sumOfSquares(ctx, limit, progress) })
	if err != nil || sum == nil {
		// To a client that has left this does nothing.
		_ = s.Emit("computation_canceled", canceledNote{limit})
		return
	}
	_ = s.Namespace().Emit("computation_result", result{sum})
}

// sumOfSquares returns 0*0 + 1*1 + ... below limit, or nil when ctx has ended.
// It adds in 128 bits: below a billion the sum has 27 digits, too many for an
// uint64 and for the precision of a float64.
func sumOfSquares(ctx context.Context, limit uint64, progress func(done uint64)) *big.Int {
	var high, low uint64
	for i := uint64(0); i < limit; {
		for end := min(i+blockSize, limit); i < end; i++ {
			h, l := bits.Mul64(i, i)
			var carry uint64
			low, carry = bits.Add64(low, l, 0)
			high += h + carry
		}
		if ctx.Err() != nil {
			return nil
		}
		progress(i)
		// Go's scheduler would let a loop run for 10 ms before it is the event
		// loops' turn; this one stands back after each block.
		runtime.Gosched()
	}
	sum := new(big.Int).SetUint64(high)
	return sum.Lsh(sum, 64).Or(sum, new(big.Int).SetUint64(low))
}

// jobs are the computations of one client.
type jobs struct {
	mu     sync.Mutex
	n      int
	ctx    context.Context
	cancel context.CancelFunc
}

// renew cancels what runs; what begins later has a context of its own, which
// ends with the socket.
func (j *jobs) renew(s *socketio.Socket) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cancel != nil {
		j.cancel()
	}
	j.ctx, j.cancel = context.WithCancel(s.Context())
}

func (j *jobs) begin() (ctx context.Context, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.n == maxComputations {
		return nil, false
	}
	j.n++
	return j.ctx, true
}

func (j *jobs) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n--
}

type computeRequest struct {
	Limit any `json:"limit"`
}

// limit returns the limit if it is a whole number in range.
func (r computeRequest) limit() (uint64, bool) {
	n, ok := r.Limit.(float64)
	if !ok || n != math.Trunc(n) || n < 0 || n > maxLimit {
		return 0, false
	}
	return uint64(n), true
}

type progressNote struct {
	Limit   uint64 `json:"limit"`
	Done    uint64 `json:"done"`
	Percent uint64 `json:"percent"`
}

type canceledNote struct {
	Limit uint64 `json:"limit"`
}

// A big.Int is written as a JSON number with all its digits.
type result struct {
	Result *big.Int `json:"result"`
}
