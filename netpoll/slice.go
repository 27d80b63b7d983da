package netpoll

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ShortSlices asks the kernel to take the processor from each thread of this
// process, and from those that start later, after d of running if others wait.
// A loop that an event wakes waits for what is left of the slices, usually some
// milliseconds each, of threads that compute: handlers, scrapes, the garbage
// collector. Linux takes 0.1 ms to 100 ms since 6.12 (sched_setattr(2),
// sched_runtime of SCHED_OTHER); older kernels ignore it. Threads to which
// somebody has given another policy keep it. Any goroutine.
func ShortSlices(d time.Duration) error {
	// Threads that start meanwhile may come from one that was not asked yet.
	asked := make(map[int]bool)
	for fresh := true; fresh; {
		fresh = false
		list, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, e := range list {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || asked[tid] {
				continue
			}
			asked[tid], fresh = true, true
			if err := shortSlice(tid, d); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("netpoll: slice of a thread: %w", err)
			}
		}
	}
	return nil
}

func shortSlice(tid int, d time.Duration) error {
	a, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return err
	}
	if a.Policy != unix.SCHED_NORMAL && a.Policy != unix.SCHED_BATCH {
		return nil
	}
	a.Runtime = uint64(d)
	return unix.SchedSetAttr(tid, a, 0)
}
