package socketio

import (
	"context"
	"sync"

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

// post starts the selection on each loop; for a parent, one for each child.
func (b Broadcast) post(do func(lp *loop, s *Socket)) {
	b.each(func(b Broadcast) { b.ns.srv.postAll(&selection{b: b, do: do}) })
}

// FetchSockets returns the sockets that would receive a broadcast now. It
// fails with ErrOnLoop from an Inline handler, with ErrParent for a parent.
func (b Broadcast) FetchSockets(ctx context.Context) ([]*Socket, error) {
	srv := b.ns.srv
	if b.ns.match != nil {
		return nil, ErrParent
	}
	if srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	if !srv.running() {
		return nil, ErrNotStarted
	}
	var mu sync.Mutex
	var list []*Socket
	left := len(srv.loops)
	done := make(chan struct{})
	srv.postAll(&selection{b: b,
		do: func(_ *loop, s *Socket) {
			mu.Lock()
			list = append(list, s)
			mu.Unlock()
		},
		done: func() {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				close(done)
			}
		}})
	select {
	case <-done:
		return list, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-srv.ended:
		return nil, ErrNotStarted
	}
}

// SocketsJoin makes the sockets join rooms.
func (b Broadcast) SocketsJoin(rooms ...string) {
	names := append([]string(nil), rooms...)
	for _, room := range names {
		b.ns.srv.noteRoom(room)
	}
	b.post(func(lp *loop, s *Socket) {
		for _, room := range names {
			lp.join(s, room)
		}
	})
}

// SocketsLeave makes the sockets leave rooms.
func (b Broadcast) SocketsLeave(rooms ...string) {
	names := append([]string(nil), rooms...)
	b.post(func(lp *loop, s *Socket) {
		for _, room := range names {
			lp.leave(s, room)
		}
	})
}

// DisconnectSockets is Socket.Disconnect for all of them.
func (b Broadcast) DisconnectSockets(closeConnection bool) {
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
