package socketio

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
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

// RoomsOf returns the rooms of a socket on any node, its own id first. Errors
// are those of Socket, and a *PartialError if another node does not answer
// within 5 s.
func (n *Namespace) RoomsOf(id string) ([]string, error) {
	if n.elsewhere(id) {
		list, err := n.sole(id).FetchSockets(context.Background())
		for _, s := range list {
			if s.ID() == id {
				return s.Rooms(), nil
			}
		}
		if err == nil {
			err = ErrNoSocket
		}
		return nil, err
	}
	s, err := n.Socket(id)
	if err != nil {
		return nil, err
	}
	return s.Rooms(), nil
}

// sole is the socket of an id, and nobody who has joined a room of that name.
func (n *Namespace) sole(id string) Broadcast {
	b := n.To(id)
	b.flags |= soleFlag
	return b
}

// elsewhere tells whether an id names another live node.
func (n *Namespace) elsewhere(id string) bool {
	_, ok := n.srv.mesh.owner(id)
	return ok
}

// Disconnect is Socket.Disconnect by id, on whichever node; an unknown one is
// ignored. It does not wait.
func (n *Namespace) Disconnect(id string, closeConnection bool) {
	if n.elsewhere(id) {
		n.sole(id).DisconnectSockets(closeConnection)
		return
	}
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

// Call emits an event to the socket of an id, on whichever node, and waits for
// its acknowledgement: until ctx ends, at most 60 s if it has no deadline.
// Errors are those of Socket and of Socket.EmitWithAck, and ErrTimeout; in a
// cluster there may be a *PartialError around them.
func (n *Namespace) Call(ctx context.Context, id, event string, args ...any) (*Ack, error) {
	if n.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	if n.elsewhere(id) {
		return n.callElsewhere(ctx, id, event, args)
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

// callElsewhere is Call for a socket of another node.
func (n *Namespace) callElsewhere(ctx context.Context, id, event string, args []any) (*Ack, error) {
	b := n.sole(id)
	if _, bounded := ctx.Deadline(); !bounded {
		b = b.Timeout(defaultCallTimeout)
	}
	list, err := b.EmitWithAck(ctx, event, args...)
	for i := range list {
		if list[i].From == id {
			return &list[i].Ack, nil
		}
	}
	if err == nil {
		err = ErrNoSocket
	}
	return nil, err
}

// Rooms returns the rooms of the namespace and how many members each has on all
// nodes, the rooms of the sockets' own ids apart. The loops are asked at the
// same time and go through their rooms in slices: what changes meanwhile may be
// counted as it was or as it is. Other nodes answer within the time of ctx, or
// else 5 s, with at most 10,000 rooms; if some do not, what is known comes with
// a *PartialError. It fails with ErrOnLoop from an Inline handler, with
// ErrParent for a parent.
func (n *Namespace) Rooms(ctx context.Context) (map[string]int, error) {
	if err := n.collects(); err != nil {
		return nil, err
	}
	b := n.All()
	q, wait := b.query(ctx, cluster.Rooms)
	sum, err := n.localRooms(ctx)
	if q == nil {
		return sum, err
	}
	parts, partial := n.srv.mesh.wait(ctx, q, wait)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		r := recordsOf(p.records)
		for range p.n {
			name, members := string(r.Bytes()), r.Number()
			if !r.Bad && members < 1<<40 {
				sum[name] += int(members)
			}
		}
	}
	return sum, partial
}

// rooms answers a Rooms, on a worker.
func (r *reply) rooms(n *Namespace) {
	ctx, cancel := context.WithTimeout(context.Background(), defaultQuestionTimeout)
	defer cancel()
	sum, err := n.localRooms(ctx)
	if err != nil {
		return // whoever asked does not wait any longer
	}
	r.announce(min(len(sum), maxAnswers+1))
	left := maxAnswers + 1
	for name, members := range sum {
		if left--; left < 0 {
			break
		}
		r.add(func(dst []byte) []byte {
			return binary.AppendUvarint(fields.Append(dst, name), uint64(members))
		})
	}
	r.flush(cluster.Last)
}

// localRooms is Rooms for this server.
func (n *Namespace) localRooms(ctx context.Context) (map[string]int, error) {
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
	if err != nil && list == nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID()
	}
	return ids, err
}

// AllSockets returns the ids of the namespace's sockets; see FetchSockets.
func (n *Namespace) AllSockets(ctx context.Context) ([]string, error) {
	return n.All().AllSockets(ctx)
}
