package socketio

import (
	"sync"
	"sync/atomic"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/rooms"
)

// roomHooks are told of a namespace's rooms.
type roomHooks struct {
	create, delete []func(room string)
	join, leave    []func(room, id string)
}

func (h *roomHooks) none() bool {
	return len(h.create)+len(h.delete)+len(h.join)+len(h.leave) == 0
}

// OnCreateRoom adds a hook for rooms that get their first member on this
// server. The hooks of a namespace run one after the other, on a worker, in the
// order of what they tell: create before the first join, delete after the last
// leave. Rooms named by a socket's own id, which only it is in, are not told
// of. Hooks should be registered before clients connect: of older rooms they
// learn with the next join.
func (n *Namespace) OnCreateRoom(f func(room string)) {
	n.reg.change(func(h *handlerSet) { h.rooms.create = add(h.rooms.create, f) })
}

// OnJoinRoom adds a hook for sockets, by their ids, that have come into rooms;
// see OnCreateRoom.
func (n *Namespace) OnJoinRoom(f func(room, id string)) {
	n.reg.change(func(h *handlerSet) { h.rooms.join = add(h.rooms.join, f) })
}

// OnLeaveRoom adds a hook for sockets that have left rooms, also because they
// disconnected; see OnCreateRoom.
func (n *Namespace) OnLeaveRoom(f func(room, id string)) {
	n.reg.change(func(h *handlerSet) { h.rooms.leave = add(h.rooms.leave, f) })
}

// OnDeleteRoom adds a hook for rooms that have lost their last member on this
// server; see OnCreateRoom.
func (n *Namespace) OnDeleteRoom(f func(room string)) {
	n.reg.change(func(h *handlerSet) { h.rooms.delete = add(h.rooms.delete, f) })
}

// roomWatch counts the members of rooms over all loops, so that the first and
// the last one are known, and queues what the hooks are told. The mutex is held
// for a few instructions and gives the events their one order.
type roomWatch struct {
	ns      *Namespace
	mu      sync.Mutex
	members map[string]int
	box     netpoll.Mailbox
	waiting atomic.Int32
}

type roomChange uint8

const (
	roomCreated roomChange = iota
	roomDeleted
	roomEntered
	roomLeft
)

// roomEvent is one call of the hooks.
type roomEvent struct {
	node   netpoll.Node
	w      *roomWatch
	change roomChange
	room   string
	id     string
}

// Run calls the hooks, on a worker.
func (e *roomEvent) Run() {
	e.w.waiting.Add(-1)
	h := &e.w.ns.reg.load().rooms
	srv := e.w.ns.srv
	switch e.change {
	case roomCreated, roomDeleted:
		list := h.create
		if e.change == roomDeleted {
			list = h.delete
		}
		for _, f := range list {
			srv.guard("room hook", func() { f(e.room) })
		}
	default:
		list := h.join
		if e.change == roomLeft {
			list = h.leave
		}
		for _, f := range list {
			srv.guard("room hook", func() { f(e.room, e.id) })
		}
	}
}

// roomJoined and roomLeft are hooks of the loop's rooms.
func (lp *loop) roomJoined(_ rooms.NS, room string, slot rooms.Slot) {
	s := lp.sockets[slot]
	if s.ns.reg.load().rooms.none() {
		return
	}
	w := &s.ns.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.members == nil {
		w.members = make(map[string]int)
	}
	w.members[room]++
	if w.members[room] == 1 {
		w.tell(roomCreated, room, "")
	}
	w.tell(roomEntered, room, s.ID())
}

func (lp *loop) roomLeft(_ rooms.NS, room string, slot rooms.Slot) {
	s := lp.sockets[slot]
	if s.ns.reg.load().rooms.none() {
		return
	}
	w := &s.ns.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(roomLeft, room, s.ID())
	switch n := w.members[room]; n {
	case 0: // joined before there were hooks
	case 1:
		delete(w.members, room)
		w.tell(roomDeleted, room, "")
	default:
		w.members[room] = n - 1
	}
}

// tell queues a call of the hooks. mu is held.
func (w *roomWatch) tell(c roomChange, room, id string) {
	srv := w.ns.srv
	if w.waiting.Load() >= maxRoomEvents {
		srv.drop(dropRoomEvents)
		srv.warn(noteRoomEvents, "room hooks are slower than the rooms change: "+
			"they are not told of everything", "namespace", w.ns.name, "waiting", maxRoomEvents)
		return
	}
	w.waiting.Add(1)
	e := &roomEvent{w: w, change: c, room: room, id: id}
	e.node.Init(e)
	srv.net.Workers().Submit(&w.box, &e.node)
}
