package netpoll

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shareEvery is how long a busy thread keeps its processor from others.
	shareEvery = 200 * time.Microsecond
	// shareBelow busy workers are no reason for a loop not to stand back.
	shareBelow = 3
)

// share lets other threads of the process have the processor now and then. A
// loop that is never idle, and a worker that always finds a mailbox, are
// threads that never block: the kernel would take the processor from them only
// at the end of a slice of several milliseconds, and whoever waits for a
// net.Conn on the same processor waits for all of theirs.
type share struct {
	last   int64
	popped uint64
}

// due tells, at most every shareEvery, that it is time to stand back.
func (s *share) due() bool {
	now := nanotime()
	if now-s.last < int64(shareEvery) {
		return false
	}
	s.last = now
	return true
}

// loop is called once a turn. A loop does not stand back for workers that
// compute, because each of them would keep the processor for a whole slice:
// those that have taken no mailbox since the last time.
func (s *share) loop(w *Workers) {
	if !s.due() {
		return
	}
	busy, popped := w.pace()
	if busy < shareBelow || popped-s.popped >= uint64(busy) {
		standBack()
	}
	s.popped = popped
}

// worker is called between mailboxes, so its handlers are short.
func (s *share) worker() {
	if s.due() {
		standBack()
	}
}

// standBack returns at once when nobody waits.
func standBack() {
	_, _, _ = syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
}
