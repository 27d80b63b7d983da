package socketio

import (
	"context"
	"sync"
	"time"

	"github.com/throng-server/throng/netpoll"
)

// Answer is one socket's acknowledgement of a broadcast.
type Answer struct {
	// From is the id of the socket.
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
	mu    sync.Mutex
	parts int // loops that have not delivered yet
	open  int // sockets that have not answered
	gone  int // sockets that left without an answer
	list  []Answer
	over  bool
	done  chan struct{}
}

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

func (la *loopAsk) answered(s *Socket, args []byte, atts [][]byte) {
	if _, ok := la.waiting[s]; !ok {
		return
	}
	delete(la.waiting, s)
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
}

// EmitWithAck emits an event to the receivers and waits for all their
// acknowledgements, which come in no order. When the timeout (see Timeout) or
// ctx ends first, it returns those that came with ErrTimeout or ctx's error;
// when receivers left without an answer, with ErrDisconnected. A wait without
// any bound ends after 10 s. It fails with ErrOnLoop from an Inline handler.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) ([]Answer, error) {
	if b.ns.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	a, err := b.ask(event, args)
	if err != nil {
		return nil, err
	}
	return b.await(ctx, a)
}

// EmitFunc is EmitWithAck without waiting: f is called on a worker.
func (b Broadcast) EmitFunc(f func([]Answer, error), event string, args ...any) error {
	a, err := b.ask(event, args)
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
func (b Broadcast) ask(event string, args []any) (*ask, error) {
	srv := b.ns.srv
	if b.ns.match != nil {
		return nil, ErrParent
	}
	if !srv.running() {
		return nil, ErrNotStarted
	}
	a := &ask{key: askKey{b.ns, b.ns.nextAck()}, done: make(chan struct{}),
		parts: len(srv.loops)}
	b.flags &^= volatileFlag // a dropped question has no answer
	return a, b.emit(a, event, args)
}

// await waits for the answers and takes the ask out of the loops' tables.
func (b Broadcast) await(ctx context.Context, a *ask) ([]Answer, error) {
	srv := b.ns.srv
	timeout := b.timeout
	if _, bounded := ctx.Deadline(); timeout <= 0 && !bounded {
		timeout = defaultAskTimeout
	}
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	var err error
	select {
	case <-a.done:
	case <-late:
		err = ErrTimeout
	case <-ctx.Done():
		err = ctx.Err()
	case <-srv.ended:
		err = ErrNotStarted
	}
	for i := range srv.loops {
		srv.loops[i].Load().Post((*askOver)(a))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if err == nil && a.gone > 0 {
		err = ErrDisconnected
	}
	return a.list, err
}

// askOver takes an ask out of a loop's table.
type askOver ask

func (o *askOver) Run(l *netpoll.Loop) bool {
	delete(loopOf(l).asks, o.key)
	return false
}
