package engine

import (
	"bytes"
	"crypto/subtle"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

// closeWait is how long a session that the server has closed waits for the
// poll that tells its client.
const closeWait = 30 * time.Second

// leaveWait is how long after its client's close packet a session answers a
// poll that the packet has overtaken.
const leaveWait = 2 * tick

// side is what a session has while it is not simply its own WebSocket, or what
// a WebSocket has that belongs to a session elsewhere.
type side struct {
	// Of a session:
	get  *exchange // the open poll
	post *exchange // the POST whose body comes
	ws   *Session  // the WebSocket that wants to take over, or has
	// Of a WebSocket:
	home     *Session
	homeLoop *Loop

	upBy  uint32 // tick when an upgrade has taken too long, 0: none
	noop  uint32 // tick of the next noop while upgrading, 0: none
	phase phase
	left  bool // the client has closed the session
}

// phase tells how far a session has come on its way to a WebSocket.
type phase uint8

const (
	onPolling phase = iota
	offered         // a WebSocket is there
	probed          // and has been answered
	moved           // and has taken over, on another loop
)

// lookup finds an open session of this loop. Nobody learns from the time it
// takes how much of a guess was right. Loop only.
func (l *Loop) lookup(id *ID) *Session {
	c := l.At(id.Slot)
	if c == nil {
		return nil
	}
	up, ok := c.Peer().(Upper)
	if !ok {
		return nil
	}
	s := up.session()
	if s.state != stOpen && s.state != stClosing ||
		subtle.ConstantTimeCompare(s.rand[:], id.Rand[:]) != 1 {
		return nil
	}
	return s
}

// Find returns what embeds the open session of this loop with an id, nil if
// there is none. Loop only.
func (l *Loop) Find(id *ID) Upper {
	if s := l.lookup(id); s != nil && s.state == stOpen {
		return s.upper()
	}
	return nil
}

// openPolling opens a session that polls, and answers its first request.
func (l *Loop) openPolling(x *exchange) {
	if x.over {
		return
	}
	up := l.srv.opt.Open(l)
	s := up.session()
	if !l.OpenDetached(up) {
		x.refuse(serverDraining)
		return
	}
	s.side = &side{}
	s.state = stOpen
	l.Entropy.Take(&s.rand)
	s.rev3 = x.rev3
	s.begin()
	id := s.SID()
	open := eio.AppendOpen(nil, l.srv.openInfo(id.String(), true))
	body, _ := s.appendPayload(nil, []*netpoll.Msg{netpoll.NewMsg(ws.OpText, open)},
		x.jsonp != "")
	header := x.srv.cookie(id.String())
	x.answer(s.pollReply(x, body, header))
	s.upper().Opened(x.head, true, x.remote)
}

const (
	textPlain   = "text/plain; charset=UTF-8"
	octetStream = "application/octet-stream"
)

// pollReply is the answer to a poll.
func (s *Session) pollReply(x *exchange, payload []byte, header string) netpoll.Reply {
	header += "cache-control: no-store\r\n"
	if x.msie {
		header += "X-XSS-Protection: 0\r\n"
	}
	r := netpoll.Reply{Status: 200, ContentType: textPlain, Header: header, Body: payload}
	switch {
	case x.jsonp != "":
		r.Body = eio.AppendJSONP(nil, x.jsonp, payload)
	case s.EIO3() && len(payload) > 0 && payload[0] <= 1:
		r.ContentType = octetStream // no text payload begins like that
	}
	return r
}

// polls tells whether a request of the polling transport is right for the
// session; if not it is refused.
func (s *Session) polls(x *exchange) bool {
	if s.side == nil || s.side.phase == moved || x.v4 == s.EIO3() {
		x.refuse(badRequest)
		return false
	}
	return true
}

// poll takes a GET.
func (s *Session) poll(x *exchange) {
	if !s.polls(x) {
		return
	}
	d := s.side
	switch {
	case d.get != nil:
		first := d.get
		d.get = nil
		first.answer(s.pollReply(first, s.payload(eio.Close), ""))
		x.answer(netpoll.Reply{Status: 400})
		s.drop(ReasonTransportError)
		return
	case d.left:
		x.answer(s.pollReply(x, s.payload(eio.Noop), ""))
		s.Abort(nil)
		return
	case s.state == stClosing && s.idle():
		x.answer(s.pollReply(x, s.payload(eio.Noop, eio.Close), ""))
		s.Abort(nil)
		return
	}
	d.get = x
	if s.idle() {
		s.SetReady(true)
		if d.phase == probed {
			d.noop = nonzero(s.Loop().Tick() + 1)
			s.arm()
		}
		return
	}
	s.Drain()
}

// idle tells that nothing waits for a poll.
func (s *Session) idle() bool {
	frames, _ := s.Pending()
	return frames == 0
}

// Drain implements netpoll.Drainer: what is pending goes to the open poll, or
// to the WebSocket on another loop.
func (s *Session) Drain() {
	d := s.side
	switch {
	case d == nil || s.idle():
	case d.phase == moved:
		d.ws.Loop().PostSends(&d.ws.Conn, s.TakePending(nil))
	case d.get != nil:
		x := d.get
		d.get, d.noop = nil, 0
		s.SetReady(false)
		el := s.el()
		el.msgs = s.TakePending(el.msgs[:0])
		body, squeeze := s.appendPayload(nil, el.msgs, x.jsonp != "")
		clear(el.msgs)
		if !squeeze {
			x.coding = ""
		}
		x.answer(s.pollReply(x, body, ""))
	default:
		s.SetReady(false)
	}
}

// tell answers the open poll, if there is one, with a packet of no content.
func (s *Session) tell(t eio.PacketType) {
	if d := s.side; d != nil && d.get != nil {
		x := d.get
		d.get, d.noop = nil, 0
		s.SetReady(false)
		x.answer(s.pollReply(x, s.payload(t), ""))
	}
}

// postBegins notes a POST; a second one at the same time ends the session.
func (s *Session) postBegins(x *exchange) {
	d := s.side
	if d == nil || d.phase == moved || x.v4 == s.EIO3() {
		return // refused when the body is there
	}
	switch {
	case d.post != nil:
		first := d.post
		d.post = nil
		first.kill()
		x.answer(netpoll.Reply{Status: 400})
		s.drop(ReasonTransportError)
	case x.octets && !s.EIO3():
		x.answer(netpoll.Reply{Status: 400})
		s.drop(ReasonTransportError)
	default:
		d.post = x
	}
}

// received takes the body of a POST and answers it.
func (s *Session) received(x *exchange) {
	if d := s.side; d != nil && d.post == x {
		d.post = nil
	} else if s.state != stOpen && s.state != stClosing {
		x.refuse(sidUnknown)
		return
	} else if !s.polls(x) {
		return
	} else if x.octets && !s.EIO3() {
		x.answer(netpoll.Reply{Status: 400})
		s.drop(ReasonTransportError)
		return
	}
	body := x.body
	x.body = nil
	s.packets(x, body)
	header := "cache-control: no-store\r\n"
	if x.msie {
		header += "X-XSS-Protection: 0\r\n"
	}
	x.answer(netpoll.Reply{Status: 200, ContentType: "text/html", Header: header,
		Body: []byte("ok")})
}

// payloadIter walks over the packets of a POST.
type payloadIter interface {
	Next() bool
	Packet() eio.Packet
	Err() error
}

// packets treats what a POST has brought.
func (s *Session) packets(x *exchange, body []byte) {
	var err error
	if x.jsonp != "" {
		if body, err = eio.DecodeJSONP(body); err != nil {
			s.drop(ReasonParseError)
			return
		}
	}
	if !x.octets && !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	var it payloadIter
	switch {
	case !s.EIO3():
		i := eio.IterPayload(body)
		it = &i
	case x.octets:
		i := eio.IterBinaryPayload3(body)
		it = &i
	default:
		i := eio.IterPayload3(body)
		it = &i
	}
	for s.state == stOpen && it.Next() {
		pk := it.Packet()
		// Part of a large body must not keep the whole of it alive.
		s.receive(pk, pk.Binary && !x.octets || 2*len(pk.Data) > len(body))
	}
	if it.Err() != nil {
		s.drop(ReasonParseError)
	}
}

// lost runs when the client of an exchange is gone; err nil: it was answered.
func (s *Session) lost(x *exchange, err error) {
	d := s.side
	if d == nil {
		return
	}
	switch x {
	case d.get:
		d.get = nil
		s.SetReady(false)
	case d.post:
		d.post = nil
	default:
		if x.kind == upgradeWS && x.socket != nil {
			s.socketGone(x.socket, err)
		}
		return
	}
	if err != nil {
		s.drop(ReasonTransportError)
	}
}

// drop ends a session at once because of what its client did, or did not. A
// poll that waits is answered with the close packet.
func (s *Session) drop(reason string) {
	d := s.side
	if d == nil {
		s.endWS(reason)
		return
	}
	s.finish(reason)
	if d.phase == moved {
		s.Drain()
	}
	s.letGo()
	s.Abort(nil)
}

// leave ends a session whose client has sent the close packet. The poll that
// the client has sent just before may come after it, on another connection.
func (s *Session) leave() {
	d := s.side
	if d == nil || d.phase == moved || d.get != nil {
		s.tell(eio.Noop)
		s.drop(ReasonTransportClose)
		return
	}
	s.finish(ReasonTransportClose)
	s.TakePending(nil)
	s.state, d.left = stClosing, true
	s.letGoWS()
	s.SetDeadline(leaveWait)
}

// retire ends a polling session from the server's side: the client is told by
// the poll that waits or by its next one. What was sent before comes first.
func (s *Session) retire(reason string) {
	s.finish(reason)
	s.letGoWS()
	d := s.side
	switch {
	case reason == ReasonShutdown && d.get != nil:
		// No time for another poll: the last words and the close together. The
		// client's next connection may lead to another process.
		x := d.get
		d.get, d.noop = nil, 0
		s.SetReady(false)
		bye := netpoll.NewMsg(ws.OpText, []byte{byte(eio.Close)})
		body, _ := s.appendPayload(nil, append(s.TakePending(nil), bye), x.jsonp != "")
		reply := s.pollReply(x, body, "")
		reply.Close = true
		x.answer(reply)
	case d.get != nil && s.idle():
		s.tell(eio.Close)
	default: // a server that drains is still there for the next poll
		s.state = stClosing
		s.SetDeadline(closeWait)
		if d.get != nil {
			s.Drain()
		}
		return
	}
	s.letGo()
	s.Abort(nil)
}

// letGo leaves nobody waiting for a session that has ended.
func (s *Session) letGo() {
	s.tell(eio.Close)
	s.letGoWS()
	s.side.post = nil // answered when its body is there
}
