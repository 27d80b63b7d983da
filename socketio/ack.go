package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// Ack is a client's acknowledgement. Its bytes stay valid.
type Ack struct {
	args []byte
	atts [][]byte
}

// Args returns the arguments as the client wrote them, validated JSON.
func (a *Ack) Args() []json.RawMessage { return splitArgs(a.args) }

// Raw returns the arguments ready to be emitted to others, each a *Raw.
func (a *Ack) Raw() []any { return rawArgs(a.args, a.atts) }

// Bind decodes the arguments into pointers, in order; nil skips one. It fails
// with ErrNoArguments if there are fewer arguments than pointers.
func (a *Ack) Bind(dst ...any) error { return bind(a.args, a.atts, dst) }

// answer is somebody waiting for one socket's acknowledgement.
type answer struct {
	s     *Socket
	id    uint64
	began int64 // nanotime
	f     func(*Ack, error)
	done  chan struct{}
	timer atomic.Pointer[time.Timer]
	over  atomic.Bool
	ack   *Ack
	err   error
}

// finish ends the wait; the first call counts. Any goroutine.
func (a *answer) finish(ack *Ack, err error) {
	if a.over.Swap(true) {
		return
	}
	if ack != nil {
		a.s.loop().m.acks.observe(nanotime()-a.began, &timeBounds)
	} else if late(err) {
		a.s.loop().m.late.Add(1)
	}
	a.ack, a.err = ack, err
	if t := a.timer.Load(); t != nil {
		t.Stop()
	}
	if ack == nil {
		a.s.c.Loop().Post((*forget)(a))
	}
	if a.done != nil {
		close(a.done)
	}
	if a.f != nil {
		a.s.ns.srv.background(func() {
			a.s.protect("ack", func() { a.f(ack, err) })
		})
	}
}

// late tells whether an acknowledgement was waited for until its time was over.
func late(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
}

// wait blocks until the answer is there, the context or the timeout ends.
func (a *answer) wait(ctx context.Context, timeout time.Duration) (*Ack, error) {
	var late <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-a.done:
	case <-late:
		a.finish(nil, ErrTimeout)
	case <-ctx.Done():
		a.finish(nil, ctx.Err())
	case <-a.s.ns.srv.ended:
		a.finish(nil, ErrDisconnected)
	}
	<-a.done
	return a.ack, a.err
}

// forget takes an answer nobody waits for any more out of the table.
type forget answer

func (f *forget) Run(*netpoll.Loop) bool {
	a := (*answer)(f)
	a.s.edit(false, func(x *extra) {
		if x.asks[a.id] == a {
			delete(x.asks, a.id)
		}
	})
	a.s.shrink()
	return false
}

// expect enters an answer into the socket's table. Loop only.
func (s *Socket) expect(a *answer) {
	if a.over.Load() {
		return
	}
	s.edit(true, func(x *extra) {
		if x.asks == nil {
			x.asks = make(map[uint64]*answer, 1)
		}
		x.asks[a.id] = a
	})
}

// ack completes the answer an ACK packet is for; one that nobody waits for is
// ignored. Loop only.
func (s *Socket) ack(pk *sio.Packet, atts [][]byte) {
	lp := s.c.lp()
	lp.n.acksIn.Add(1)
	if !pk.HasID {
		return
	}
	if la := lp.asks[askKey{s.ns, pk.ID}]; la != nil {
		la.answered(lp, s, slices.Clone(pk.Args), atts)
		return
	}
	var a *answer
	s.edit(false, func(x *extra) {
		a = x.asks[pk.ID]
		delete(x.asks, pk.ID)
		if len(x.asks) == 0 {
			x.asks = nil
		}
	})
	if a != nil {
		a.finish(&Ack{args: slices.Clone(pk.Args), atts: atts}, nil)
		s.shrink()
	}
}

// failAsks ends the waits for a socket that has left. Loop only.
func (lp *loop) failAsks(s *Socket) {
	var asks map[uint64]*answer
	s.edit(false, func(x *extra) { asks, x.asks = x.asks, nil })
	for _, a := range asks {
		a.finish(nil, ErrDisconnected)
	}
	for _, la := range lp.asks {
		la.gone(s)
	}
}
