package socketio

import (
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// States and flags of a socket. The state moves forward on the loop only.
const (
	stPending   uint32 = 1 << iota // CONNECT received, middleware running
	stConnected                    // accepted
	stClosed                       // left, refused, or its connection is gone

	stRan     // connection handlers have returned
	stQuit    // Disconnect was called: waiting events are not handled
	stLeaving // disconnecting handlers are running

	stRestored // the session, and so the id, is that of an earlier socket
)

// Socket is a client in a namespace. Its methods may be called from any
// goroutine, and after it has left, when they do nothing.
type Socket struct {
	ns  *Namespace
	c   *client
	ext atomic.Pointer[extra]
	box netpoll.Mailbox

	state atomic.Uint32
	slot  uint32 // set once, before anybody else sees the socket
	rand  [engine.RandLen]byte
}

func (s *Socket) is(bits uint32) bool { return s.state.Load()&bits != 0 }

// moveTo replaces the state and keeps the flags. Loop only.
func (s *Socket) moveTo(st uint32) {
	for {
		old := s.state.Load()
		if s.state.CompareAndSwap(old, old&^(stPending|stConnected|stClosed)|st) {
			return
		}
	}
}

func (s *Socket) loop() *loop { return s.ns.srv.loops[s.c.Loop().Index()].Load() }

func (s *Socket) id() engine.ID {
	if s.is(stRestored) {
		return s.session().id
	}
	return engine.ID{Node: s.ns.srv.opt.NodeTag, Loop: uint8(s.c.Loop().Index()),
		Slot: s.slot, Rand: s.rand}
}

// ID returns the socket's id, which is also the name of a room that only it is
// in. A client gets a new one whenever it connects, unless it is Recovered.
func (s *Socket) ID() string {
	if s.c.EIO3() {
		return s.oldID()
	}
	id := s.id()
	return id.String()
}

// Namespace returns the namespace the socket is in.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Server returns the socket's server.
func (s *Socket) Server() *Server { return s.ns.srv }

// Connected tells whether the socket was accepted and has not left. It is
// still true in OnDisconnecting handlers.
func (s *Socket) Connected() bool { return s.is(stConnected | stLeaving) }

// Join puts the socket into rooms, at most Options.MaxRooms. In a middleware
// they take effect when the socket is accepted; after it has left nothing
// happens, unless its client may still come back to its session, or has: then
// that is in the rooms, from now on (see ConnectionStateRecovery).
func (s *Socket) Join(rooms ...string) { s.move(rooms, true) }

// Leave takes the socket out of rooms, its session like with Join. The room of
// its own id cannot be left.
func (s *Socket) Leave(rooms ...string) { s.move(rooms, false) }

func (s *Socket) move(rooms []string, join bool) {
	if s.is(stClosed) {
		if s = s.heir(); s == nil {
			return
		}
	}
	for _, room := range rooms {
		if join {
			s.ns.srv.noteRoom(room)
		}
		s.c.Loop().Post(&membership{s: s, room: room, join: join})
	}
}

// membership is a Join or Leave on its way to the loop.
type membership struct {
	s    *Socket
	room string
	join bool
}

func (m *membership) Run(l *netpoll.Loop) bool {
	lp := loopOf(l)
	switch {
	case m.s.is(stClosed):
		if r := lp.srv.recovery; r != nil {
			if heir := r.move(lp, m.s, m.room, m.join); heir != nil {
				m.s = heir
				heir.c.Loop().Post(m)
			}
		}
	case m.join:
		lp.join(m.s, m.room)
	default:
		lp.leave(m.s, m.room)
	}
	return false
}

func (lp *loop) join(s *Socket, room string) {
	switch {
	case s.is(stConnected):
		if s.named(room) {
			return
		}
		if lp.shard.RoomCount(s.slot) >= lp.srv.opt.MaxRooms && !lp.shard.In(s.slot, room) {
			lp.tooManyRooms(s)
			return
		}
		lp.shard.Join(s.slot, room)
	case s.is(stRestored):
		lp.srv.recovery.move(lp, s, room, true)
	case s.is(stPending):
		full := false
		s.edit(true, func(x *extra) {
			if full = len(x.early) >= lp.srv.opt.MaxRooms; !full {
				x.early = append(x.early, room)
			}
		})
		if full {
			lp.tooManyRooms(s)
		}
	}
}

func (lp *loop) tooManyRooms(s *Socket) {
	lp.srv.drop(dropRooms)
	lp.srv.warn(noteRooms, "a socket is in too many rooms: a join was not carried out",
		"namespace", s.ns.name, "socket", s.ID(), "option", "MaxRooms")
}

func (lp *loop) leave(s *Socket, room string) {
	switch {
	case s.is(stConnected):
		lp.shard.Leave(s.slot, room)
	case s.is(stRestored):
		lp.srv.recovery.move(lp, s, room, false)
	case s.is(stPending):
		s.edit(false, func(x *extra) {
			kept := x.early[:0]
			for _, r := range x.early {
				if r != room {
					kept = append(kept, r)
				}
			}
			x.early = kept
		})
	}
}

// Rooms returns the rooms the socket is in, its own id first; in an
// OnDisconnecting handler those it is about to leave, afterwards none. It
// waits for the socket's loop, so that joins made before are seen.
func (s *Socket) Rooms() []string {
	var list []string
	if s.is(stClosed) {
		return s.lastRooms()
	}
	lp := s.loop()
	err := lp.do(func(lp *loop) {
		switch {
		case s.is(stConnected):
			list = lp.shard.AppendRooms([]string{s.ID()}, s.slot)
		case s.is(stPending) && s.is(stRestored):
			list = append([]string{s.ID()}, s.session().rooms...)
		case s.is(stPending):
			s.edit(false, func(x *extra) { list = append(list, x.early...) })
		}
	})
	if err != nil || s.is(stClosed) && list == nil {
		return s.lastRooms()
	}
	return list
}

func (s *Socket) lastRooms() (list []string) {
	if s.is(stLeaving) {
		s.edit(false, func(x *extra) { list = append(list, x.last...) })
	}
	return list
}

// Disconnect takes the socket out of its namespace; the client is told. With
// closeConnection all namespaces of its connection are left and the
// connection is closed. Events that wait for handlers are dropped.
func (s *Socket) Disconnect(closeConnection bool) {
	if s.is(stClosed) {
		return
	}
	s.state.Or(stQuit)
	s.c.Loop().Post(&dismissal{s: s, all: closeConnection})
}

// dismissal is a Disconnect on its way to the loop.
type dismissal struct {
	s   *Socket
	all bool
}

func (d *dismissal) Run(*netpoll.Loop) bool {
	d.s.c.dismiss(d.s, d.all)
	return false
}
