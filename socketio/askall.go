package socketio

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/netpoll"
)

// Answer is one socket's acknowledgement of a broadcast, or one node's of a
// server's event.
type Answer struct {
	// From is the id of the socket, or that of the node.
	From string
	Ack
}

// defaultAskTimeout ends a broadcast with acknowledgements whose context has
// no deadline: one silent client must not hold it for ever.
const defaultAskTimeout = 10 * time.Second

type askKey struct {
	ns *Namespace
	id uint64
}

// ask is a broadcast that waits for answers from sockets of every loop.
type ask struct {
	key   askKey
	began int64 // nanotime
	mu    sync.Mutex
	parts int // loops that have not delivered yet
	open  int // sockets that have not answered
	gone  int // sockets that left without an answer
	list  []Answer
	over  bool
	done  chan struct{}

	changed func() // nil, or called with mu held

	// What other nodes answer, for at most wait.
	q    *question
	only *cluster.Node
	wait time.Duration
}

// publish asks the other nodes.
func (a *ask) publish(m *mesh, op *cluster.Op) { a.q = m.ask(op, a.only, a.wait) }

// loopAsk is one loop's share of an ask. Loop only.
type loopAsk struct {
	*ask
	waiting map[*Socket]struct{}
}

// register notes the receivers on one loop, before the packet leaves.
func (lp *loop) register(a *ask, targets []*Socket) {
	la := &loopAsk{ask: a, waiting: make(map[*Socket]struct{}, len(targets))}
	for _, s := range targets {
		la.waiting[s] = struct{}{}
	}
	if len(targets) > 0 {
		if lp.asks == nil {
			lp.asks = make(map[askKey]*loopAsk)
		}
		lp.asks[a.key] = la
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parts--
	a.open += len(targets)
	a.check()
}

func (la *loopAsk) answered(lp *loop, s *Socket, args []byte, atts [][]byte) {
	if _, ok := la.waiting[s]; !ok {
		return
	}
	delete(la.waiting, s)
	lp.m.acks.observe(nanotime()-la.began, &timeBounds)
	la.mu.Lock()
	defer la.mu.Unlock()
	la.open--
	if !la.over {
		la.list = append(la.list, Answer{From: s.ID(), Ack: Ack{args: args, atts: atts}})
	}
	la.check()
}

func (la *loopAsk) gone(s *Socket) {
	if _, ok := la.waiting[s]; !ok {
		return
	}
	delete(la.waiting, s)
	la.mu.Lock()
	defer la.mu.Unlock()
	la.open--
	la.ask.gone++
	la.check()
}

// check ends the ask when nothing more can come. mu is held.
func (a *ask) check() {
	if a.parts == 0 && a.open == 0 && !a.over {
		a.over = true
		close(a.done)
	}
	if a.changed != nil {
		a.changed()
	}
}

// EmitWithAck emits an event to the receivers and waits for all their
// acknowledgements, which come in no order. When the timeout (see Timeout) or
// ctx ends first, it returns those that came with ErrTimeout or ctx's error;
// when receivers left without an answer, with ErrDisconnected. When another
// node has not told of all its receivers, be it because one of them was silent,
// the error is a *PartialError around one of those or ErrNodeLost. A wait
// without any bound ends after 10 s. It fails with ErrOnLoop from an Inline
// handler.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) ([]Answer, error) {
	if b.ns.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	a, err := b.ask(ctx, event, args)
	if err != nil {
		return nil, err
	}
	return b.await(ctx, a)
}

// EmitFunc is EmitWithAck without waiting: f is called on a worker.
func (b Broadcast) EmitFunc(f func([]Answer, error), event string, args ...any) error {
	a, err := b.ask(context.Background(), event, args)
	if err != nil {
		return err
	}
	srv := b.ns.srv
	srv.background(func() {
		list, err := b.await(context.Background(), a)
		srv.guard("ack", func() { f(list, err) })
	})
	return nil
}

// ask emits the event with an acknowledgement id.
func (b Broadcast) ask(ctx context.Context, event string, args []any) (*ask, error) {
	srv := b.ns.srv
	if b.ns.match != nil {
		return nil, ErrParent
	}
	if !srv.running() {
		return nil, ErrNotStarted
	}
	a := &ask{key: askKey{b.ns, b.ns.nextAck()}, began: nanotime(), done: make(chan struct{}),
		parts: len(srv.loops), wait: bound(ctx, b.timeout, defaultAskTimeout)}
	if srv.mesh != nil {
		if here, _ := b.reach(); !here {
			a.only = b.only(false)
			a.parts = 0
			a.check()
		}
	}
	b.flags &^= volatileFlag // a dropped question has no answer
	return a, b.emit(a, event, args)
}

// await waits for the answers and takes the ask out of the loops' tables.
func (b Broadcast) await(ctx context.Context, a *ask) ([]Answer, error) {
	srv := b.ns.srv
	end := time.Now().Add(a.wait)
	t := time.NewTimer(a.wait)
	defer t.Stop()
	var err error
	select {
	case <-a.done:
	case <-t.C:
		err = cmp.Or(ctx.Err(), ErrTimeout) // both may be over
	case <-ctx.Done():
		err = ctx.Err()
	case <-srv.ended:
		err = ErrNotStarted
	}
	for i := range srv.loops {
		srv.loops[i].Load().Post((*askOver)(a))
	}
	a.mu.Lock()
	if late(err) {
		srv.loops[0].Load().m.late.Add(uint64(a.open))
	}
	a.over = true
	list, gone := a.list, a.gone
	a.mu.Unlock()
	if a.q != nil {
		parts, partial := srv.mesh.wait(ctx, a.q, time.Until(end))
		more, left, bad := answers(parts)
		list, gone = append(list, more...), gone+left
		if bad != nil && partial == nil {
			partial = bad
		}
		if partial != nil && (err == nil || errors.Is(partial, err)) {
			err = partial
		}
	}
	if err == nil && gone > 0 {
		err = ErrDisconnected
	}
	return list, err
}

// askOver takes an ask out of a loop's table.
type askOver ask

func (o *askOver) Run(l *netpoll.Loop) bool {
	delete(loopOf(l).asks, o.key)
	return false
}
