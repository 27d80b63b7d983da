package socketio

import (
	"time"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/protocol/sio"
)

// Broadcast names receivers: the members of rooms, or of the whole namespace
// if none is named, minus the members of excepted rooms, each once. It is a
// value: each method returns a changed copy, so that one may be kept and used
// often. Any goroutine.
type Broadcast struct {
	ns      *Namespace
	from    *Socket // excluded
	rooms   roomList
	except  roomList
	flags   emitFlags
	event   uint16 // set by emit: see emission
	timeout time.Duration
}

// roomList is a list whose first name needs no allocation.
type roomList struct {
	one  string
	more []string
	n    int
}

func (r roomList) with(names []string) roomList {
	for _, name := range names {
		if r.n == 0 {
			r.one = name
		} else {
			// Never into the room behind a list that a copy of r shares.
			r.more = append(r.more[:len(r.more):len(r.more)], name)
		}
		r.n++
	}
	return r
}

// appendTo appends the names to dst.
func (r *roomList) appendTo(dst []string) []string {
	if r.n == 0 {
		return dst
	}
	return append(append(dst, r.one), r.more...)
}

// To adds rooms to the receivers. The id of a socket is its room. A room
// nobody is in has no receivers; To without any name adds nothing, as in Node:
// if no room is named at all, the whole namespace is meant.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.rooms = b.rooms.with(rooms)
	return b
}

// In is To.
func (b Broadcast) In(rooms ...string) Broadcast { return b.To(rooms...) }

// Except removes the members of rooms from the receivers.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.except = b.except.with(rooms)
	return b
}

// Volatile drops the event for receivers that older output waits for.
func (b Broadcast) Volatile() Broadcast {
	b.flags |= volatileFlag
	return b
}

// Local restricts the broadcast to this server.
func (b Broadcast) Local() Broadcast {
	b.flags |= localFlag
	return b
}

// Compress is Socket.Compress.
func (b Broadcast) Compress(on bool) Broadcast {
	b.flags = b.flags.compress(on)
	return b
}

// Timeout bounds the wait for acknowledgements.
func (b Broadcast) Timeout(d time.Duration) Broadcast {
	b.timeout = d
	return b
}

// Emit sends an event to the receivers. It is encoded once, before Emit
// returns; see Socket.Emit for the arguments. Who the receivers are is
// determined on each loop behind the joins and leaves this goroutine made
// before.
func (b Broadcast) Emit(event string, args ...any) error { return b.emit(nil, event, args) }

// Send emits the event "message".
func (b Broadcast) Send(args ...any) error { return b.emit(nil, "message", args) }

func (b Broadcast) emit(a *ask, event string, args []any) error {
	return b.emitTo(nil, a, event, args)
}

// emitTo is emit; one is the receiver of an emit to a socket.
func (b Broadcast) emitTo(one *Socket, a *ask, event string, args []any) error {
	if b.ns.match != nil {
		return b.emitToChildren(event, args)
	}
	srv := b.ns.srv
	b.event = srv.names[event]
	f := &fanout{b: b, ask: a}
	id := int64(-1)
	if a != nil {
		id = int64(a.key.id)
	}
	here, elsewhere := true, false
	if srv.mesh != nil {
		here, elsewhere = b.reach()
	}
	r := srv.recovery
	keep := r != nil && a == nil && b.flags&volatileFlag == 0
	if keep {
		args = append(args[:len(args):len(args)], r.blank)
	}
	buf, atts, err := sio.AppendEvent(newFrame(f.room[:0]), b.ns.name, id, event, args)
	if err != nil {
		return err
	}
	wire, frames, err := finishFrames(buf, atts, srv.opt.MaxAttachments)
	if err != nil {
		return err
	}
	f.Init(wire, frames)
	if one == nil {
		srv.encodes.Add(1)
		f.measure(srv)
	}
	b.ns.sent(one, wire)
	if b.flags&plainFlag != 0 {
		f.SetPlain()
	}
	if elsewhere {
		srv.mesh.emit(&b, a, wire, keep)
	}
	switch {
	case !here:
	case keep:
		r.post(f)
	case a != nil:
		srv.postAll(f)
	default:
		srv.postTo(&b, f)
	}
	return nil
}

// postTo posts a broadcast to the loops that can have receivers.
func (s *Server) postTo(b *Broadcast, f *fanout) {
	if lp := b.home(); lp != nil {
		f.reached.Store(min(f.reached.Load(), 1))
		lp.Post(f)
		return
	}
	s.postAll(f)
}

// home returns the only loop that can have a receiver: the one that the id of
// a socket names, as long as nobody joined a room that is named like an id.
func (b *Broadcast) home() *loop {
	srv := b.ns.srv
	if b.rooms.n != 1 || len(b.rooms.one) != engine.IDLen || srv.idRooms.Load() ||
		srv.recovery != nil {
		return nil // a restored socket may be on any loop
	}
	id, ok := engine.ParseID(b.rooms.one)
	if !ok || id.Node != srv.opt.NodeTag || int(id.Loop) >= len(srv.loops) {
		return nil
	}
	return srv.loops[id.Loop].Load()
}

// noteRoom remembers that a room looks like the id of a socket: such rooms have
// members on any loop, and on any node.
func (s *Server) noteRoom(room string) {
	if len(room) != engine.IDLen || s.mesh == nil && s.idRooms.Load() {
		return
	}
	switch id, ok := engine.ParseID(room); {
	case !ok:
	case id.Node == s.opt.NodeTag:
		s.idRooms.Store(true)
	case s.mesh != nil:
		s.mesh.note(&id)
	}
}
