package eio

// Config holds the heartbeat times in ticks of 100 ms. Zero counts as 1. Their
// sum stays below 2^31. One Config serves any number of sessions.
type Config struct {
	PingInterval uint32
	PingTimeout  uint32
}

func (c *Config) interval() uint32 { return max(c.PingInterval, 1) }
func (c *Config) timeout() uint32  { return max(c.PingTimeout, 1) }

// Action is what the owner of a session must do.
type Action uint8

// The actions.
const (
	ActionNone     Action = iota
	ActionDeliver         // hand the packet, a message, to the layer above
	ActionSendPing        // send "2"
	ActionClose           // close the transport; the session has ended
	ActionSendPong        // send "3", revision 3 only
)

// String returns the action's name.
func (a Action) String() string {
	switch a {
	case ActionNone:
		return "none"
	case ActionDeliver:
		return "deliver"
	case ActionSendPing:
		return "ping"
	case ActionClose:
		return "close"
	case ActionSendPong:
		return "pong"
	}
	return "unknown"
}

type phase uint8

const (
	closed   phase = iota // not started, or ended
	resting               // until the next ping
	awaiting              // a pong
	extended              // as awaiting; this ping's timeout was restarted
	pinged                // by the client: revision 3
)

// Session is the server's side of an open Engine.IO session on one transport.
// Opening (sending the open packet) is the owner's business, as are upgrades;
// after those a session just goes on. The zero value is a closed session.
type Session struct {
	due   uint32 // tick of the next ping, or of the timeout
	phase phase
}

// Start begins the heartbeat. The first ping comes jitter ticks earlier than
// PingInterval says, but at least one tick from now: random jitters spread the
// pings of clients that connected together. next is the number of ticks until
// Tick must be called.
func (s *Session) Start(c *Config, now, jitter uint32) (next uint32) {
	next = c.interval() - min(jitter, c.interval()-1)
	s.phase = resting
	s.due = now + next
	return next
}

// Start3 begins the heartbeat of a session of revision 3, in which clients
// ping: one that has not done so for PingInterval and PingTimeout together is
// gone. next is the number of ticks until Tick must be called.
func (s *Session) Start3(c *Config, now uint32) (next uint32) {
	next = c.interval() + c.timeout()
	s.phase = pinged
	s.due = now + next
	return next
}

// Receive takes a packet from the client. The answer is ActionDeliver for a
// message, ActionClose with the reason when the packet ends the session, in
// revision 3 ActionSendPong for a ping, whatever it carries, else ActionNone. A
// probe, the first packet of an upgrading WebSocket, is no packet of the
// session. Timers stay as they are. A closed session ignores packets.
func (s *Session) Receive(c *Config, now uint32, p Packet) (Action, Reason) {
	if s.phase == closed {
		return ActionNone, ReasonNone
	}
	if s.phase == pinged {
		return s.receive3(c, now, p)
	}
	switch p.Type {
	case Pong:
		// Unsolicited ones as well.
		s.phase = resting
		s.due = now + c.interval()
		return ActionNone, ReasonNone
	case Close:
		s.phase = closed
		return ActionClose, ReasonTransportClose
	case Ping:
		// In this revision only servers ping.
		s.phase = closed
		return ActionClose, ReasonTransportError
	}
	if s.phase == awaiting {
		s.phase = extended
		s.due = now + c.timeout()
	}
	if p.Type == Message {
		return ActionDeliver, ReasonNone
	}
	return ActionNone, ReasonNone
}

func (s *Session) receive3(c *Config, now uint32, p Packet) (Action, Reason) {
	switch p.Type {
	case Ping:
		s.due = now + c.interval() + c.timeout()
		return ActionSendPong, ReasonNone
	case Message:
		return ActionDeliver, ReasonNone
	case Close:
		s.phase = closed
		return ActionClose, ReasonTransportClose
	case Pong:
		// In this revision only clients ping.
		s.phase = closed
		return ActionClose, ReasonTransportError
	}
	return ActionNone, ReasonNone
}

// Tick must be called when the ticks last returned as next have passed; it may
// be called earlier. The answer is ActionSendPing, ActionClose (the reason is
// always ReasonPingTimeout) or ActionNone, with the ticks until the next call;
// 0 means never.
//
// An owner that was held up should read what has arrived before it ticks, or
// pongs that are already there come too late; where it cannot, see Overdue.
func (s *Session) Tick(c *Config, now uint32) (a Action, next uint32) {
	if s.phase == closed {
		return ActionNone, 0
	}
	rest := int32(s.due - now) // the counter may have wrapped between them
	switch {
	case rest > 0 && (s.phase == resting || s.phase == pinged):
		return ActionNone, uint32(rest)
	case rest > 0:
		return ActionNone, min(uint32(rest), c.interval())
	case s.phase == resting:
		s.phase = awaiting
		s.due = now + c.timeout()
		// A pong that comes at once makes the next ping due after an
		// interval, and receiving it does not touch the timer.
		return ActionSendPing, min(c.timeout(), c.interval())
	}
	s.phase = closed
	return ActionClose, 0
}

// Overdue tells that Tick would end the session now and that a packet, whatever
// it is, would still prevent that once. An owner that knows of bytes it has not
// read yet passes a Noop to Receive: it is late, not the client.
func (s *Session) Overdue(now uint32) bool {
	return s.phase == awaiting && int32(s.due-now) <= 0
}

// Close ends the session from the owner's side: the transport is gone, a
// packet did not parse, the server wants it. Nothing but ActionNone comes
// after it.
func (s *Session) Close() { s.phase = closed }

// Closed reports whether the session has ended or was never started.
func (s *Session) Closed() bool { return s.phase == closed }
