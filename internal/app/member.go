package app

import (
	"encoding/json"
	"sync"

	"github.com/throng-server/throng/protocol/sio"
	"github.com/throng-server/throng/socketio"
)

// memberKey is where a socket has its member.
const memberKey = "throng.app"

// State of a member, for the disconnect call: exactly one is made for each
// connect call that the application has agreed to.
const (
	memberAsked  = iota // the application has agreed
	memberIn            // the socket was accepted
	memberMissed        // it never was
)

// member is what the application gets to know of a socket with every call.
type member struct {
	head []byte // sid, namespace, auth, address and headers, as members of JSON

	mu    sync.Mutex
	state int
	in    chan struct{} // closed with memberIn
	later []action      // of the answer to connect, for when the socket is in
}

func newMember(s *socketio.Socket, headers []string) *member {
	h := s.Handshake()
	b := sio.AppendString([]byte(`"sid":`), s.ID())
	b = sio.AppendString(append(b, `,"namespace":`...), s.Namespace().Name())
	b = append(append(b, `,"auth":`...), h.Auth...)
	b = sio.AppendString(append(b, `,"address":`...), h.Address)
	b = append(b, `,"headers":{`...)
	first := true
	for _, name := range headers {
		values := h.Header[name]
		if name == "Host" && h.Host != "" {
			values = []string{h.Host}
		}
		if len(values) == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(sio.AppendString(b, name), ':', '[')
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = sio.AppendString(b, v)
		}
		b = append(b, ']')
	}
	return &member{head: append(b, '}'), in: make(chan struct{})}
}

// memberOf returns what Use or OnConnection stored.
func memberOf(s *socketio.Socket) *member {
	m, _ := s.Get(memberKey).(*member)
	return m
}

// enter tells that the socket was accepted; false: it was given up before.
func (m *member) enter() (later []action, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != memberAsked {
		return nil, false
	}
	m.state = memberIn
	close(m.in)
	later, m.later = m.later, nil
	return later, true
}

// miss tells that it will never be; false: it was.
func (m *member) miss() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != memberAsked {
		return false
	}
	m.state = memberMissed
	return true
}

// newCall begins the object of a call.
func (p *port) newCall(kind string, s *socketio.Socket, m *member) *call {
	c := &call{id: p.app.nextID(), name: kind, who: origin{p, s, m, kind}}
	b := make([]byte, 0, len(m.head)+256)
	b = append(append(append(b, `{"type":"`...), kind...), `","id":"`...)
	b = append(append(append(b, c.id...), `",`...), m.head...)
	b = append(b, `,"session":`...)
	if v, ok := s.Data().(json.RawMessage); ok {
		b = append(b, v...)
	} else {
		b = append(b, "null"...)
	}
	c.body = b
	return c
}
