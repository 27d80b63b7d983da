package socketio

import (
	"encoding/json"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// internalError is all a client learns of an error that was not meant for it.
const internalError = "internal error"

// Event is an event of a client on its way through the handlers. Its bytes
// stay valid after the handlers have returned, unless they are inline.
type Event struct {
	node  netpoll.Node
	s     *Socket
	name  string
	args  Raw    // behind the name, without brackets; a value if there is one
	raw   [1]any // what Raw returns if there is one
	id    uint64
	size  int32
	wants bool // the client waits for an acknowledgement
	// weight is for how many events its handlers are timed; 0: they are not.
	weight uint8
	acked  atomic.Bool
}

// Raw is a received value on its way to others: JSON as the client wrote it,
// validated, with its attachments. As a field of a handler's argument it holds
// that part undecoded.
type Raw = sio.Raw

// roomyEvent is an event whose bytes fit into its own allocation.
type roomyEvent struct {
	Event
	room [eventRoom]byte
}

// Name returns the event's name; "" if the client sent a number.
func (e *Event) Name() string { return e.name }

// Socket returns the sender.
func (e *Event) Socket() *Socket { return e.s }

// Args returns the arguments as the client wrote them, validated JSON. Binary
// values are placeholders in it; see Raw for relaying and Bind for decoding. The
// bytes are the event's own and must not be changed.
func (e *Event) Args() []json.RawMessage { return splitArgs(e.args.JSON) }

// Raw returns the arguments ready to be emitted to others, attachments
// included and without decoding: s.To(room).Emit(name, e.Raw()...). Each is a
// *Raw. Neither the list nor what it leads to may be changed: a single argument
// is the event's own, and costs nothing.
func (e *Event) Raw() []any {
	if e.raw[0] != nil {
		return e.raw[:]
	}
	return rawArgs(e.args.JSON, e.args.Attachments)
}

// Attachments returns the binary values of the event.
func (e *Event) Attachments() [][]byte { return e.args.Attachments }

// Bind decodes the arguments into pointers, in order; nil skips one. A binary
// argument is decoded into a []byte. It fails if there are fewer arguments
// than pointers.
func (e *Event) Bind(dst ...any) error { return bind(e.args.JSON, e.args.Attachments, dst) }

// WantsAck tells whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.wants }

// Ack sends the acknowledgement, if the client waits for one and none was
// sent. The arguments are encoded before it returns. Any goroutine.
func (e *Event) Ack(args ...any) error {
	if !e.wants || e.acked.Load() {
		return nil
	}
	m := e.s.loop().spare.take()
	m.s = e.s
	buf, atts, err := sio.AppendAck(newFrame(m.room[:0]), e.s.ns.name, e.id, args)
	if err != nil {
		return err
	}
	if err := m.finish(buf, atts); err != nil {
		return err
	}
	if !e.acked.CompareAndSwap(false, true) {
		return nil
	}
	e.s.c.Loop().Post(m)
	return nil
}

// event takes an event from the wire to the handlers. Loop only; pk is valid
// until it returns.
func (s *Socket) event(pk *sio.Packet, atts [][]byte) {
	lp := s.c.lp()
	lp.n.eventsIn.Add(1)
	if names := lp.srv.names; names != nil {
		lp.m.in[names[string(pk.Name)]].Add(1)
	}
	if pk.Data == nil || s.is(stQuit) {
		return // "42" alone is legal and means nothing
	}
	if r := lp.srv.rate.Load(); r != nil && !lp.paced(s, pk, r) {
		return
	}
	size := len(pk.Name) + len(pk.Args)
	for _, a := range atts {
		size += len(a)
	}
	events, bytes := s.c.waiting.load()
	if events == 0 && s.is(stRan) && s.runInline(lp, pk, atts) {
		return
	}
	o := &lp.srv.opt
	if events >= o.MailboxEvents ||
		events > 0 && bytes+size > o.MailboxBytes ||
		lp.boxBytes.Load()+int64(size) > int64(o.MailboxTotal/o.Loops) && events > 0 {
		lp.srv.drop(dropMailbox)
		lp.srv.warn(noteMailbox, "mailbox overflow: handlers are slower than a client; "+
			"the connection is closed", "namespace", s.ns.name, "socket", s.ID(),
			"waiting", events, "bytes", bytes,
			"options", "MailboxEvents, MailboxBytes, MailboxTotal")
		s.c.End(ReasonMailboxOverflow)
		return
	}
	e := newEvent(s, pk, atts, size)
	e.weight = lp.timed()
	e.mail(lp)
}

// newEvent copies an event, in one allocation if it is small.
func newEvent(s *Socket, pk *sio.Packet, atts [][]byte, size int) *Event {
	var e *Event
	var buf []byte
	if n := len(pk.Name) + len(pk.Args); n <= eventRoom {
		r := &roomyEvent{}
		e, buf = &r.Event, r.room[:0]
	} else {
		e, buf = &Event{}, make([]byte, 0, n)
	}
	buf = append(buf, pk.Name...)
	e.name = unsafe.String(unsafe.SliceData(buf), len(buf)) // never changed
	buf = append(buf, pk.Args...)
	e.received(buf[len(e.name):], atts, pk.Single)
	e.s, e.id, e.wants, e.size = s, pk.ID, pk.HasID, int32(size)
	e.node.Init((*eventJob)(e))
	return e
}

// received sets the arguments.
func (e *Event) received(args []byte, atts [][]byte, single bool) {
	sio.Receive(&e.args, args, atts)
	if single {
		e.raw[0] = &e.args
	}
}

// eventJob is an event as its mailbox sees it.
type eventJob Event

// Run runs the handlers, on a worker.
func (j *eventJob) Run() {
	e := (*Event)(j)
	defer e.done() // also when a handler ends its goroutine
	if s := e.s; !s.is(stQuit) {
		s.timed(s.loop(), e, s.ns.reg.load(), s.own())
	}
}

// runInline runs an event on the loop if everything registered for it is
// inline.
func (s *Socket) runInline(lp *loop, pk *sio.Packet, atts [][]byte) bool {
	h, own := s.ns.reg.load(), s.own()
	if !h.inline && !own.inline || len(h.any)+len(own.any)+len(h.guards)+len(own.guards) > 0 {
		return false
	}
	a, b := h.events[string(pk.Name)], own.events[string(pk.Name)]
	if a == nil && b == nil || a != nil && !a.inline || b != nil && !b.inline {
		return false
	}
	if lp.self == 0 {
		lp.self = goroutineID()
	}
	lp.goroutine.Store(lp.self)
	defer lp.goroutine.Store(0)
	if a == nil {
		a = b
	}
	e := &Event{s: s, name: a.name, id: pk.ID, wants: pk.HasID}
	e.received(pk.Args, atts, pk.Single)
	e.weight = lp.timed()
	s.timed(lp, e, h, own)
	return true
}

// timed is dispatch, and measures how long it takes.
func (s *Socket) timed(lp *loop, e *Event, h, own *handlerSet) {
	if e.weight == 0 {
		s.dispatch(e, h, own)
		return
	}
	began := nanotime()
	s.dispatch(e, h, own)
	lp.m.handlers.weigh(nanotime()-began, e.weight, &timeBounds)
}

// dispatch runs catch-all handlers, guards and handlers, in this order; those
// for unhandled events if there is no other.
func (s *Socket) dispatch(e *Event, h, own *handlerSet) {
	a, b := h.events[e.name], own.events[e.name]
	if a != nil { // whoever keeps the name need not keep the event
		e.name = a.name
	} else if b != nil {
		e.name = b.name
	}
	s.runAll(e, h.any)
	s.runAll(e, own.any)
	if !s.allow(e, h.guards) || !s.allow(e, own.guards) {
		return
	}
	if a != nil {
		s.runAll(e, a.list)
	}
	if b != nil {
		s.runAll(e, b.list)
	}
	if a == nil && b == nil {
		s.runAll(e, h.unhandled)
		s.runAll(e, own.unhandled)
	}
}

func (s *Socket) runAll(e *Event, list []*listener) {
	for _, l := range list {
		if l.off != nil {
			if l.ran.Swap(true) {
				continue
			}
			l.off()
		}
		if err := s.run(e, l.f); err != nil {
			s.failed(e, err)
		}
	}
}

// allow runs guards until one refuses.
func (s *Socket) allow(e *Event, guards []*listener) bool {
	for _, l := range guards {
		if err := s.run(e, l.f); err != nil {
			s.failed(e, err)
			return false
		}
	}
	return true
}

// run calls a handler; a panic becomes its error.
func (s *Socket) run(e *Event, f handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(s, v)
		}
	}()
	return f(s, e)
}

// recovered counts a panic and makes it an error. It is called by the
// function that was deferred, so that the stack is the panic's.
func recovered(s *Socket, v any) error {
	s.ns.srv.panics.Add(1)
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// protect runs a handler that is not an event's; what names its kind.
func (s *Socket) protect(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.ns.srv.report(s, what, recovered(s, v))
		}
	}()
	f()
}

// failed reports a handler's error and answers a client that waits.
func (s *Socket) failed(e *Event, err error) {
	reply := s.ns.srv.report(s, e.Name(), err)
	if !e.wants || e.acked.Load() {
		return
	}
	if reply == nil && !answersErrors(err) {
		return
	}
	if reply == nil {
		reply = errorReply(err)
	}
	if err := e.Ack(reply); err != nil {
		s.ns.srv.report(s, e.Name(), err)
	}
}

func splitArgs(args []byte) []json.RawMessage {
	var list []json.RawMessage
	it := sio.IterArgs(args)
	for a, ok := it.Next(); ok; a, ok = it.Next() {
		list = append(list, json.RawMessage(a))
	}
	return list
}

func rawArgs(args []byte, atts [][]byte) []any {
	var list []any
	it := sio.IterArgs(args)
	for a, ok := it.Next(); ok; a, ok = it.Next() {
		r := new(sio.Raw)
		sio.Receive(r, a, atts)
		list = append(list, r)
	}
	return list
}

func bind(args []byte, atts [][]byte, dst []any) error {
	it := sio.IterArgs(args)
	n := 0
	for range dst {
		if _, ok := it.Next(); !ok {
			return ErrNoArguments
		}
		n++
	}
	return sio.DecodeArgs(args, atts, slices.Clip(dst[:n])...)
}
