package socketio

import (
	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/netpoll"
)

// selection does something to each of the sockets a Broadcast names.
type selection struct {
	b    Broadcast
	do   func(lp *loop, s *Socket)
	done func() // after the last one on a loop
}

// Run implements netpoll.Task: a slice of the sockets in each turn.
func (t *selection) Run(l *netpoll.Loop) (again bool) {
	lp := loopOf(l)
	if lp.walk != netpoll.Task(t) {
		lp.begin(t, &t.b)
	}
	for n := 0; lp.at < len(lp.targets); n++ {
		if n == walkSlice {
			return true
		}
		s := lp.targets[lp.at]
		lp.targets[lp.at] = nil
		lp.at++
		if s.is(stConnected) {
			t.do(lp, s)
		}
	}
	lp.end()
	if t.done != nil {
		t.done()
	}
	return false
}

// tell publishes what is done to the sockets.
func (b Broadcast) tell(k cluster.Kind, flags cluster.Flags, names []string) {
	m := b.ns.srv.mesh
	if m == nil {
		return
	}
	if _, elsewhere := b.reach(); elsewhere {
		op := b.op(k)
		op.Flags, op.Names = op.Flags&cluster.Sole|flags, names
		m.publish(cluster.Kept, &op)
	}
}

// post starts the selection on each loop; for a parent, one for each child.
func (b Broadcast) post(do func(lp *loop, s *Socket)) {
	b.each(func(b Broadcast) { b.ns.srv.postAll(&selection{b: b, do: do}) })
}

// SocketsJoin makes the sockets join rooms.
func (b Broadcast) SocketsJoin(rooms ...string) {
	names := append([]string(nil), rooms...)
	for _, room := range names {
		b.ns.srv.noteRoom(room)
	}
	b.tell(cluster.Join, 0, names)
	b.post(func(lp *loop, s *Socket) {
		for _, room := range names {
			lp.join(s, room)
		}
	})
}

// SocketsLeave makes the sockets leave rooms.
func (b Broadcast) SocketsLeave(rooms ...string) {
	names := append([]string(nil), rooms...)
	b.tell(cluster.Leave, 0, names)
	b.post(func(lp *loop, s *Socket) {
		for _, room := range names {
			lp.leave(s, room)
		}
	})
}

// DisconnectSockets is Socket.Disconnect for all of them.
func (b Broadcast) DisconnectSockets(closeConnection bool) {
	flags := cluster.Flags(0)
	if closeConnection {
		flags = cluster.Close
	}
	b.tell(cluster.Disconnect, flags, nil)
	b.post(func(_ *loop, s *Socket) {
		s.state.Or(stQuit)
		s.c.dismiss(s, closeConnection)
	})
}

// closeRoom empties a room on each loop.
type closeRoom struct {
	ns   *Namespace
	room string
}

func (c *closeRoom) Run(l *netpoll.Loop) bool {
	loopOf(l).shard.CloseRoom(c.ns.num, c.room)
	return false
}
