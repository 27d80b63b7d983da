package socketio

import (
	"encoding/binary"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// OnAnyOutgoing adds a handler for events on their way to this socket, emits
// and broadcasts, acknowledgements not. It runs behind the socket's other
// handlers, on a worker, for each event that was queued for the socket, in
// their order; e shows what was sent, and cannot be acknowledged. While
// MailboxEvents or MailboxBytes of its connection are used up, events are
// counted as dropped "outgoing_listener" and not shown. An emit to the same
// socket from the handler would be shown to it again, without end.
func (s *Socket) OnAnyOutgoing(f func(s *Socket, e *Event)) (off func()) {
	s.ns.srv.outgoing.Store(true)
	return s.handlers().listen(outgoingOf, plain(f), false)
}

// PrependAnyOutgoing is OnAnyOutgoing in front of those that are there.
func (s *Socket) PrependAnyOutgoing(f func(s *Socket, e *Event)) (off func()) {
	s.ns.srv.outgoing.Store(true)
	return s.handlers().listen(outgoingOf, plain(f), true)
}

// OffAnyOutgoing removes the handlers of OnAnyOutgoing.
func (s *Socket) OffAnyOutgoing() { s.handlers().clear(outgoingOf) }

// OnAnyOutgoing adds a handler for emits: s is the receiver of an emit to one
// socket and nil for a broadcast, for which it runs once. It runs on the
// goroutine that emits, before the emit returns and whether anybody will
// receive it or not. It must not emit to the same namespace: that would be
// shown to it again, without end.
func (n *Namespace) OnAnyOutgoing(f func(s *Socket, e *Event)) (off func()) {
	return n.reg.listen(outgoingOf, plain(f), false)
}

// PrependAnyOutgoing is OnAnyOutgoing in front of those that are there.
func (n *Namespace) PrependAnyOutgoing(f func(s *Socket, e *Event)) (off func()) {
	return n.reg.listen(outgoingOf, plain(f), true)
}

// OffAnyOutgoing removes the handlers of OnAnyOutgoing.
func (n *Namespace) OffAnyOutgoing() { n.reg.clear(outgoingOf) }

// sent shows an encoded event to the namespace's OnAnyOutgoing handlers, if
// there are any. Any goroutine.
func (n *Namespace) sent(s *Socket, wire []byte) (seen bool) {
	list := n.reg.load().outgoing
	if len(list) == 0 {
		return false
	}
	e, _ := unframe(s, n.srv, wire)
	if e == nil {
		return false
	}
	for _, l := range list {
		n.srv.guard("OnAnyOutgoing", func() { _ = l.f(s, e) }) // plain: no error
	}
	return true
}

// watched shows what was queued for a socket to its OnAnyOutgoing handlers.
// wire may hold several events. Loop only.
func (s *Socket) watched(lp *loop, wire []byte) {
	if len(s.own().outgoing) == 0 {
		return
	}
	o := &lp.srv.opt
	for len(wire) > 0 {
		var e *Event
		if e, wire = unframe(s, lp.srv, wire); e == nil {
			return
		}
		if events, bytes := s.c.waiting.load(); events >= o.MailboxEvents ||
			bytes+int(e.size) > max(o.MailboxBytes, int(e.size)) ||
			lp.boxBytes.Load()+int64(e.size) > int64(o.MailboxTotal/o.Loops) {
			lp.srv.drop(dropOutgoing)
			lp.srv.warn(noteOutgoing, "an OnAnyOutgoing handler is slower than its socket: "+
				"it is not shown everything", "namespace", s.ns.name, "socket", s.ID(),
				"options", "MailboxEvents, MailboxBytes, MailboxTotal")
			continue
		}
		e.node.Init((*sentEvent)(e))
		e.mail(lp)
	}
}

// sentEvent runs a socket's OnAnyOutgoing handlers, on a worker.
type sentEvent Event

func (v *sentEvent) Run() {
	e := (*Event)(v)
	defer e.done()
	e.s.runAll(e, e.s.own().outgoing)
}

// unframe reads the first event off wire, which this package has encoded: a
// text frame and its attachments. e is nil if there is none. The event shares
// the bytes of wire, which nobody changes.
func unframe(s *Socket, srv *Server, wire []byte) (e *Event, rest []byte) {
	text, rest := payload(wire)
	if len(text) == 0 {
		return nil, nil
	}
	pk, err := sio.Parse(text[1:], srv.opt.MaxAttachments)
	if err != nil || pk.Type != sio.Event && pk.Type != sio.BinaryEvent {
		return nil, nil // an acknowledgement
	}
	e = &Event{s: s, name: string(pk.Name), size: int32(len(text))}
	e.args.JSON = srv.recovery.withoutOffset(pk.Args)
	for range pk.Attachments {
		var att []byte
		att, rest = payload(rest)
		e.args.Attachments = append(e.args.Attachments, att)
		e.size += int32(len(att))
	}
	return e, rest
}

// payload returns the payload of the first frame, which is not masked, and
// what is behind it.
func payload(wire []byte) (data, rest []byte) {
	if len(wire) < 2 {
		return nil, nil
	}
	n, at := uint64(wire[1]), 2
	switch {
	case n == 126 && len(wire) >= 4:
		n, at = uint64(binary.BigEndian.Uint16(wire[2:])), 4
	case n == 127 && len(wire) >= netpoll.FrameRoom:
		n, at = binary.BigEndian.Uint64(wire[2:]), netpoll.FrameRoom
	}
	if uint64(len(wire)-at) < n {
		return nil, nil
	}
	end := at + int(n)
	return wire[at:end:end], wire[end:]
}
