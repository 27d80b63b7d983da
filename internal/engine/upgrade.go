package engine

import (
	"slices"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

// An upgrade has two ends: the session on its home loop, where everything is
// decided, and the WebSocket, which may be on another loop. That one only
// passes on what it receives and writes what it is given. When both share a
// loop the session adopts the socket in the end; otherwise the WebSocket stays
// where it is, as an endpoint.

// offer is a WebSocket's request to take the session over. Home loop.
func (s *Session) offer(x *exchange) {
	d := s.side
	if x.v4 == s.EIO3() {
		x.refuse(badRequest)
		return
	}
	ep := x.socket
	if d == nil || d.phase != onPolling || s.state != stOpen {
		// Told after the handshake, as the reference server does.
		x.deliverSocket(nil)
		return
	}
	d.ws, d.phase = ep, offered
	d.upBy = nonzero(s.Loop().Tick() + ticks(s.el().srv.opt.UpgradeTimeout))
	s.arm()
	x.deliverSocket(s)
}

// deliverSocket lets the handshake go on; home nil means that the WebSocket is
// closed right after it.
func (x *exchange) deliverSocket(home *Session) {
	if x.home == x.origin {
		x.joined(home)
		return
	}
	x.origin.Post(&joined{x, home})
}

// joined is the session's consent on its way to the WebSocket's loop.
type joined struct {
	x    *exchange
	home *Session
}

// Run implements netpoll.Task.
func (j *joined) Run(*netpoll.Loop) bool {
	j.x.joined(j.home)
	return false
}

// joined answers the handshake. The WebSocket's loop.
func (x *exchange) joined(home *Session) {
	ep := x.socket
	ep.side = &side{home: home, homeLoop: x.home}
	ep.state = stEndpoint
	x.finish(netpoll.Reply{Kind: netpoll.Upgrade, Subprotocol: x.proto, Header: x.header})
}

// attached runs when the handshake of an endpoint is done. Its loop.
func (s *Session) attached() {
	if s.side.home == nil {
		s.CloseWS(0, "")
	}
}

// pass hands a message to the session. The WebSocket's loop.
func (s *Session) pass(op ws.OpCode, p []byte, owned bool) {
	d := s.side
	switch {
	case d == nil || d.home == nil:
	case d.homeLoop == s.el():
		d.home.fromSocket(s, op, p, owned)
	default:
		if !owned {
			p = slices.Clone(p)
		}
		d.homeLoop.Post(&passed{s, d.home, op, p})
	}
}

// passed is a message of an endpoint on its way home.
type passed struct {
	ep, home *Session
	op       ws.OpCode
	p        []byte
}

// Run implements netpoll.Task.
func (m *passed) Run(*netpoll.Loop) bool {
	m.home.fromSocket(m.ep, m.op, m.p, true)
	return false
}

// unplugged tells the session that its WebSocket is gone. The WebSocket's loop.
func (s *Session) unplugged(err error) {
	d := s.side
	if d == nil || d.home == nil {
		return
	}
	home := d.home
	d.home = nil
	if d.homeLoop == s.el() {
		home.socketGone(s, err)
		return
	}
	d.homeLoop.Post(&unplugged{s, home, err})
}

type unplugged struct {
	ep, home *Session
	err      error
}

// Run implements netpoll.Task.
func (u *unplugged) Run(*netpoll.Loop) bool {
	u.home.socketGone(u.ep, u.err)
	return false
}

// fromSocket treats a message of the session's WebSocket. Home loop.
func (s *Session) fromSocket(ep *Session, op ws.OpCode, p []byte, owned bool) {
	d := s.side
	if d == nil || d.ws != ep {
		return
	}
	if d.phase == moved {
		s.Message(op, p, owned)
		return
	}
	switch {
	case op == ws.OpText && string(p) == "2probe":
		s.toSocket(s.el().probe)
		if d.phase == offered {
			d.phase = probed
			if s.idle() {
				s.tell(eio.Noop)
			}
		}
	case op == ws.OpText && len(p) > 0 && p[0] == byte(eio.Upgrade) && s.state == stOpen:
		s.takeOver(ep)
	default:
		s.letGoWS()
	}
}

// takeOver makes the WebSocket the session's transport. What waits for a poll
// goes out on it.
func (s *Session) takeOver(ep *Session) {
	d := s.side
	if x := d.get; x != nil && d.phase == probed {
		// It has waited for less than a noop would take: on its own connection
		// it has overtaken the upgrade packet that was sent before it.
		d.get = nil
		s.SetReady(false)
		x.refuse(badRequest)
	}
	s.tell(eio.Close)
	d.upBy, d.noop = 0, 0
	if ep.Loop() == s.Loop() {
		s.side, ep.side = nil, nil
		ep.state = stEnded
		s.Adopt(&ep.Conn)
	} else {
		d.phase = moved
		s.SetReady(true)
	}
	s.arm()
}

// toSocket sends a message on the WebSocket that is not the transport yet.
func (s *Session) toSocket(m *netpoll.Msg) {
	ep := s.side.ws
	if ep.Loop() == s.Loop() {
		ep.Send(m)
		return
	}
	ep.Loop().PostSend(&ep.Conn, m)
}

// socketGone runs when a WebSocket of the session is closed. Home loop.
func (s *Session) socketGone(ep *Session, err error) {
	d := s.side
	if d == nil || d.ws != ep {
		return
	}
	if d.phase == moved && s.state == stOpen {
		s.finish(closeReason(err))
		d.ws = nil
		s.Abort(nil)
		return
	}
	d.ws, d.phase, d.upBy, d.noop = nil, onPolling, 0, 0
	s.arm()
}

// letGoWS closes the session's WebSocket: the upgrade has failed or the
// session has ended.
func (s *Session) letGoWS() {
	d := s.side
	if d == nil || d.ws == nil {
		return
	}
	ep := d.ws
	d.ws, d.phase, d.upBy, d.noop = nil, onPolling, 0, 0
	if ep.Loop() == s.Loop() {
		ep.dismiss()
		return
	}
	ep.Loop().Post((*dismissed)(ep))
}

// dismissed is the session's word to an endpoint on another loop that it is
// not needed any more.
type dismissed Session

// Run implements netpoll.Task.
func (d *dismissed) Run(*netpoll.Loop) bool {
	(*Session)(d).dismiss()
	return false
}

// dismiss closes an endpoint. The WebSocket's loop.
func (s *Session) dismiss() {
	if s.side != nil {
		s.side.home = nil
	}
	s.CloseWS(0, "")
}
