package engine

import (
	"errors"
	"net/http"
	"slices"
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
)

type sessionState uint8

const (
	stIdle     sessionState = iota // no session yet: plain HTTP
	stChecking                     // AllowRequest is running
	stOpen
	stEnded
)

// Session is one Engine.IO session on one WebSocket. It is embedded as the
// first field of its Upper. Loop only.
type Session struct {
	netpoll.Conn
	beat  eio.Session
	next  uint32 // tick of the next heartbeat step, 0: none
	due   uint32 // tick of Upper.Deadline, 0: none
	rand  [RandLen]byte
	state sessionState
}

func (s *Session) el() *Loop { return LoopOf(s.Loop()) }

func (s *Session) upper() Upper { return s.Peer().(Upper) }

// NetConn implements netpoll.Peer.
func (s *Session) NetConn() *netpoll.Conn { return &s.Conn }

// Open tells whether the session is open: packets can be sent.
func (s *Session) Open() bool { return s.state == stOpen }

// SID returns the session's id, a secret between server and client.
func (s *Session) SID() ID {
	el := s.el()
	return ID{Node: el.srv.opt.NodeTag, Loop: uint8(el.Index()), Slot: s.Slot(), Rand: s.rand}
}

// Upgraded implements netpoll.Peer.
func (s *Session) Upgraded(r *netpoll.Request) {
	srv := s.el().srv
	if srv.opt.AllowRequest == nil {
		s.open(r.Raw, false)
		return
	}
	s.state = stChecking
	s.SetDeadline(srv.opt.AllowTimeout)
	c := &check{s: s, head: slices.Clone(r.Raw), f: srv.opt.AllowRequest}
	if a := s.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	s.Loop().Server().Admission().Go(c)
}

// check asks AllowRequest about one session, off the loop.
type check struct {
	s      *Session
	head   []byte
	remote string
	f      func(*http.Request) error
}

// Run runs on an admission worker.
func (c *check) Run() {
	err := errors.New("AllowRequest panicked")
	defer func() { c.s.Loop().Post(&checked{s: c.s, head: c.head, err: err}) }()
	r, e := ParseHead(c.head, c.remote)
	if e == nil {
		e = c.f(r)
	}
	err = e
}

// checked brings the answer back to the loop.
type checked struct {
	s    *Session
	head []byte
	err  error
}

// Run implements netpoll.Task.
func (c *checked) Run(*netpoll.Loop) bool {
	s := c.s
	if s.state != stChecking {
		return false
	}
	s.SetDeadline(0)
	if c.err != nil {
		srv := s.el().srv
		srv.refused[forbidden].Add(1)
		if skipped, ok := srv.notes[forbidden].allow(time.Now()); ok {
			srv.opt.Logger.Warn("engine: "+refusals[forbidden].note, "error", c.err,
				"suppressed", skipped)
		}
		srv.forbade(c)
		s.state = stEnded
		s.CloseWS(ws.StatusPolicyViolation, c.err.Error())
		return false
	}
	s.open(c.head, true)
	return false
}

// open queues the open packet and starts the heartbeat.
func (s *Session) open(head []byte, owned bool) {
	el := s.el()
	o := &el.srv.opt
	el.Entropy.Take(&s.rand)
	id := s.SID()
	el.scratch = eio.AppendOpen(el.scratch[:0], eio.OpenInfo{SID: id.String(),
		PingInterval: o.PingInterval, PingTimeout: o.PingTimeout, MaxPayload: o.MaxPayload})
	s.Send(netpoll.NewMsg(ws.OpText, el.scratch))
	s.state = stOpen
	s.step(s.beat.Start(&el.srv.beat, s.Loop().Tick(), el.jitter()))
	s.upper().Opened(head, owned)
}

// step notes when the heartbeat goes on.
func (s *Session) step(ticks uint32) {
	s.next = 0
	if ticks > 0 {
		s.next = nonzero(s.Loop().Tick() + ticks)
	}
	s.arm()
}

// SetDeadline lets Upper.Deadline run once after d; 0 stops it.
func (s *Session) SetDeadline(d time.Duration) {
	s.due = 0
	if d > 0 {
		s.due = nonzero(s.Loop().Tick() + ticks(d))
	}
	s.arm()
}

// arm sets the connection's one timer to what comes first.
func (s *Session) arm() {
	now := s.Loop().Tick()
	var wait uint32
	for _, at := range [...]uint32{s.next, s.due} {
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
		if s.state == stChecking {
			s.state = stEnded
			s.CloseWS(ws.StatusPolicyViolation, "AllowRequest took too long")
			return
		}
		if s.state == stOpen {
			s.upper().Deadline()
		}
	}
	if s.state != stOpen {
		return
	}
	if s.next == 0 || int32(s.next-now) > 0 {
		s.arm()
		return
	}
	el := s.el()
	act, next := s.beat.Tick(&el.srv.beat, now)
	switch act {
	case eio.ActionSendPing:
		s.Send(el.ping)
	case eio.ActionClose:
		s.End(ReasonPingTimeout)
		return
	}
	s.step(next)
}

// Message implements netpoll.Peer.
func (s *Session) Message(op ws.OpCode, p []byte, owned bool) {
	if s.state != stOpen {
		if s.state == stChecking {
			// Nothing may come before the open packet.
			s.state = stEnded
			s.CloseWS(0, "")
		}
		return
	}
	pk := eio.Packet{Type: eio.Message, Binary: true, Data: p}
	if op == ws.OpText {
		var err error
		if pk, err = eio.ParseText(p); err != nil {
			s.End(ReasonParseError)
			return
		}
		owned = owned || pk.Binary // decoded from base64
	}
	switch act, reason := s.beat.Receive(&s.el().srv.beat, s.Loop().Tick(), pk); act {
	case eio.ActionDeliver:
		s.upper().Packet(pk.Binary, pk.Data, owned)
	case eio.ActionClose:
		s.End(reason.String())
	}
}

// End ends the session: Upper.Ended runs, then the WebSocket is closed without
// a code, as the reference server does.
func (s *Session) End(reason string) {
	if s.state != stOpen {
		return
	}
	s.finish(reason)
	s.CloseWS(0, "")
}

func (s *Session) finish(reason string) {
	s.state = stEnded
	s.beat.Close()
	s.next, s.due = 0, 0
	s.SetTimer(0)
	s.upper().Ended(reason)
}

// Closed implements netpoll.Peer.
func (s *Session) Closed(err error) {
	if s.state == stOpen {
		s.finish(closeReason(err))
	}
	s.state = stEnded
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

// jitter spreads the first pings over half the interval, so that clients that
// connected together are not pinged together for ever.
func (l *Loop) jitter() uint32 {
	var b [RandLen]byte
	l.Entropy.Take(&b)
	if l.srv.beat.PingInterval < jitterFrom {
		return 0
	}
	span := l.srv.beat.PingInterval/2 + 1
	return (uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])) % span
}
