package netpoll

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shareEvery is how long a busy thread keeps its processor from others.
	shareEvery = 500 * time.Microsecond
	// shareBelow is the number of busy workers from which on nobody stands
	// back: they compute, and each would take a slice of the kernel first.
	shareBelow = 3
)

// share lets other threads of the process have the processor now and then. A
// loop that is never idle, and a worker that always finds a mailbox, are
// threads that never block: the kernel would take the processor from them only
// at the end of a slice of several milliseconds, and whoever waits for a
// net.Conn on the same processor waits that long.
type share struct{ last int64 }

// breathe is called between pieces of work. It costs a look at the clock and,
// at most every shareEvery, a sched_yield, which returns at once when nobody
// waits.
func (s *share) breathe(w *Workers) {
	now := nanotime()
	if now-s.last < int64(shareEvery) {
		return
	}
	s.last = now
	if w.busy() < shareBelow {
		_, _, _ = syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}
