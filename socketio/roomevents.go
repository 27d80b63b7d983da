package socketio

import (
	"sync"

	"github.com/throng-server/throng/rooms"
)

// roomHooks are told of a namespace's rooms. It is immutable; nil if there are
// none.
type roomHooks struct {
	create, delete []func(room string)
	join, leave    []func(room, id string)
}

func (r *registry) hookRooms(edit func(h *roomHooks)) {
	r.change(func(h *handlerSet) {
		var hooks roomHooks
		if h.rooms != nil {
			hooks = *h.rooms
		}
		edit(&hooks)
		h.rooms = &hooks
	})
}

// OnCreateRoom adds a hook for rooms that get their first member on this
// server. The hooks of a namespace run one after the other, on a worker, in the
// order of what they tell: create before the first join, delete after the last
// leave. Rooms named by a socket's own id, which only it is in, are not told
// of. Hooks should be registered before clients connect: of older rooms they
// learn with the next join.
func (n *Namespace) OnCreateRoom(f func(room string)) {
	n.reg.hookRooms(func(h *roomHooks) { h.create = add(h.create, f) })
}

// OnJoinRoom adds a hook for sockets, by their ids, that have come into rooms;
// see OnCreateRoom.
func (n *Namespace) OnJoinRoom(f func(room, id string)) {
	n.reg.hookRooms(func(h *roomHooks) { h.join = add(h.join, f) })
}

// OnLeaveRoom adds a hook for sockets that have left rooms, also because they
// disconnected; see OnCreateRoom.
func (n *Namespace) OnLeaveRoom(f func(room, id string)) {
	n.reg.hookRooms(func(h *roomHooks) { h.leave = add(h.leave, f) })
}

// OnDeleteRoom adds a hook for rooms that have lost their last member on this
// server; see OnCreateRoom.
func (n *Namespace) OnDeleteRoom(f func(room string)) {
	n.reg.hookRooms(func(h *roomHooks) { h.delete = add(h.delete, f) })
}

// roomWatch counts the members of rooms over all loops, so that the first and
// the last one are known, and queues what the hooks are told. The mutex gives
// the changes their one order; it is held for a few instructions.
type roomWatch struct {
	ns      *Namespace
	mu      sync.Mutex
	members map[string]int
	queue   []roomChange
	busy    bool // a worker tells the hooks
}

type roomChangeKind uint8

const (
	roomCreated roomChangeKind = iota
	roomDeleted
	roomEntered
	roomLeft
)

// roomChange is one call of the hooks.
type roomChange struct {
	kind roomChangeKind
	room string
	id   string
}

// roomJoined and roomLeft are hooks of the loop's rooms.
func (lp *loop) roomJoined(_ rooms.NS, room string, slot rooms.Slot) {
	lp.m.members.Add(1)
	if s := lp.sockets[slot]; s.ns.reg.load().rooms != nil {
		s.ns.watch.change(room, s.ID(), 1)
	}
}

func (lp *loop) roomLeft(_ rooms.NS, room string, slot rooms.Slot) {
	lp.m.members.Add(-1)
	if s := lp.sockets[slot]; s.ns.reg.load().rooms != nil {
		s.ns.watch.change(room, s.ID(), -1)
	}
}

// change notes that a socket has come into a room (by is 1) or left it (-1).
func (w *roomWatch) change(room, id string, by int) {
	w.mu.Lock()
	if w.members == nil {
		w.members = make(map[string]int)
	}
	before := w.members[room]
	full := len(w.queue) >= maxRoomEvents
	put := func(c roomChange) {
		if !full {
			w.queue = append(w.queue, c)
		}
	}
	switch {
	case by > 0:
		w.members[room] = before + 1
		if before == 0 {
			put(roomChange{roomCreated, room, ""})
		}
		put(roomChange{roomEntered, room, id})
	default:
		put(roomChange{roomLeft, room, id})
		switch before {
		case 0: // joined before there were hooks
		case 1:
			delete(w.members, room)
			put(roomChange{roomDeleted, room, ""})
		default:
			w.members[room] = before - 1
		}
	}
	start := !w.busy && len(w.queue) > 0
	w.busy = w.busy || start
	w.mu.Unlock()

	srv := w.ns.srv
	if full {
		srv.drop(dropRoomEvents)
		srv.warn(noteRoomEvents, "room hooks are slower than the rooms change: "+
			"they are not told of everything", "namespace", w.ns.name, "waiting", maxRoomEvents)
	}
	if start {
		srv.background(w.run)
	}
}

// run tells the hooks, on a worker, until nothing is left.
func (w *roomWatch) run() {
	for {
		w.mu.Lock()
		list := w.queue
		w.queue = nil
		w.busy = len(list) > 0
		w.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for i := range list {
			w.tell(&list[i])
		}
	}
}

func (w *roomWatch) tell(c *roomChange) {
	h := w.ns.reg.load().rooms
	srv := w.ns.srv
	of, with := h.create, h.join
	switch c.kind {
	case roomDeleted:
		of = h.delete
	case roomLeft:
		with = h.leave
	}
	if c.id == "" {
		for _, f := range of {
			srv.guard("room hook", func() { f(c.room) })
		}
		return
	}
	for _, f := range with {
		srv.guard("room hook", func() { f(c.room, c.id) })
	}
}
