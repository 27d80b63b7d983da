package socketio

import (
	"context"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/engine"
)

// mesh is the server's place in a cluster: what it publishes, and what the
// others do here. A server alone has none.
type mesh struct {
	srv  *Server
	t    cluster.Transport
	tag  uint16
	once sync.Once // close

	alike alike

	mu        sync.Mutex
	questions map[uint64]*question
	asked     uint64 // the last question's number
	inquiries map[inquiryKey]*inquiry

	hooks meshHooks
	news  series // what the hooks are told
	pacer pacer
}

// meshStart bounds the wait for the broker when a server starts.
const meshStart = 30 * time.Second

// meshEnd bounds the goodbye of a server that ended unasked.
const meshEnd = 5 * time.Second

func newMesh(s *Server) *mesh {
	t := s.opt.Cluster
	if t == nil {
		return nil
	}
	m := &mesh{srv: s, t: t, tag: t.Self().Tag, questions: make(map[uint64]*question),
		inquiries: make(map[inquiryKey]*inquiry)}
	m.news.srv = s
	return m
}

// start joins the cluster. Before it nobody is here to receive anything.
func (m *mesh) start(ctx context.Context) error {
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, meshStart)
	defer cancel()
	return m.t.Start(ctx, m)
}

// close leaves the cluster; later calls wait for the first.
func (m *mesh) close(ctx context.Context) (err error) {
	if m != nil {
		m.once.Do(func() { err = m.t.Close(ctx) })
	}
	return err
}

// publish sends an entry to all other nodes. Any goroutine; it does not block.
func (m *mesh) publish(c cluster.Class, op *cluster.Op) bool {
	ok := m.t.Publish(c, op.Append(make([]byte, 0, op.Size())))
	if !ok && c == cluster.Kept {
		m.srv.warn(noteUnpublished, "an entry was not sent to the other nodes: "+
			"it is larger than the transport takes, or the server has left the cluster",
			"namespace", op.NS, "bytes", op.Size())
	}
	return ok
}

// reach tells where a broadcast may have receivers: on this server, on others.
// An id leads to one of the two, unless rooms are named like it.
func (b *Broadcast) reach() (here, elsewhere bool) {
	m := b.ns.srv.mesh
	if m == nil || b.flags&localFlag != 0 {
		return true, false
	}
	if b.rooms.n != 1 || len(b.rooms.one) != engine.IDLen {
		return true, true
	}
	id, ok := engine.ParseID(b.rooms.one)
	switch {
	case !ok:
		return true, true
	case id.Node == m.tag:
		return true, m.srv.idRooms.Load() && b.flags&soleFlag == 0
	case b.flags&soleFlag == 0 && m.alike.has(id.Node):
		return true, true
	}
	_, known := m.t.NodeByTag(id.Node)
	return !known, true
}

// owner returns the other live node that an id names.
func (m *mesh) owner(id string) (n cluster.Node, ok bool) {
	if m == nil {
		return n, false
	}
	_, parsed, ok := parseOld(id)
	if !ok || parsed.Node == m.tag {
		return n, false
	}
	return m.t.NodeByTag(parsed.Node)
}

// op makes an entry of a kind for the receivers of b.
func (b *Broadcast) op(k cluster.Kind) cluster.Op {
	op := cluster.Op{Kind: k, NS: b.ns.name, Rooms: b.rooms.appendTo(nil),
		Except: b.except.appendTo(nil)}
	if b.from != nil {
		op.Except = append(op.Except, b.from.ID())
	}
	if b.flags&volatileFlag != 0 {
		op.Flags |= cluster.Volatile
	}
	if b.flags&plainFlag != 0 {
		op.Flags |= cluster.Plain
	}
	if b.flags&soleFlag != 0 {
		op.Flags |= cluster.Sole
	}
	return op
}

// selected makes the broadcast that an entry of another node describes.
func selected(ns *Namespace, op *cluster.Op) Broadcast {
	b := Broadcast{ns: ns, rooms: listOf(op.Rooms), except: listOf(op.Except), flags: localFlag}
	if op.Flags&cluster.Volatile != 0 {
		b.flags |= volatileFlag
	}
	if op.Flags&cluster.Plain != 0 {
		b.flags |= plainFlag
	}
	if op.Flags&cluster.Sole != 0 {
		b.flags |= soleFlag
	}
	return b
}

func listOf(names []string) roomList {
	if len(names) == 0 {
		return roomList{}
	}
	return roomList{one: names[0], more: names[1:], n: len(names)}
}

// emit publishes an event; blank tells that its text ends in an offset.
func (m *mesh) emit(b *Broadcast, a *ask, wire []byte, blank bool) {
	if blank {
		wire = withoutBlank(wire)
	}
	op := b.op(cluster.Emit)
	op.Body = wire
	if a != nil {
		a.publish(m, &op)
		return
	}
	class := cluster.Kept
	if b.flags&volatileFlag != 0 {
		class = cluster.Fleeting
	}
	m.publish(class, &op)
}
