package socketio

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
	"github.com/throng-server/throng/netpoll"
)

// inRooms is a socket and the rooms it was in when it was collected.
type inRooms struct {
	s     *Socket
	rooms []string
}

// collect calls f once with the sockets that would receive b now. The server
// runs; f is called on a loop.
func (b Broadcast) collect(f func(list []inRooms)) {
	each(b, f, func(lp *loop, s *Socket) inRooms {
		return inRooms{s, lp.shard.AppendRooms([]string{s.ID()}, s.slot)}
	})
}

func each[T any](b Broadcast, f func(list []T), of func(lp *loop, s *Socket) T) {
	var mu sync.Mutex
	var list []T
	left := len(b.ns.srv.loops)
	b.ns.srv.postAll(&selection{b: b,
		do: func(lp *loop, s *Socket) {
			v := of(lp, s)
			mu.Lock()
			list = append(list, v)
			mu.Unlock()
		},
		done: func() {
			mu.Lock()
			left--
			last := left == 0
			mu.Unlock()
			if last {
				f(list)
			}
		}})
}

// count calls f once with the number of sockets that would receive b now. The
// server runs; f is called on a loop.
func (b Broadcast) count(f func(n int)) {
	t := &tally{b: b, left: len(b.ns.srv.loops), f: f}
	b.ns.srv.postAll(t)
}

// tally counts sockets on each loop.
type tally struct {
	b    Broadcast
	f    func(n int)
	mu   sync.Mutex
	left int
	n    int
}

// Run implements netpoll.Task.
func (t *tally) Run(l *netpoll.Loop) bool {
	lp := loopOf(l)
	lp.begin(t, &t.b)
	n := len(lp.targets)
	lp.end()
	t.mu.Lock()
	t.n += n
	t.left--
	last := t.left == 0
	t.mu.Unlock()
	if last {
		t.f(t.n)
	}
	return false
}

// collects checks what every call needs that collects from sockets.
func (n *Namespace) collects() error {
	switch {
	case n.match != nil:
		return ErrParent
	case n.srv.onLoop() != nil:
		return ErrOnLoop
	case !n.srv.running():
		return ErrNotStarted
	}
	return nil
}

// query asks the other nodes, unless nobody there can be meant.
func (b *Broadcast) query(ctx context.Context, k cluster.Kind) (q *question, wait time.Duration) {
	m := b.ns.srv.mesh
	if m == nil {
		return nil, 0
	}
	here, elsewhere := b.reach()
	if !elsewhere {
		return nil, 0
	}
	op := b.op(k)
	wait = bound(ctx, b.timeout, defaultQuestionTimeout)
	return m.ask(&op, b.only(here), wait), wait
}

// only returns the one node a question is for, nil if it is for all.
func (b *Broadcast) only(here bool) *cluster.Node {
	if !here {
		if n, ok := b.ns.srv.mesh.owner(b.rooms.one); ok {
			return &n
		}
	}
	return nil
}

// await waits for a local result and for a question's answers, if there is one.
func await[T any](ctx context.Context, srv *Server, local <-chan T, q *question,
	wait time.Duration,
) (v T, parts []part, err error) {
	if q != nil {
		parts, err = srv.mesh.wait(ctx, q, wait)
	}
	select {
	case v = <-local: // it was there all the while
		return v, parts, err
	default:
	}
	select {
	case v = <-local:
	case <-ctx.Done():
		if err == nil {
			err = ctx.Err()
		}
		return v, parts, err
	case <-srv.ended:
		return v, parts, ErrNotStarted
	}
	return v, parts, err
}

// FetchSockets returns the sockets that would receive a broadcast now, on all
// nodes; Local restricts it to this one. Those of other nodes are told as they
// were when the node answered, at most 10,000 of them, within the Timeout, the
// time of ctx, or else 5 s. If nodes do not answer, the others' sockets come
// with a *PartialError. It fails with ErrOnLoop from an Inline handler, with
// ErrParent for a parent.
func (b Broadcast) FetchSockets(ctx context.Context) ([]*RemoteSocket, error) {
	if err := b.ns.collects(); err != nil {
		return nil, err
	}
	q, wait := b.query(ctx, cluster.Fetch)
	local := make(chan []*Socket, 1)
	b.gather(func(list []*Socket) { local <- list })
	list, parts, err := await(ctx, b.ns.srv, local, q, wait)
	if err != nil && parts == nil && list == nil {
		return nil, err
	}
	all := make([]*RemoteSocket, 0, len(list))
	for _, s := range list {
		all = append(all, &RemoteSocket{ns: b.ns, local: s})
	}
	return b.ns.appendRemote(all, parts, err)
}

// LocalSockets returns those of this server that would receive a broadcast now.
// Errors are those of FetchSockets.
func (b Broadcast) LocalSockets(ctx context.Context) ([]*Socket, error) {
	if err := b.ns.collects(); err != nil {
		return nil, err
	}
	local := make(chan []*Socket, 1)
	b.gather(func(list []*Socket) { local <- list })
	list, _, err := await(ctx, b.ns.srv, local, nil, 0)
	return list, err
}

// gather is collect without rooms.
func (b Broadcast) gather(f func(list []*Socket)) {
	each(b, f, func(_ *loop, s *Socket) *Socket { return s })
}

// Count returns how many sockets would receive a broadcast now, on all nodes,
// within the Timeout, the time of ctx, or else 5 s. If nodes do not answer, the
// others' number comes with a *PartialError. Errors are those of FetchSockets.
func (b Broadcast) Count(ctx context.Context) (int, error) {
	if err := b.ns.collects(); err != nil {
		return 0, err
	}
	q, wait := b.query(ctx, cluster.Count)
	local := make(chan int, 1)
	b.count(func(n int) { local <- n })
	n, parts, err := await(ctx, b.ns.srv, local, q, wait)
	for _, p := range parts {
		r := recordsOf(p.records)
		if k := r.Number(); k < 1<<40 {
			n += int(k)
		}
	}
	return n, err
}

// socketRecord is a socket as another node is told.
type socketRecord struct {
	ID        string          `json:"id"`
	Rooms     []string        `json:"rooms"`
	Data      json.RawMessage `json:"data,omitempty"`
	Handshake *Handshake      `json:"handshake,omitempty"`
}

// sockets answers a Fetch, on a worker.
func (r *reply) sockets(list []inRooms) {
	if len(list) > maxAnswers {
		list = list[:maxAnswers+1] // so that the other side notices
	}
	r.announce(len(list))
	for _, in := range list {
		rec := socketRecord{ID: in.rooms[0], Rooms: in.rooms, Handshake: in.s.known()}
		r.m.srv.guard("the data of a socket", func() {
			if data := in.s.Data(); data != nil {
				var err error
				if rec.Data, err = json.Marshal(data); err != nil {
					rec.Data = nil
					r.m.srv.warn(noteData, "the data of a socket has no JSON: other nodes "+
						"do not see it", "namespace", in.s.ns.name, "error", err)
				}
			}
		})
		b, err := json.Marshal(&rec)
		if err != nil { // the auth object of the handshake was checked; still
			rec.Handshake = nil
			b, _ = json.Marshal(&rec)
		}
		r.add(func(dst []byte) []byte { return fields.Append(dst, b) })
	}
	r.flush(cluster.Last)
}

// appendRemote appends the sockets of other nodes.
func (n *Namespace) appendRemote(list []*RemoteSocket, parts []part, err error) ([]*RemoteSocket, error) {
	for _, p := range parts {
		r := recordsOf(p.records)
		for range p.n {
			rec := socketRecord{}
			if b := r.Bytes(); r.Bad || json.Unmarshal(b, &rec) != nil || len(rec.Rooms) == 0 {
				return list, &PartialError{Missing: []string{p.from}, Err: cluster.ErrEntry}
			}
			list = append(list, &RemoteSocket{ns: n, node: p.from, rec: rec})
		}
	}
	return list, err
}
