package socketio

import (
	"container/list"
	"maps"
	"slices"
	"time"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// session is what a client may come back to. Fields are guarded by the mutex
// of recovery unless marked.
type session struct {
	pid   engine.ID  // a secret of its client; never changes
	id    engine.ID  // of its sockets; never changes
	ns    *Namespace // never changes
	start uint64     // events up to here were before it; never changes

	owner *Socket // nil while parked

	// While parked, and until the owner is admitted.
	place    *list.Element
	parkedAt int64
	rooms    []string
	since    map[string]uint64 // events up to here were before a late join
	data     any
	values   map[string]any

	// Of the loop of an owner that was not admitted yet: what its client has
	// missed up to a position.
	missed []*netpoll.Msg
	frames int
	bytes  int
	upTo   uint64
}

// session returns the socket's session, nil if it has none.
func (s *Socket) session() (ss *session) {
	s.edit(false, func(x *extra) { ss = x.session })
	return ss
}

// Recovered tells whether the client came back to the session of an earlier
// socket: id, rooms and data are those of that one.
func (s *Socket) Recovered() bool { return s.is(stRestored) }

// begin gives an admitted socket a session of its own. Loop only.
func (r *recovery) begin(lp *loop, s *Socket) *session {
	ss := &session{ns: s.ns, id: s.id(), start: lp.seen, owner: s}
	ss.pid = engine.ID{Node: ss.id.Node, Loop: ss.id.Loop, Slot: ss.id.Slot}
	lp.Entropy.Take(&ss.pid.Rand)
	s.edit(true, func(x *extra) { x.session = ss })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[ss.pid] = ss
	return ss
}

// parks tells after which ends a client may come back.
func parks(reason string) bool {
	switch reason {
	case engine.ReasonTransportClose, engine.ReasonTransportError, engine.ReasonForcedClose,
		engine.ReasonPingTimeout:
		return true
	}
	return false
}

// leave parks the session of a socket that goes, or ends it. The socket still
// has its hold on the namespace. Loop only.
func (r *recovery) leave(s *Socket, reason string, rooms []string) {
	ss := s.session()
	if ss == nil {
		return
	}
	var data any
	var values map[string]any
	// A late handler of this socket may still set values: the session has its own.
	s.edit(false, func(x *extra) { data, values = x.data, maps.Clone(x.values) })
	// A session whose connection handlers had not returned lacks what they would
	// have set up; its client begins anew, and they run for that.
	keep := parks(reason) && s.is(stRan|stRestored) && !s.is(stQuit) &&
		s.ns.srv.state.Load() == srvRunning && s.ns.hold()
	var gone []*session
	defer func() { r.forget(gone) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moved[ss.id] == s {
		delete(r.moved, ss.id)
		r.restored.Store(int64(len(r.moved)))
	}
	if !keep || r.ended {
		delete(r.sessions, ss.pid)
		if keep {
			gone = append(gone, ss)
		}
		return
	}
	now := time.Now().UnixNano()
	ss.owner, ss.data, ss.values = nil, data, values
	ss.missed, ss.frames, ss.bytes = nil, 0, 0
	if rooms != nil { // else it was not admitted, and keeps time and rooms
		ss.rooms, ss.since, ss.parkedAt = rooms, nil, now
	}
	at := r.parked.Back()
	for at != nil && at.Value.(*session).parkedAt > ss.parkedAt {
		at = at.Prev()
	}
	if at == nil {
		ss.place = r.parked.PushFront(ss)
	} else {
		ss.place = r.parked.InsertAfter(ss, at)
	}
	gone = r.sweep(now)
}

// sweep takes out parked sessions that are over time or too many, and sees to
// it that it runs when the next one is due. mu is held; the caller forgets what
// it returns when it is not.
func (r *recovery) sweep(now int64) (gone []*session) {
	keep := int64(r.opt.MaxDisconnectionDuration)
	for r.parked.Len() > 0 && !r.ended {
		ss := r.parked.Front().Value.(*session)
		switch wait := ss.parkedAt + keep - now; {
		case wait <= 0:
			r.expired.Add(1)
		case r.parked.Len() > r.opt.MaxParked:
			r.evicted.Add(1)
		default:
			if r.timer == nil {
				r.timer = time.AfterFunc(time.Duration(wait), func() {
					r.mu.Lock()
					r.timer = nil
					now := time.Now().UnixNano()
					gone := r.sweep(now)
					r.trim(now)
					r.mu.Unlock()
					r.forget(gone)
				})
			}
			return gone
		}
		r.parked.Remove(ss.place)
		delete(r.sessions, ss.pid)
		gone = append(gone, ss)
	}
	return gone
}

// forget takes back the holds of parked sessions on their namespaces.
func (r *recovery) forget(gone []*session) {
	for _, ss := range gone {
		ss.ns.release()
	}
}

// at returns the restored socket of an id, nil if there is none. Any goroutine.
func (r *recovery) at(id *engine.ID) *Socket {
	if r == nil || r.restored.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved[*id]
}

// heir returns the socket whose loop carries out what a socket that has left
// is to join or leave: that of its client, if it is back, or itself, if the
// session waits; nil if it is over. Any goroutine.
func (s *Socket) heir() *Socket {
	r := s.ns.srv.recovery
	if r == nil {
		return nil
	}
	ss := s.session()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ss == nil || r.sessions[ss.pid] != ss:
		return nil
	case ss.owner != nil:
		return ss.owner
	}
	return s
}

// move joins or leaves a room for the session of a socket that has left, or was
// restored and not admitted yet. If the client is back with another socket, it
// is returned, and it is for that one's loop. Loop only.
func (r *recovery) move(lp *loop, s *Socket, room string, join bool) (heir *Socket) {
	ss := s.session()
	if ss == nil || s.named(room) {
		return nil
	}
	r.mu.Lock()
	over, heir, full := r.sessions[ss.pid] != ss, ss.owner, false
	if !over && (heir == nil || heir == s) {
		full = !ss.move(room, join, lp.seen, lp.srv.opt.MaxRooms)
	}
	r.mu.Unlock()
	if full {
		lp.tooManyRooms(s)
	}
	if over || heir == s {
		return nil
	}
	return heir
}

// move joins or leaves a room behind an event; false if there are too many.
func (ss *session) move(room string, join bool, seq uint64, most int) bool {
	i := slices.Index(ss.rooms, room)
	switch {
	case join && i < 0:
		if len(ss.rooms) >= most {
			return false
		}
		ss.rooms = append(ss.rooms, room)
		if ss.since == nil {
			ss.since = make(map[string]uint64)
		}
		ss.since[room] = seq
	case !join && i >= 0:
		ss.rooms = slices.Delete(ss.rooms, i, i+1)
		delete(ss.since, room)
	}
	return true
}

// resumption is a claim on its way to a loop: behind the events its client
// has, or back from the loop of the former owner.
type resumption struct {
	s *Socket
	w *claim
}

func (m *resumption) Run(l *netpoll.Loop) bool {
	if m.s.is(stPending) {
		loopOf(l).resume(m.s, m.w)
	}
	return false
}

// oust closes a connection whose client is back on another one, on its loop,
// and lets the claim go on.
type oust struct {
	old *Socket
	resumption
}

func (o *oust) Run(*netpoll.Loop) bool {
	o.old.oust()
	o.s.c.Loop().Post(&o.resumption)
	return false
}

func (s *Socket) oust() {
	if s.is(stPending | stConnected) {
		s.c.close(s, engine.ReasonTransportClose)
		s.c.End(engine.ReasonTransportClose)
	}
}

// resume tries to give a pending socket the session it claims, and lets it go
// on to middleware or admission either way. Loop only.
func (lp *loop) resume(s *Socket, w *claim) {
	r := lp.srv.recovery
	for s.is(stPending) {
		r.mu.Lock()
		ss := r.sessions[w.pid]
		if ss == nil || ss.ns != s.ns ||
			ss.owner == nil && time.Now().UnixNano()-ss.parkedAt > int64(r.opt.MaxDisconnectionDuration) {
			r.mu.Unlock()
			lp.anew(s, recoveryUnknown)
			return
		}
		if w.bad || w.from > r.seq {
			r.mu.Unlock()
			lp.anew(s, recoveryBadOffset)
			return
		}
		from := max(w.from, ss.start)
		if from > lp.seen {
			// The client was on a loop that was faster. What it has had there
			// is in the inbox here, as the mutex shows; wait until it is past.
			r.mu.Unlock()
			if w.late { // made up: such an event never came to this loop
				lp.anew(s, recoveryBadOffset)
				return
			}
			w.late = true
			lp.Post(&resumption{s: s, w: w})
			return
		}
		if old := ss.owner; old != nil {
			r.mu.Unlock()
			if w.tries++; w.tries > claimTries {
				lp.anew(s, recoveryBusy)
				return
			}
			if old.c.Loop() == s.c.Loop() {
				old.oust()
				continue
			}
			old.c.Loop().Post(&oust{old: old, resumption: resumption{s: s, w: w}})
			return
		}
		ss.owner = s
		r.parked.Remove(ss.place)
		far := from < r.lost.seq && r.lost.at >= ss.parkedAt-int64(r.unnoticed)
		list := r.span(from, lp.seen)
		if !far {
			r.moved[ss.id] = s
			r.restored.Store(int64(len(r.moved)))
		}
		data, values := ss.data, ss.values
		r.mu.Unlock()
		ss.ns.release() // the parked session's hold; s has its own
		ss.upTo = lp.seen
		if far || !ss.collect(list, lp) {
			lp.giveUp(r, ss, s)
			lp.anew(s, recoveryTooFar)
			return
		}
		s.edit(true, func(x *extra) { x.session, x.data, x.values = ss, data, values })
		s.state.Or(stRestored)
		lp.vet(s)
		return
	}
}

// giveUp ends a session that cannot be resumed.
func (lp *loop) giveUp(r *recovery, ss *session, s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, ss.pid)
	if r.moved[ss.id] == s {
		delete(r.moved, ss.id)
		r.restored.Store(int64(len(r.moved)))
	}
}

// anew goes on with a socket that gets no former session.
func (lp *loop) anew(s *Socket, why recoveryResult) {
	lp.srv.recovery.results[why].Add(1)
	lp.vet(s)
}

// collect adds the events of list that the session has missed; false if they
// are more than a client may have waiting. Loop only.
func (ss *session) collect(list []logged, lp *loop) bool {
	if len(list) == 0 {
		return true
	}
	in := make(map[string]uint64, len(ss.rooms)+1)
	own := ss.id.String()
	in[own] = 0
	for _, room := range ss.rooms {
		in[room] = ss.since[room]
	}
	o := &lp.srv.opt
	for i := range list {
		f := list[i].f
		if f.b.ns != ss.ns || f.b.from != nil && f.b.from.id() == ss.id ||
			f.b.rooms.n > 0 && !f.b.rooms.meets(in, f.seq) || f.b.except.meets(in, f.seq) ||
			f.b.flags&soleFlag != 0 && f.b.rooms.one != own {
			continue
		}
		ss.missed = append(ss.missed, &f.Msg)
		ss.frames += f.Frames()
		ss.bytes += f.Len()
		// As much again is left for what comes live.
		if ss.frames > o.MaxPendingFrames/2 || ss.bytes > o.MaxPendingBytes/2 {
			return false
		}
	}
	return true
}

// meets tells whether an event to, or not to, these rooms met a member of those
// in a set, which tells the last event before each was joined.
func (r *roomList) meets(in map[string]uint64, seq uint64) bool {
	if r.n == 0 {
		return false
	}
	if since, ok := in[r.one]; ok && seq > since {
		return true
	}
	for _, name := range r.more {
		if since, ok := in[name]; ok && seq > since {
			return true
		}
	}
	return false
}

// catchUp completes what a restored socket has missed while its middleware
// ran; false if that is too much. Loop only.
func (r *recovery) catchUp(lp *loop, ss *session) bool {
	r.mu.Lock()
	far := r.lost.seq > ss.upTo
	list := r.span(ss.upTo, lp.seen)
	r.mu.Unlock()
	ss.upTo = lp.seen
	return !far && ss.collect(list, lp)
}
