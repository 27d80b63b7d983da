package socketio

import (
	"bytes"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/rooms"
)

// loop is the server's state of one event loop. What is not atomic belongs to
// the loop's goroutine.
type loop struct {
	*engine.Loop
	srv *Server

	// sockets is indexed by slot; a slot is taken from CONNECT until the
	// socket has left.
	sockets []*Socket
	free    []uint32
	shard   *rooms.Shard

	// walk is the one operation over many members that is under way; it goes
	// on in later turns. Its members are held as pointers, because a slot may
	// have a new owner by then.
	walk    netpoll.Task
	targets []*Socket
	at      int
	slots   []rooms.Slot
	plan    rooms.Plan
	members []rooms.Slot // backs plan.Slots
	excepts []rooms.Slot // backs plan.ExceptSlots
	merged  *netpoll.Msg // what walk delivers, with the broadcasts it took over
	emits   int          // how many those are
	reached int64        // how many members have them

	// leader has taken over the broadcasts led, itself first, and will deliver
	// them together.
	leader   *fanout
	led      []*fanout
	ledBytes int

	// seen is the last event of the log of recovery that came to this loop.
	seen uint64
	// repacked is the last message that was turned into msgpack.
	repacked repacked
	// bared is the last message whose offsets were taken off.
	bared repacked

	// timedTurn is the last turn in which an event was timed, untimed how many
	// were not since one was.
	timedTurn uint64
	untimed   uint8

	// asks are the broadcasts that wait for answers of this loop's sockets.
	asks map[askKey]*loopAsk

	// Written by the loop, read by anybody.
	n        loopCounters
	m        measures
	boxBytes atomic.Int64 // in mailboxes of this loop; workers take off
	spare    spares

	// held are the addresses that sessions count for, by the slot of their
	// connection; nil while there is no limit. arrivals are when the last event
	// of a socket would have come had all come at the highest rate, by its slot.
	held     []addressKey
	arrivals []int64

	// goroutine is the loop's own id while an inline handler runs, else 0.
	goroutine atomic.Uint64
	self      uint64
}

type loopCounters struct {
	eventsIn, acksIn, emits, deliveries, rooms atomic.Int64
	sessions                                   sessionCounters
	_                                          [64]byte
}

func (s *Server) startLoop(el *engine.Loop) any {
	lp := &loop{Loop: el, srv: s}
	if n := len(s.opt.EventNames); n > 0 {
		lp.m.in, lp.m.out = make([]atomic.Uint64, n+1), make([]atomic.Uint64, n+1)
	}
	lp.shard = rooms.New(rooms.Hooks{
		Join:   lp.roomJoined,
		Leave:  lp.roomLeft,
		Create: func(rooms.NS, string) { lp.n.rooms.Add(1) },
		Delete: func(rooms.NS, string) { lp.n.rooms.Add(-1) },
	})
	s.loops[el.Index()].Store(lp)
	return lp
}

// loopOf returns the state of a loop. Loop only.
func loopOf(l *netpoll.Loop) *loop { return engine.LoopOf(l).App.(*loop) }

// takeSlot gives s a slot and its random bytes; false when there is none.
func (lp *loop) takeSlot(s *Socket) bool {
	if n := len(lp.free); n > 0 {
		s.slot = lp.free[n-1]
		lp.free = lp.free[:n-1]
		lp.sockets[s.slot] = s
	} else {
		if len(lp.sockets) > engine.MaxSlot {
			return false
		}
		s.slot = uint32(len(lp.sockets))
		lp.sockets = append(lp.sockets, s)
	}
	lp.forget(s.slot)
	lp.Entropy.Take(&s.rand)
	return true
}

func (lp *loop) freeSlot(s *Socket) {
	if lp.sockets[s.slot] == s {
		lp.sockets[s.slot] = nil
		lp.free = append(lp.free, s.slot)
	}
}

// lookup finds the connected socket of a namespace, or of the children of a
// parent, with an id of this loop.
// Nobody learns from the time it takes: ids are compared whole.
func (lp *loop) lookup(ns *Namespace, id *engine.ID) *Socket {
	if s := lp.srv.recovery.at(id); s != nil {
		if s.c.Loop() == lp.Loop.Loop && (s.ns == ns || s.ns.parent == ns) && s.is(stConnected) {
			return s
		}
		return nil
	}
	if int(id.Loop) != lp.Index() || int(id.Slot) >= len(lp.sockets) {
		return nil
	}
	s := lp.sockets[id.Slot]
	if s == nil || s.c.EIO3() || s.ns != ns && s.ns.parent != ns || s.rand != id.Rand ||
		!s.is(stConnected) || s.is(stRestored) {
		return nil
	}
	return s
}

// call runs fn on a loop and waits for it.
type call struct {
	fn   func(lp *loop)
	done chan struct{}
}

func (c *call) Run(l *netpoll.Loop) bool {
	defer close(c.done)
	c.fn(loopOf(l))
	return false
}

// do runs fn on the loop and waits. From an inline handler of the same loop
// fn runs at once; from one of another loop it is refused. Any goroutine.
func (lp *loop) do(fn func(lp *loop)) error {
	if on := lp.srv.onLoop(); on == lp {
		fn(lp)
		return nil
	} else if on != nil {
		return ErrOnLoop
	}
	c := &call{fn: fn, done: make(chan struct{})}
	lp.Post(c)
	select {
	case <-c.done:
		return nil
	case <-lp.srv.ended:
		select {
		case <-c.done:
			return nil
		default:
			return ErrNotStarted
		}
	}
}

// onLoop returns the loop whose inline handler is the caller, or nil. It is
// used by calls that wait, which can afford to ask for their goroutine.
func (s *Server) onLoop() *loop {
	var self uint64
	for i := range s.loops {
		lp := s.loops[i].Load()
		if lp == nil {
			continue
		}
		if g := lp.goroutine.Load(); g != 0 {
			if self == 0 {
				self = goroutineID()
			}
			if g == self {
				return lp
			}
		}
	}
	return nil
}

// goroutineID reads the number from the first line of a stack trace,
// "goroutine 7 [running]:".
func goroutineID() uint64 {
	var b [64]byte
	line := bytes.TrimPrefix(b[:runtime.Stack(b[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(line, ' '); i > 0 {
		line = line[:i]
	}
	n, _ := strconv.ParseUint(string(line), 10, 64) // 0 matches no goroutine
	return n
}
