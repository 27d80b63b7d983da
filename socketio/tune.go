package socketio

import (
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/netpoll"
)

// connTotal counts the sessions of all servers of the process.
var connTotal atomic.Int64

const (
	// rampSize is the growth in connections worth a release of memory.
	rampSize = 1_000
	// rampQuiet is how many looks without growth end a ramp.
	rampQuiet = 3
	tuneEvery = time.Second
	// bigHeap is the live heap from which on a lower percentage pays: below,
	// twice the live heap is little, and collections would come too often.
	bigHeap = 256 << 20
	// heapFloor counts as live heap without being touched, so that a small
	// heap is collected after 32 MiB of allocation and not after 4. At 350,000
	// events a second collections would come 20 times a second otherwise, each
	// in the way of whoever waits for a processor.
	heapFloor   = 32 << 20
	bigPercent  = 50
	heapLiveKey = "/gc/heap/live:bytes"
)

var tuneMemory sync.Once

// TuneMemory lets this process keep its memory close to what it uses. It
// changes settings of the whole process, so the application must ask for it,
// once, before or after the start:
//
//   - when a ramp of connections has ended, memory it left behind is
//     collected and given back to the system, once;
//   - while the live heap is above 256 MiB, the garbage collector runs at half
//     its usual distance (GOGC 50), and a small heap is not collected more
//     often than every 32 MiB of allocation, unless GOGC is set in the
//     environment.
func TuneMemory() {
	tuneMemory.Do(func() {
		keep := os.Getenv("GOGC") != ""
		var floor []byte // never written to: address space, not memory
		if !keep {
			floor = make([]byte, heapFloor)
		}
		go func() {
			var r ramp
			normal, low := 0, false
			for range time.Tick(tuneEvery) {
				runtime.KeepAlive(floor)
				if r.look(connTotal.Load()) {
					debug.FreeOSMemory()
				}
				if big := !keep && liveHeap() > bigHeap; big != low {
					low = big
					if big {
						normal = debug.SetGCPercent(bigPercent)
					} else {
						debug.SetGCPercent(normal)
					}
				}
			}
		}()
	})
}

func liveHeap() uint64 {
	s := []metrics.Sample{{Name: heapLiveKey}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}

// ramp notices the end of a growth in connections.
type ramp struct {
	base, peak int64
	quiet      int
}

// look takes the number of connections and tells whether a ramp has just
// ended.
func (r *ramp) look(n int64) bool {
	switch {
	case n > r.peak:
		r.peak, r.quiet = n, 0
		return false
	case n < r.base:
		// Fewer than at the last release: the next ramp starts lower.
		r.base = n
	}
	if n < r.peak-r.peak/10 {
		r.peak = n
	}
	if r.peak-r.base < rampSize {
		return false
	}
	r.quiet++
	if r.quiet < rampQuiet {
		return false
	}
	r.base, r.quiet = r.peak, 0
	return true
}

// spareProcessors is what GOMAXPROCS has beyond loops and compute slots. The
// kernel is fair to threads, Go's scheduler is not to goroutines: with spare
// ones for eight handlers that compute outside of Compute, an echo on one core
// has a p99 of about 20 ms; with two it had 90 ms. More gained nothing.
const spareProcessors = 8

// slice is how long a thread may keep a processor that another waits for. With
// the kernel's own, some 3 ms, 20 scrapes of /metrics a second doubled the p99
// of echoes beside them on one core; with this one they were not felt. Beside
// another process that computed for 15 ms every second, the p99 of 1,000 events
// a second was 2.7 ms with the kernel's own and 1.1 ms with this one.
const slice = 200 * time.Microsecond

// monitorSlack is how much later than it asks the monitor thread of Go's
// runtime may wake. With GOMAXPROCS = loops = 1, echoes at 5,000 a second cost
// 55 us of the processor each with the kernel's 0.05 ms, 19 with 0.2 and 18 with
// 1, rooms of 15 at 1,000 messages a second 8.7, 8.3 and 6.0 us a delivery.
const monitorSlack = time.Millisecond

// TuneProcessors lets the kernel share the processors between event loops and
// handlers: GOMAXPROCS becomes at least loops + compute slots + 8. With fewer,
// a handler that computes makes a loop wait for 10 ms and more, because Go's
// scheduler has no priorities. With no more than loops, a goroutine that waits
// for the network, such as a handler for its database, may wait for 1 ms longer:
// idle loops keep the processors until Go's monitor thread looks (see Start).
// loops is what Options.Loops will be; 0 means its default. It changes a setting
// of the whole process, so the application must ask for it.
func TuneProcessors(loops int) {
	if loops < 1 {
		loops = netpoll.Processors()
	}
	want := loops + cap(computeSlots()) + spareProcessors
	if runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
	computing.mu.Lock()
	computing.asked = true
	computing.mu.Unlock()
}

// adviseProcessors warns when handlers share the loops' processors and the
// application has not said that it knows.
func adviseProcessors(log *slog.Logger, loops int) {
	computing.mu.Lock()
	asked := computing.asked
	computing.mu.Unlock()
	if asked || runtime.GOMAXPROCS(0) > loops {
		return
	}
	log.Warn("socketio: handlers that compute will delay the event loops: call "+
		"socketio.TuneProcessors, or run them through socketio.Compute with SetComputeSlots",
		"gomaxprocs", runtime.GOMAXPROCS(0), "loops", loops)
}
