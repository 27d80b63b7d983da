package socketio

import (
	"context"
	"iter"

	"github.com/throng-server/throng/netpoll"
)

// home returns the loop a socket's id names, nil if no socket of this server
// can have it.
func (s *Server) home(id string) *loop {
	_, parsed, ok := parseOld(id)
	if !ok || parsed.Node != s.opt.NodeTag || int(parsed.Loop) >= len(s.loops) {
		return nil
	}
	if k := s.recovery.at(&parsed); k != nil {
		return k.loop()
	}
	return s.loops[parsed.Loop].Load()
}

// Socket returns the connected socket of an id. It fails with ErrNoSocket, with
// ErrNotStarted, or with ErrOnLoop from an Inline handler of another loop.
func (n *Namespace) Socket(id string) (*Socket, error) {
	lp := n.srv.home(id)
	if lp == nil {
		return nil, ErrNoSocket
	}
	var s *Socket
	if err := lp.do(func(lp *loop) { s = lp.byName(n, id) }); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, ErrNoSocket
	}
	return s, nil
}

// RoomsOf returns the rooms of a socket, its own id first. Errors are those of
// Socket.
func (n *Namespace) RoomsOf(id string) ([]string, error) {
	s, err := n.Socket(id)
	if err != nil {
		return nil, err
	}
	return s.Rooms(), nil
}

// Disconnect is Socket.Disconnect by id; an unknown one is ignored. It does not
// wait.
func (n *Namespace) Disconnect(id string, closeConnection bool) {
	if lp := n.srv.home(id); lp != nil {
		lp.Post(&dismissalByID{ns: n, id: id, all: closeConnection})
	}
}

type dismissalByID struct {
	ns  *Namespace
	id  string
	all bool
}

func (d *dismissalByID) Run(l *netpoll.Loop) bool {
	if s := loopOf(l).byName(d.ns, d.id); s != nil {
		s.state.Or(stQuit)
		s.c.dismiss(s, d.all)
	}
	return false
}

// Call emits an event to the socket of an id and waits for its acknowledgement:
// until ctx ends, at most 60 s if it has no deadline. Errors are those of
// Socket and of Socket.EmitWithAck, and ErrTimeout.
func (n *Namespace) Call(ctx context.Context, id, event string, args ...any) (*Ack, error) {
	if n.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	s, err := n.Socket(id)
	if err != nil {
		return nil, err
	}
	e := Emitter{s: s}
	if _, bounded := ctx.Deadline(); !bounded {
		e = e.Timeout(defaultCallTimeout)
	}
	return e.EmitWithAck(ctx, event, args...)
}

// Rooms returns the rooms of the namespace on this server and how many members
// each has, the rooms of the sockets' own ids apart. The loops are asked at the
// same time and go through their rooms in slices: what changes meanwhile may be
// counted as it was or as it is. It fails with ErrOnLoop from an Inline
// handler, with ErrParent for a parent.
func (n *Namespace) Rooms(ctx context.Context) (map[string]int, error) {
	if n.match != nil {
		return nil, ErrParent
	}
	if n.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	if !n.srv.running() {
		return nil, ErrNotStarted
	}
	parts := make([]*roomCount, len(n.srv.loops))
	for i := range parts {
		parts[i] = &roomCount{ctx: ctx, ns: n, done: make(chan struct{}),
			members: make(map[string]int)}
		n.srv.loops[i].Load().Post(parts[i])
	}
	sum := make(map[string]int)
	for _, p := range parts {
		select {
		case <-p.done:
		case <-n.srv.ended:
			p.end() // no loop runs any more
			return nil, ErrNotStarted
		}
		for name, members := range p.members {
			sum[name] += members
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return sum, nil
}

// roomCount goes through the rooms of one loop, a slice in each turn.
type roomCount struct {
	ctx     context.Context
	ns      *Namespace
	next    func() (string, int, bool)
	stop    func()
	members map[string]int
	done    chan struct{}
}

func (r *roomCount) Run(l *netpoll.Loop) (again bool) {
	if r.next == nil {
		r.next, r.stop = iter.Pull2(loopOf(l).shard.Rooms(r.ns.num))
	}
	for range walkSlice {
		name, members, ok := r.next()
		if !ok || r.ctx.Err() != nil {
			r.end()
			close(r.done)
			return false
		}
		r.members[name] = members
	}
	return true
}

func (r *roomCount) end() {
	if r.stop != nil {
		r.stop()
	}
}

// AllSockets returns the ids of the sockets that FetchSockets would return.
func (b Broadcast) AllSockets(ctx context.Context) ([]string, error) {
	list, err := b.FetchSockets(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID()
	}
	return ids, nil
}

// AllSockets returns the ids of the namespace's sockets; see FetchSockets.
func (n *Namespace) AllSockets(ctx context.Context) ([]string, error) {
	return n.All().AllSockets(ctx)
}
