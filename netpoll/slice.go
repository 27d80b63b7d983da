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

// LazyMonitor lets the monitor thread of Go's runtime wake up to d later than
// it asks for. Where as many loops as Go has processors wait for events, the
// monitor starts after each event to look every 20 us, and its timers cost more
// than the events: echoes at 5,000 a second took three times the processor's
// time. What it looks after, processors kept by system calls and goroutines
// that run for more than 10 ms, waits d longer; threads that it starts inherit
// d, and timers that fire on them may be late by as much. Linux lets only a
// process with CAP_SYS_NICE change another thread's timer slack (proc(5),
// timerslack_ns); without it the result is an error, and things are as they
// were. Any goroutine.
func LazyMonitor(d time.Duration) error {
	tid, err := monitorThread()
	if err != nil {
		return err
	}
	return os.WriteFile("/proc/"+tid+"/timerslack_ns", strconv.AppendInt(nil, int64(d), 10), 0)
}

// monitorThread returns the first thread that the runtime has started, before
// any code of the program ran.
func monitorThread() (tid string, err error) {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return "", err
	}
	defer dir.Close()
	// In the order of their start; os.ReadDir would sort them.
	names, err := dir.Readdirnames(2)
	if err != nil {
		return "", err
	}
	if len(names) < 2 {
		return "", errors.New("netpoll: the runtime has no monitor thread")
	}
	return names[1], nil
}
