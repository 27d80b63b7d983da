package app

import (
	"encoding/json"
	"time"

	"github.com/throng-server/throng/protocol/sio"
	"github.com/throng-server/throng/socketio"
)

// ask finishes a call and returns what to do.
func (p *port) ask(c *call) ([]action, *refusal, *Failure) {
	c.body = append(c.body, '}')
	p.app.calls.Add(1)
	var text []byte
	var f *Failure
	if p.w != nil {
		text, f = p.w.ask(c)
	} else {
		text, f = p.e.ask(c)
	}
	if f != nil {
		return nil, nil, f
	}
	return p.parse(text)
}

// fail counts and logs a failure.
func (p *port) fail(what string, f *Failure) {
	p.app.failed.Add(1)
	p.app.fails.add(p.ns.Name(), what, f)
}

// connect asks whether a socket may join, on an admission worker.
func (p *port) connect(s *socketio.Socket) error {
	m := newMember(s, p.o.Headers)
	c := p.newCall("connect", s, m)
	if s.Recovered() {
		c.body = append(c.body, `,"recovered":true`...)
	}
	list, refuse, f := p.ask(c)
	if f != nil {
		p.fail("connect", f)
		return &socketio.Error{Message: f.Message, Data: notice{Code: f.Code,
			RetryAfter: f.RetryAfter.Seconds()}}
	}
	if refuse != nil {
		e := &socketio.Error{Message: refuse.Message}
		if len(refuse.Data) > 0 && string(refuse.Data) != "null" {
			e.Data = refuse.Data
		}
		return e
	}
	for _, a := range list {
		// Rooms and data are there when the socket is; the rest is for a
		// client that knows that it is connected.
		if a.Join != nil || a.Leave != nil || a.Set != nil {
			p.do(s, nil, &a)
		} else {
			m.later = append(m.later, a)
		}
	}
	s.Set(memberKey, m)
	go p.watch(s, m) // until OnConnection, a moment
	return nil
}

// goneEarly is the reason of a client that was never connected.
const goneEarly = "transport close"

// watch makes the disconnect call for a client that has gone before it was
// accepted.
func (p *port) watch(s *socketio.Socket, m *member) {
	left := s.Context().Done()
	select {
	case <-left: // already: nobody accepts it any more
		if m.miss() {
			p.leave(s, m, goneEarly)
		}
		return
	default:
	}
	select {
	case <-m.in:
		return
	case <-left:
	}
	t := time.NewTimer(p.app.settle)
	defer t.Stop()
	select {
	case <-m.in: // it was accepted and has left since; OnDisconnect tells
	case <-t.C:
		if m.miss() {
			p.leave(s, m, goneEarly)
		}
	}
}

// connected does the rest of the answer to connect.
func (p *port) connected(s *socketio.Socket) {
	m := memberOf(s)
	if m == nil { // it came back to its session without middleware
		m = newMember(s, p.o.Headers)
		s.Set(memberKey, m)
	}
	later, ok := m.enter()
	if !ok {
		s.Disconnect(false) // the application was told that it has gone
		return
	}
	for _, a := range later {
		p.do(s, nil, &a)
	}
}

// event posts an event and does what the answer says.
func (p *port) event(s *socketio.Socket, e *socketio.Event) {
	m := memberOf(s)
	c := p.newCall("event", s, m)
	c.name = e.Name()
	c.body = sio.AppendString(append(c.body, `,"event":`...), c.name)
	if p.e != nil && p.e.routes && !routable(c.name) {
		f := &Failure{Code: CodeInvalid, Message: "the application has no route for such a name"}
		p.fail(c.name, f)
		_ = e.Ack(f.notice()) // fails only for a client that has gone
		return
	}
	body, err := appendEventArgs(append(c.body, `,"args":[`...), e)
	var list []action
	f := &Failure{Code: CodeInvalid, Message: "the event cannot be passed on", detail: err}
	if err == nil {
		c.body = append(body, `],"ack":`...)
		if e.WantsAck() {
			c.body = append(c.body, "true"...)
		} else {
			c.body = append(c.body, "false"...)
		}
		list, _, f = p.ask(c)
	}
	if f != nil {
		p.fail(c.name, f)
		_ = e.Ack(f.notice()) // fails only for a client that has gone
		return
	}
	for i := range list {
		p.do(s, e, &list[i])
	}
	// There will be no other answer; the second of two is not sent.
	_ = e.Ack()
}

// disconnect posts that a socket has left.
func (p *port) disconnect(s *socketio.Socket, reason string) {
	if m := memberOf(s); m != nil && m.in != nil {
		m.mu.Lock()
		was := m.state
		m.mu.Unlock()
		if was == memberIn {
			p.leave(s, m, reason)
		}
	}
}

func (p *port) leave(s *socketio.Socket, m *member, reason string) {
	c := p.newCall("disconnect", s, m)
	c.body = sio.AppendString(append(c.body, `,"reason":`...), reason)
	list, _, f := p.ask(c)
	if f != nil {
		p.fail("disconnect", f)
		return
	}
	for i := range list {
		p.do(s, nil, &list[i])
	}
}

// do carries an action out. It was checked: errors are those of a client that
// has gone.
func (p *port) do(s *socketio.Socket, e *socketio.Event, a *action) {
	switch {
	case a.Emit != nil && (a.All || a.To != nil):
		if a.To != nil && len(a.To) == 0 {
			return // to no room: nobody
		}
		b := p.ns.To(a.To...).Except(a.Except...)
		if a.Volatile {
			b = b.Volatile()
		}
		_ = b.Emit(*a.Emit, a.args...)
	case a.Emit != nil && a.Volatile:
		_ = s.Volatile().Emit(*a.Emit, a.args...)
	case a.Emit != nil:
		_ = s.Emit(*a.Emit, a.args...)
	case a.Join != nil:
		s.Join(a.Join...)
	case a.Leave != nil:
		s.Leave(a.Leave...)
	case a.Set != nil:
		s.SetData(json.RawMessage(a.Set))
	case a.Ack != nil && e != nil:
		_ = e.Ack(a.args...)
	case a.Disconnect != nil:
		s.Disconnect(*a.Disconnect == "connection")
	}
}
