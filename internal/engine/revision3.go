package engine

import (
	"bytes"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

// Sessions of revision 3 of the protocol differ in who pings, in payloads and
// in binary messages. Messages are made for revision 4; what is queued for a
// session of revision 3 is converted when it is sent, which only those with
// binary need.

type rev3Flags uint8

const (
	isRev3      rev3Flags = 1 << iota
	wantsBase64           // the client cannot read binary
	wantsOctets           // the client reads no poll's answer that is text
)

// EIO3 tells whether the session is of revision 3 of the protocol. Any
// goroutine, once the session is open.
func (s *Session) EIO3() bool { return s.rev3 != 0 }

// Send queues m, frames in the form of revision 4, for the client; see
// netpoll.Conn.Send.
func (s *Session) Send(m *netpoll.Msg) {
	if s.rev3 != 0 {
		m = s.reform(m)
	}
	s.Conn.Send(m)
}

// SendBulk is Send for broadcasts; see netpoll.Conn.SendBulk.
func (s *Session) SendBulk(m *netpoll.Msg) {
	if s.rev3 != 0 {
		m = s.reform(m)
	}
	s.Conn.SendBulk(m)
}

// reformed keeps a conversion for the other members of a broadcast.
type reformed struct {
	from, to *netpoll.Msg
	flags    rev3Flags
}

// reform returns m in the form that the client reads: in revision 3 a binary
// message begins with its type, or is text in base64.
func (s *Session) reform(m *netpoll.Msg) *netpoll.Msg {
	last := &s.el().reformed
	if last.from == m && last.flags == s.rev3 {
		return last.to
	}
	binary := 0
	for wire := m.Wire(); len(wire) > 0; {
		op, _, rest := splitFrame(wire)
		if wire = rest; op == ws.OpBinary {
			binary++
		}
	}
	if binary == 0 {
		return m
	}
	out := make([]byte, 0, m.Len()+netpoll.FrameRoom*binary)
	var scratch []byte
	for wire := m.Wire(); len(wire) > 0; {
		op, data, rest := splitFrame(wire)
		pk := eio.Packet{Type: eio.Message, Binary: true, Data: data}
		switch {
		case op != ws.OpBinary:
			out = append(out, wire[:len(wire)-len(rest)]...)
		case s.rev3&wantsBase64 != 0:
			scratch = eio.AppendPacket3(scratch[:0], pk)
			out = netpoll.AppendFrame(out, ws.OpText, scratch)
		default:
			scratch = eio.AppendBinary3(scratch[:0], pk)
			out = netpoll.AppendFrame(out, ws.OpBinary, scratch)
		}
		wire = rest
	}
	to := netpoll.NewMsgWire(out, m.Frames())
	if m.Plain() {
		to.SetPlain()
	}
	*last = reformed{from: m, to: to, flags: s.rev3}
	return to
}

// appendPayload3 is appendPayload for messages that reform has seen.
func (s *Session) appendPayload3(dst []byte, msgs []*netpoll.Msg, text bool) (
	payload []byte, squeeze bool,
) {
	text = text || s.rev3&wantsBase64 != 0
	binary := s.rev3&wantsOctets != 0
	var packets []eio.Packet
	for _, m := range msgs {
		squeeze = squeeze || !m.Plain()
		for wire := m.Wire(); len(wire) > 0; {
			op, data, rest := splitFrame(wire)
			wire = rest
			if op != ws.OpText && op != ws.OpBinary || len(data) == 0 {
				continue
			}
			// A base64 packet passes as text of type 'b'.
			pk := eio.Packet{Type: eio.PacketType(data[0]), Data: data[1:]}
			if op == ws.OpBinary {
				pk.Type, pk.Binary = eio.Message, true
			}
			binary = binary || eio.PrefersBinary3(pk)
			packets = append(packets, pk)
		}
	}
	for _, pk := range packets {
		if binary && !text {
			dst = eio.AppendBinaryPayload3(dst, pk)
		} else {
			dst = eio.AppendPayload3(dst, pk)
		}
	}
	return dst, squeeze
}

// payload returns packets without content as a payload.
func (s *Session) payload(types ...eio.PacketType) (b []byte) {
	for _, t := range types {
		switch pk := (eio.Packet{Type: t}); {
		case s.rev3&wantsOctets != 0:
			b = eio.AppendBinaryPayload3(b, pk)
		case s.EIO3():
			b = eio.AppendPayload3(b, pk)
		default:
			b = eio.AppendPayload(b, pk)
		}
	}
	return b
}

// parse3 reads a WebSocket message of revision 3.
func parse3(op ws.OpCode, p []byte) (eio.Packet, error) {
	if op == ws.OpText {
		return eio.ParseText3(p)
	}
	return eio.ParseBinary3(p)
}

// openPause is how long after its handshake a WebSocket of revision 3 is sent
// the open packet. Clients of that time may listen for messages only once they
// have seen the handshake's answer; a packet that the same read brings is lost
// on them. The reference server is never that fast.
const openPause = 10 * time.Millisecond

// openSoon opens a session after openPause, or with the first message of a
// client that does not wait. Nothing is sent before: there is no session yet.
func (s *Session) openSoon(head []byte) {
	el := s.el()
	if el.opening == nil {
		el.opening = make(map[*Session][]byte)
	}
	el.opening[s] = bytes.Clone(head)
	time.AfterFunc(openPause, func() { el.Post((*pauseOver)(s)) })
}

// pauseOver tells a WebSocket of revision 3 that its pause is over.
type pauseOver Session

// Run implements netpoll.Task.
func (o *pauseOver) Run(*netpoll.Loop) bool {
	s := (*Session)(o)
	s.el().openNow(s)
	return false
}

// openNow opens a session that has waited; one that is open or gone it leaves
// alone.
func (l *Loop) openNow(s *Session) {
	head, waits := l.opening[s]
	if !waits {
		return
	}
	delete(l.opening, s)
	s.open(head, true)
}
