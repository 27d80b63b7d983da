package socketio

import (
	"slices"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// fanout is a broadcast on its way to the loops: one object, posted to each of
// them and not changed any more.
type fanout struct {
	netpoll.Msg
	b   Broadcast
	ask *ask
	seq uint64 // its place in the log of recovery; 0: none
	// reached is what Stats.Fanouts needs: how many loops have not delivered
	// yet in the lowest byte, the receivers on the others above it. 0: it is
	// not counted there.
	reached atomic.Uint64
	room    [fanoutRoom]byte
}

// measure makes a broadcast one that is counted with its receivers, before it
// is posted.
func (f *fanout) measure(srv *Server) { f.reached.Store(uint64(len(srv.loops))) }

// delivered takes note of the receivers on one loop. Loop only.
func (f *fanout) delivered(lp *loop, n int64) {
	if lp.m.out != nil {
		lp.m.out[f.b.event].Add(uint64(n))
	}
	if f.reached.Load() == 0 {
		return
	}
	if all := f.reached.Add(uint64(n)<<8 - 1); all&0xff == 0 {
		lp.m.fanouts.observe(int64(all>>8), &fanoutBounds)
	}
}

// Merge implements netpoll.Merger: a broadcast takes over those right behind it
// that have the same receivers, so that each member is visited, and written
// to, once for all of them.
func (f *fanout) Merge(l *netpoll.Loop, next netpoll.Task) bool {
	n, ok := next.(*fanout)
	if !ok || !f.b.merges(&n.b) || f.ask != nil || n.ask != nil {
		return false
	}
	lp := loopOf(l)
	if lp.leader != f {
		if f.Len()+n.Len() > mergeBytes {
			return false
		}
		lp.leader, lp.led, lp.ledBytes = f, append(lp.led[:0], f), f.Len()
	}
	if lp.ledBytes+n.Len() > mergeBytes {
		return false
	}
	lp.led = append(lp.led, n)
	lp.ledBytes += n.Len()
	return true
}

// merges tells whether two broadcasts have the same receivers whatever the
// rooms' members are, and none may be dropped on its own.
func (b *Broadcast) merges(c *Broadcast) bool {
	return b.ns == c.ns && b.from == c.from && (b.flags|c.flags)&volatileFlag == 0 &&
		(b.flags^c.flags)&soleFlag == 0 &&
		b.rooms.equal(&c.rooms) && b.except.equal(&c.except)
}

func (r *roomList) equal(o *roomList) bool {
	return r.n == o.n && r.one == o.one && slices.Equal(r.more, o.more)
}

// message returns what a broadcast delivers: its own message, or one of all
// those it took over, with their number.
func (lp *loop) message(f *fanout) (m *netpoll.Msg, count int) {
	if lp.leader != f {
		lp.seen = max(lp.seen, f.seq)
		return &f.Msg, 1
	}
	count = len(lp.led)
	wire, frames, plain := make([]byte, 0, lp.ledBytes), 0, true
	for _, m := range lp.led {
		wire = append(wire, m.Wire()...)
		frames += m.Frames()
		plain = plain && m.Plain()
		lp.seen = max(lp.seen, m.seq)
	}
	lp.leader = nil
	m = netpoll.NewMsgWire(wire, frames)
	if plain {
		m.SetPlain()
	}
	return m, count
}

// Run implements netpoll.Task: it queues the message for the receivers on this
// loop, over several turns if there are many.
func (f *fanout) Run(l *netpoll.Loop) (again bool) {
	lp := loopOf(l)
	if lp.walk != netpoll.Task(f) {
		lp.begin(f, &f.b)
		if f.ask != nil {
			lp.register(f.ask, lp.targets)
		}
		lp.merged, lp.emits = lp.message(f)
		lp.reached = 0
	}
	volatile := f.b.flags&volatileFlag != 0
	watched := lp.srv.outgoing.Load()
	var sent int64
	defer func() {
		lp.n.deliveries.Add(sent * int64(lp.emits))
		lp.reached += sent
		if !again {
			lp.settle(f)
		}
	}()
	for n := 0; lp.at < len(lp.targets); n++ {
		if n%spentEvery == spentEvery-1 && l.Spent() {
			return true
		}
		s := lp.targets[lp.at]
		lp.targets[lp.at] = nil
		lp.at++
		switch {
		case !s.is(stConnected):
		case volatile && !s.c.Writable():
			lp.srv.drop(dropVolatile)
		default:
			m := lp.merged
			if f.seq != 0 && s.c.EIO3() {
				m = lp.bare(m)
			}
			s.c.SendBulk(m)
			sent++
			if watched {
				s.watched(lp, lp.merged.Wire())
			}
		}
	}
	lp.end()
	return false
}

// settle counts the broadcasts that a walk has delivered.
func (lp *loop) settle(f *fanout) {
	if lp.emits == 1 {
		f.delivered(lp, lp.reached)
		return
	}
	for _, m := range lp.led {
		m.delivered(lp, lp.reached)
	}
	clear(lp.led)
	lp.led = lp.led[:0]
}

// begin starts a walk over the receivers of b. Loop only.
func (lp *loop) begin(t netpoll.Task, b *Broadcast) {
	if b.flags&soleFlag != 0 {
		lp.targets = lp.targets[:0]
		if s := lp.byName(b.ns, b.rooms.one); s != nil && s.is(stConnected) {
			lp.targets = append(lp.targets, s)
		}
		lp.walk, lp.at = t, 0
		return
	}
	p := &lp.plan
	p.NS = b.ns.num
	p.Rooms = b.rooms.appendTo(p.Rooms[:0])
	p.Except = b.except.appendTo(p.Except[:0])
	lp.members = lp.appendIDs(lp.members[:0], b.ns, p.Rooms)
	lp.excepts = lp.appendIDs(lp.excepts[:0], b.ns, p.Except)
	switch s := b.from; {
	case s == nil:
	case s.is(stConnected):
		if s.c.Loop() == lp.Loop.Loop {
			lp.excepts = append(lp.excepts, s.slot)
		}
	case lp.srv.recovery != nil:
		id := s.id()
		if s := lp.lookup(b.ns, &id); s != nil { // the client is back
			lp.excepts = append(lp.excepts, s.slot)
		}
	}
	p.Slots, p.ExceptSlots = lp.members, lp.excepts
	lp.slots = lp.shard.AppendPlan(lp.slots[:0], p)
	clear(p.Rooms)
	clear(p.Except)
	lp.targets = lp.targets[:0]
	for _, slot := range lp.slots {
		lp.targets = append(lp.targets, lp.sockets[slot])
	}
	lp.walk, lp.at = t, 0
}

// end finishes a walk.
func (lp *loop) end() {
	clear(lp.targets[lp.at:])
	lp.targets, lp.at, lp.walk, lp.merged = lp.targets[:0], 0, nil, nil
}

// appendIDs appends the slots of the sockets whose ids are among names.
func (lp *loop) appendIDs(dst []uint32, ns *Namespace, names []string) []uint32 {
	for _, name := range names {
		if len(name) < engine.IDLen || len(name) > engine.IDLen && !lp.srv.opt.AllowEIO3 {
			continue
		}
		if s := lp.byName(ns, name); s != nil {
			dst = append(dst, s.slot)
		}
	}
	return dst
}
