package netpoll

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// turnAppends is how many broadcast appends one turn distributes before
// it flushes and lets reads in.
const turnAppends = 8192

// entry is one thing posted to a loop: a task, or a message for a connection.
type entry struct {
	task Task
	conn *Conn
	msg  *Msg
}

// Merger is a Task that can take over the ones posted right behind it. Merge
// runs on the loop just before the first Run; true means that next is part of
// this task now and will not run itself.
type Merger interface {
	Task
	Merge(l *Loop, next Task) bool
}

// Loop is one event loop: one listener, one goroutine of gnet, and all that
// belongs to its connections. Methods are for its own goroutine unless they
// say "any goroutine".
type Loop struct {
	// App is the owner's state for this loop, set in Handler.StartLoop.
	App any

	srv   *Server
	index int

	// Shared with every goroutine.
	mu     sync.Mutex
	inbox  []entry
	wakeFD int // guarded by mu; -1 until the loop runs
	armed  atomic.Bool
	pub    loopPub

	loopClock

	// The rest belongs to the loop.
	batch []entry // swapped out of inbox, worked off from pos
	pos   int
	again bool // batch[pos] asked to be run again

	working bool // within a round

	conns     []*Conn // by slot
	freeSlots []uint32
	live      int
	wheel     wheel

	direct, bulk connRing
	urgent       []*Conn
	doomed       []*Conn
	blocked      []*Conn
	blockedSet   bool
	blockedDue   int64
	blockedWait  time.Duration
	blockedTimer *time.Timer

	ready   []*Mailbox
	share   share
	calm    calm
	appends int
	n       loopCount

	scratch []byte
	req     Request
	queues  []*msgQueue
	ctlFree *Msg
	inFree  *inbound

	// The connection whose frames are being read has given its socket away;
	// the rest of the bytes is for movedTo.
	movedFrom, movedTo *Conn
}

func newLoop(s *Server, index int) *Loop {
	l := &Loop{srv: s, index: index, wakeFD: -1}
	l.scratch = make([]byte, 0, batchBytes+batchBytes/2)
	return l
}

// Index returns the loop's number, from 0. Any goroutine.
func (l *Loop) Index() int { return l.index }

// Server returns the server the loop belongs to. Any goroutine.
func (l *Loop) Server() *Server { return l.srv }

// Turns returns how many turns there were. Loop only.
func (l *Loop) Turns() uint64 { return l.n.turns }

// Conns returns the number of open connections. Any goroutine; a moment old.
func (l *Loop) Conns() int { return int(l.pub.conns.Load()) }

// Spent tells a Task that this turn has distributed enough: it should return
// true to go on in the next one.
func (l *Loop) Spent() bool { return l.appends >= turnAppends || len(l.urgent) > 0 }

// Post queues t. Any goroutine; what one goroutine posts runs in its order,
// PostSend included. After Shutdown has ended the loops it is never run.
func (l *Loop) Post(t Task) { l.post(entry{task: t}) }

// PostSend is c.Send(m) on the loop. Any goroutine; it does not allocate. A
// connection closed by then ignores it.
func (l *Loop) PostSend(c *Conn, m *Msg) { l.post(entry{conn: c, msg: m}) }

func (l *Loop) post(e entry) {
	l.mu.Lock()
	l.inbox = append(l.inbox, e)
	l.mu.Unlock()
	l.arm()
}

// Mail puts n into mb. The mailboxes of a turn go to the workers together,
// at its end.
func (l *Loop) Mail(mb *Mailbox, n *Node) {
	if l.srv.workers.Put(mb, n) {
		l.ready = append(l.ready, mb)
		l.arm()
	}
}

// arm makes sure that a turn will come: at most one byte is under way. Any
// goroutine.
func (l *Loop) arm() {
	if l.armed.Load() || !l.armed.CompareAndSwap(false, true) {
		return
	}
	l.wake()
}

func (l *Loop) wake() {
	// The lock keeps detach from closing the pipe before the byte is written:
	// its number might be somebody else's socket by then.
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wakeFD >= 0 {
		l.pub.wakes.Add(1)
		// One byte is under way at most, so the pipe is never full; after the
		// loop has ended there is nobody to read it.
		_, _ = send(int32(l.wakeFD), wakeByte)
	}
}

var wakeByte = []byte{1}

// attach gives the loop its wake pipe and catches up on what came before.
func (l *Loop) attach(fd int) {
	l.mu.Lock()
	l.wakeFD = fd
	l.mu.Unlock()
	if l.armed.Load() {
		l.wake()
	}
}

// detach takes the pipe away when the loop ends.
func (l *Loop) detach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wakeFD >= 0 {
		_ = unix.Close(l.wakeFD)
		l.wakeFD = -1
	}
}

// turn is a round behind the byte.
func (l *Loop) turn() {
	l.round()
	l.disarm()
}

// round does the loop's own work once; see the package doc.
func (l *Loop) round() {
	l.working = true
	l.n.turns++
	work := l.direct.len() > 0 || l.bulk.len() > 0 || len(l.urgent) > 0 || len(l.ready) > 0
	l.clock()
	l.distribute()
	if work || l.appends > 0 {
		l.worked++
	}
	l.calm.sent(l.appends)
	l.flushUrgent() // what reads and timers made
	l.checkBlocked()
	l.flush()
	l.pace()
	l.killDoomed()
	l.sendReady()
	l.publish()
	if !l.srv.tight {
		l.share.loop(l.srv.workers)
	}
	l.working = false
}

// disarm lets the next one who has something for the loop write a byte, and
// writes it if there is something left.
func (l *Loop) disarm() {
	l.armed.Store(false)
	l.mu.Lock()
	more := len(l.inbox) > 0
	l.mu.Unlock()
	if more || l.left() {
		l.arm()
	}
}

// left tells that the loop itself has something for a turn.
func (l *Loop) left() bool {
	return l.pos < len(l.batch) || l.direct.len() > 0 || l.bulk.len() > 0 ||
		l.timersDue && !l.paced || l.missed() || len(l.ready) > 0 || len(l.doomed) > 0 || len(l.urgent) > 0
}

// distribute works off the inbox in order until it is empty or the turn's
// appends are used up.
func (l *Loop) distribute() {
	l.appends = 0
	for {
		if l.pos == len(l.batch) {
			clear(l.batch)
			l.batch, l.pos = l.batch[:0], 0
			if cap(l.batch) > 1<<16 {
				l.batch = nil
			}
			l.mu.Lock()
			l.batch, l.inbox = l.inbox, l.batch
			l.mu.Unlock()
			if len(l.batch) == 0 {
				return
			}
		}
		for l.pos < len(l.batch) {
			e := &l.batch[l.pos]
			if e.task != nil {
				if l.runTask(e.task) {
					l.again = true
				} else {
					l.again = false
					l.pos++
				}
			} else {
				e.conn.Send(e.msg)
				l.appends++
				l.pos++
			}
			if len(l.urgent) > 0 {
				l.flushUrgent()
			}
			if l.appends >= turnAppends {
				return
			}
		}
	}
}

// runTask runs one task, merged with those behind it that it takes over.
func (l *Loop) runTask(t Task) (again bool) {
	defer l.recovered("Task.Run")
	if m, ok := t.(Merger); ok && !l.again {
		for next := l.pos + 1; next < len(l.batch); next++ {
			n := l.batch[next].task
			if n == nil || !m.Merge(l, n) {
				break
			}
			// The merged entry's place is taken by the task itself.
			l.batch[next].task = t
			l.batch[l.pos] = entry{}
			l.pos = next
		}
	}
	return t.Run(l)
}

// trim gives half of the pooled queues back every ten seconds, so that a
// burst does not stay in memory.
func (l *Loop) trim() {
	n := len(l.queues) / 2
	clear(l.queues[n:])
	l.queues = l.queues[:n]
}

// killDoomed closes connections whose pending output is over the limit.
func (l *Loop) killDoomed() {
	for len(l.doomed) > 0 {
		c := l.doomed[len(l.doomed)-1]
		l.doomed = l.doomed[:len(l.doomed)-1]
		if c.link != nil || c.state == stateDetached {
			l.srv.drop(dropSlow)
			c.Abort(ErrSlowConsumer)
		}
	}
}

// sendReady hands the turn's mailboxes to the workers.
func (l *Loop) sendReady() {
	if len(l.ready) == 0 {
		return
	}
	l.srv.workers.Schedule(l.ready)
	clear(l.ready)
	l.ready = l.ready[:0]
	if l.srv.tight {
		// With no processor to spare the workers run only when this goroutine
		// stands back; gnet does so only when nothing is to be read.
		runtime.Gosched()
	}
}

// addConn gives a connection a slot.
func (l *Loop) addConn(c *Conn) {
	var slot uint32
	if n := len(l.freeSlots); n > 0 {
		slot = l.freeSlots[n-1]
		l.freeSlots = l.freeSlots[:n-1]
	} else {
		slot = uint32(len(l.conns))
		l.conns = append(l.conns, nil)
		l.wheel.reserve(slot)
	}
	l.conns[slot] = c
	c.slot = slot
}

func (l *Loop) removeConn(c *Conn) {
	l.conns[c.slot] = nil
	l.freeSlots = append(l.freeSlots, c.slot)
}

// count adds to the number of open sockets.
func (l *Loop) count(d int) {
	l.live += d
	l.pub.conns.Store(int64(l.live))
	l.srv.open.Add(int64(d))
}

// recovered is deferred around calls into the owner's code that concern no
// single connection.
func (l *Loop) recovered(what string) {
	if v := recover(); v != nil {
		l.panicked(what, v)
	}
}

func (l *Loop) panicked(what string, v any) {
	l.srv.panics.Add(1)
	l.srv.log.Error("panic on a loop", "in", what, "value", v, "stack", string(debug.Stack()))
}
