package engine

import (
	"errors"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

const (
	tick    = 100 * time.Millisecond
	eioPing = byte(eio.Ping)
	// jitterFrom is the shortest interval, in ticks, worth spreading.
	jitterFrom = 50
	// Heartbeats with an interval of alignFrom ticks or more come at multiples
	// of aligned ticks: a loop without anything else to do sleeps in between.
	alignFrom, aligned = 200, 4
)

type sessionState uint8

const (
	stIdle sessionState = iota // no session yet: plain HTTP
	stOpen
	stClosing  // ended by the server, or left by the client; a poll may come
	stEndpoint // a WebSocket of a session that has another connection
	stEnded
)

// Session is one Engine.IO session. It is embedded as the first field of its
// Upper. One that began on a WebSocket, or took one of its loop over, has that
// in its Conn; one that polls has a Conn without a socket and a side. Loop
// only.
type Session struct {
	netpoll.Conn
	side  *side
	beat  eio.Session
	next  uint32 // tick of the next heartbeat step, 0: none
	due   uint32 // tick of Upper.Deadline, 0: none
	rand  [RandLen]byte
	state sessionState
	rev3  rev3Flags // set when the session opens, then constant
}

func (s *Session) el() *Loop { return LoopOf(s.Loop()) }

func (s *Session) upper() Upper { return s.Peer().(Upper) }

func (s *Session) session() *Session { return s }

// NetConn implements netpoll.Peer.
func (s *Session) NetConn() *netpoll.Conn { return &s.Conn }

// Open tells whether the session is open: packets can be sent.
func (s *Session) Open() bool { return s.state == stOpen }

// Transport returns "websocket", or "polling" before an upgrade.
func (s *Session) Transport() string {
	if s.side != nil && s.side.phase != moved {
		return "polling"
	}
	return "websocket"
}

// SID returns the session's id, a secret between server and client.
func (s *Session) SID() ID {
	el := s.el()
	return ID{Node: el.srv.opt.NodeTag, Loop: uint8(el.Index()), Slot: s.Slot(), Rand: s.rand}
}

// Upgraded implements netpoll.Peer.
func (s *Session) Upgraded(r *netpoll.Request) {
	if s.state == stEndpoint {
		s.attached()
		return
	}
	if s.el().srv.opt.AllowEIO3 {
		q := parseQuery(r.Query)
		if s.rev3 = q.rev3(); s.rev3 != 0 {
			s.openSoon(r.Raw)
			return
		}
	}
	s.open(r.Raw, false)
}

// open queues the open packet and starts the heartbeat of a session that
// begins on its WebSocket.
func (s *Session) open(head []byte, owned bool) {
	el := s.el()
	el.Entropy.Take(&s.rand)
	id := s.SID()
	el.scratch = eio.AppendOpen(el.scratch[:0], el.srv.openInfo(id.String(), false))
	s.Send(netpoll.NewMsg(ws.OpText, el.scratch))
	s.state = stOpen
	s.begin()
	s.upper().Opened(head, owned, s.RemoteAddr())
}

// begin starts the heartbeat.
func (s *Session) begin() {
	el := s.el()
	if s.EIO3() {
		s.step(s.beat.Start3(&el.srv.beat, el.Tick()))
		return
	}
	s.step(s.beat.Start(&el.srv.beat, el.Tick(), el.jitter()))
}

// step notes when the heartbeat goes on.
func (s *Session) step(ticks uint32) {
	s.next = 0
	if ticks > 0 {
		at := s.Loop().Tick() + ticks
		if s.el().srv.beat.PingInterval >= alignFrom {
			at = (at + aligned - 1) &^ (aligned - 1)
		}
		s.next = nonzero(at)
	}
	s.arm()
}

// SetDeadline lets Upper.Deadline run once, d later or up to a tick after
// that; 0 stops it.
func (s *Session) SetDeadline(d time.Duration) {
	s.due = 0
	if d > 0 { // part of this tick is over
		s.due = nonzero(s.Loop().Tick() + ticks(d) + 1)
	}
	s.arm()
}

// arm sets the connection's one timer to what comes first.
func (s *Session) arm() {
	now := s.Loop().Tick()
	var wait uint32
	steps := [4]uint32{s.next, s.due}
	if d := s.side; d != nil {
		steps[2], steps[3] = d.upBy, d.noop
	}
	for _, at := range steps {
		if at == 0 {
			continue
		}
		if d := uint32(max(int32(at-now), 1)); wait == 0 || d < wait {
			wait = d
		}
	}
	s.SetTimer(wait)
}

// Timer implements netpoll.Peer.
func (s *Session) Timer() {
	now := s.Loop().Tick()
	if s.due != 0 && int32(s.due-now) <= 0 {
		s.due = 0
		switch s.state {
		case stClosing:
			s.Abort(nil)
			return
		case stOpen:
			s.upper().Deadline()
		}
	}
	if s.state != stOpen {
		return
	}
	if d := s.side; d != nil {
		if d.noop != 0 && int32(d.noop-now) <= 0 {
			d.noop = 0
			s.tell(eio.Noop)
		}
		if d.upBy != 0 && int32(d.upBy-now) <= 0 {
			s.letGoWS()
		}
	}
	if s.next == 0 || int32(s.next-now) > 0 {
		s.arm()
		return
	}
	el := s.el()
	if s.beat.Overdue(now) && s.Unread() {
		// The pong may be there: the loop is late, not the client.
		s.beat.Receive(&el.srv.beat, now, eio.Packet{Type: eio.Noop})
	}
	act, next := s.beat.Tick(&el.srv.beat, now)
	switch act {
	case eio.ActionSendPing:
		s.Send(el.ping)
	case eio.ActionClose:
		s.drop(ReasonPingTimeout)
		return
	}
	s.step(next)
}

// Message implements netpoll.Peer.
func (s *Session) Message(op ws.OpCode, p []byte, owned bool) {
	if s.state == stIdle && s.rev3 != 0 {
		s.el().openNow(s)
	}
	if s.state != stOpen {
		if s.state == stEndpoint {
			s.pass(op, p, owned)
		}
		return
	}
	pk := eio.Packet{Type: eio.Message, Binary: true, Data: p}
	if op == ws.OpText || s.rev3 != 0 {
		var err error
		if s.rev3 != 0 {
			pk, err = parse3(op, p)
		} else {
			pk, err = eio.ParseText(p)
		}
		if err != nil {
			s.drop(ReasonParseError)
			return
		}
		owned = owned || pk.Binary && op == ws.OpText // decoded from base64
	}
	s.receive(pk, owned)
}

// receive treats a packet of the client.
func (s *Session) receive(pk eio.Packet, owned bool) {
	beat := &s.el().srv.beat
	switch act, reason := s.beat.Receive(beat, s.Loop().Tick(), pk); act {
	case eio.ActionDeliver:
		s.upper().Packet(pk.Binary, pk.Data, owned)
	case eio.ActionClose:
		s.closedBy(reason)
	case eio.ActionSendPong:
		s.Send(s.el().pong)
	case eio.ActionNone:
		if pk.Type == eio.Pong && s.state == stOpen {
			// The timer would find out by itself, but only by coming when the
			// pong were late, to a session that is in no cache then.
			s.step(beat.PingInterval)
		}
	}
}

// closedBy ends the session because of a packet of the client.
func (s *Session) closedBy(reason eio.Reason) {
	if reason == eio.ReasonTransportClose {
		s.leave()
		return
	}
	s.drop(reason.String())
}

// End ends the session: Upper.Ended runs, then the WebSocket is closed without
// a code, as the reference server does, or the poll that waits, or the next
// one, told.
func (s *Session) End(reason string) {
	switch d := s.side; {
	case s.state != stOpen:
	case d == nil || d.phase == moved:
		s.drop(reason)
	default:
		s.retire(reason)
	}
}

// endWS ends a session on its own WebSocket.
func (s *Session) endWS(reason string) {
	if s.state == stOpen {
		s.finish(reason)
		s.CloseWS(0, "")
	}
}

func (s *Session) finish(reason string) {
	if s.state != stOpen {
		return
	}
	s.state = stEnded
	s.beat.Close()
	s.next, s.due = 0, 0
	s.SetTimer(0)
	s.upper().Ended(reason)
}

// Closed implements netpoll.Peer.
func (s *Session) Closed(err error) {
	switch s.state {
	case stOpen:
		s.finish(closeReason(err))
	case stEndpoint:
		s.unplugged(err)
	case stIdle:
		delete(s.el().opening, s)
	}
	s.state = stEnded
	if s.side != nil {
		s.letGo()
	}
}

// closeReason names the end of a connection as Node does.
func closeReason(err error) string {
	var broken *netpoll.ProtocolError
	switch {
	case errors.Is(err, netpoll.ErrShutdown):
		return ReasonShutdown
	case errors.Is(err, netpoll.ErrSlowConsumer):
		return ReasonSlowConsumer
	case errors.Is(err, netpoll.ErrTooLarge), errors.Is(err, netpoll.ErrUTF8),
		errors.Is(err, netpoll.ErrHandler), errors.As(err, &broken):
		return ReasonTransportError
	}
	return ReasonTransportClose
}

func ticks(d time.Duration) uint32 { return uint32((d + tick - 1) / tick) }

// nonzero keeps a tick that happens to be 0 from meaning "none".
func nonzero(t uint32) uint32 {
	if t == 0 {
		return 1
	}
	return t
}

func heartbeat(interval, timeout time.Duration) eio.Config {
	return eio.Config{PingInterval: ticks(interval), PingTimeout: ticks(timeout)}
}

// jitter spreads the first pings over the last four fifths of the interval, so
// that clients that connected together are not pinged together for ever. Those
// that stay for a moment only need none.
func (l *Loop) jitter() uint32 {
	var b [RandLen]byte
	l.Entropy.Take(&b)
	interval := l.srv.beat.PingInterval
	if interval < jitterFrom {
		return 0
	}
	return (uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])) % (interval - interval/5 + 1)
}
