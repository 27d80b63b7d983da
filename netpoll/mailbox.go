package netpoll

import "sync"

// Job is something a worker runs.
type Job interface{ Run() }

// Node links a job into a mailbox; embedding it in the job's own object makes
// queueing free of allocations. A node is in at most one mailbox at a time; it
// may be put again from the moment its job runs, and keeps its job.
type Node struct {
	next *Node
	job  Job
}

// Init sets the job. Not while the node is queued.
func (n *Node) Init(j Job) { n.job = j }

// Mailbox is a FIFO of jobs of which one runs at a time. The zero value is
// ready; it must not be copied after its first use. It is not bounded: whoever
// puts counts.
type Mailbox struct {
	mu   sync.Mutex
	tail *Node // of a circular list: tail.next is the oldest
	// state says who will look at the list next; guarded by mu.
	state mailboxState
}

type mailboxState uint8

const (
	mailboxIdle    mailboxState = iota // nobody: the next put schedules it
	mailboxQueued                      // it is, or is about to be, in the run queue
	mailboxRunning                     // a worker has it and looks again afterwards
)

// batchSize is how many jobs of one mailbox run before others get their turn.
const batchSize = 32

// put appends n and reports whether the mailbox must be scheduled now.
func (mb *Mailbox) put(n *Node) (ready bool) {
	mb.mu.Lock()
	if mb.tail == nil {
		n.next = n
	} else {
		n.next = mb.tail.next
		mb.tail.next = n
	}
	mb.tail = n
	if ready = mb.state == mailboxIdle; ready {
		mb.state = mailboxQueued
	}
	mb.mu.Unlock()
	return ready
}

// take marks the mailbox running and detaches up to batchSize nodes: a list in
// order that ends with nil.
func (mb *Mailbox) take() (head *Node) {
	mb.mu.Lock()
	mb.state = mailboxRunning
	if mb.tail != nil {
		head = mb.tail.next
		last := head
		for i := 1; i < batchSize && last != mb.tail; i++ {
			last = last.next
		}
		if last == mb.tail {
			mb.tail = nil
		} else {
			mb.tail.next = last.next
		}
		last.next = nil
	}
	mb.mu.Unlock()
	return head
}

// settle ends a run and reports whether the mailbox must be queued again.
func (mb *Mailbox) settle() (again bool) {
	mb.mu.Lock()
	again = mb.tail != nil
	mb.state = mailboxIdle
	if again {
		mb.state = mailboxQueued
	}
	mb.mu.Unlock()
	return again
}

// mailboxRing is the run queue: a ring that doubles when it is full.
type mailboxRing struct {
	buf    []*Mailbox // length 0 or a power of two
	head   int
	n      int
	pushed uint64
}

// popped returns how many have been popped: the pushes below it are gone.
func (r *mailboxRing) popped() uint64 { return r.pushed - uint64(r.n) }

func (r *mailboxRing) push(mb *Mailbox) {
	if r.n == len(r.buf) {
		buf := make([]*Mailbox, max(64, 2*len(r.buf)))
		k := copy(buf, r.buf[r.head:])
		copy(buf[k:], r.buf[:r.head])
		r.buf, r.head = buf, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = mb
	r.n++
	r.pushed++
}

// pop returns the oldest of a ring that is not empty.
func (r *mailboxRing) pop() *Mailbox {
	mb := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return mb
}
