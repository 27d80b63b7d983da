package netpoll

import "github.com/gobwas/ws"

// Msg is one or more complete frames as they go on the wire, or an HTTP
// response. It is immutable once sent and shared by any number of connections
// and loops; the collector frees it after the last one has written it.
type Msg struct {
	wire   []byte
	frames int32
	// pooled marks a loop's own control message, which goes back to its free
	// list after the write.
	pooled bool
	plain  bool
	next   *Msg
	buf    *[ctlSize]byte
	owner  Owner
}

// Owner is whose object a message is part of; see Conn.SendOwned.
type Owner interface {
	// Sent runs on the loop when the message is written, or dropped. Its bytes
	// are the owner's again.
	Sent()
}

// FrameRoom is the space FinishFrame needs in front of a payload.
const FrameRoom = 10

// ctlSize holds any control frame (2+125) and the 101 response.
const ctlSize = 192

// NewMsg copies payload into one unfragmented frame. Any goroutine.
func NewMsg(op ws.OpCode, payload []byte) *Msg {
	return NewMsgWire(AppendFrame(make([]byte, 0, FrameRoom+len(payload)), op, payload), 1)
}

// NewMsgWire takes over wire, which holds frames complete frames. Any
// goroutine.
func NewMsgWire(wire []byte, frames int) *Msg {
	return &Msg{wire: wire, frames: int32(frames)}
}

// Init makes an embedded Msg ready; see NewMsgWire.
func (m *Msg) Init(wire []byte, frames int) {
	m.wire, m.frames = wire, int32(frames)
}

// SetPlain says that compressing the message is not worth it; before it is
// sent.
func (m *Msg) SetPlain() { m.plain = true }

// Plain tells whether SetPlain was called.
func (m *Msg) Plain() bool { return m.plain }

// Len returns the bytes on the wire.
func (m *Msg) Len() int { return len(m.wire) }

// Frames returns the number of frames in the message.
func (m *Msg) Frames() int { return int(m.frames) }

// Wire returns the bytes on the wire; they must not be changed.
func (m *Msg) Wire() []byte { return m.wire }

// AppendFrame appends one unmasked, final frame (RFC 6455 section 5.2).
func AppendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(appendHeader(dst, op, true, len(payload)), payload...)
}

// FinishFrame makes a frame of buf, which holds FrameRoom spare bytes and then
// the payload: the header is written just before the payload and the frame
// returned, without copying.
func FinishFrame(op ws.OpCode, buf []byte) []byte {
	return buf[putHeaderBefore(buf, FrameRoom, op, len(buf)-FrameRoom):]
}

// ctlMsg returns a control message from the loop's free list; its wire is
// empty with ctlSize bytes of room. Loop only.
func (l *Loop) ctlMsg() *Msg {
	m := l.ctlFree
	if m == nil {
		m = &Msg{pooled: true, buf: new([ctlSize]byte)}
	} else {
		l.ctlFree = m.next
		m.next = nil
	}
	m.frames = 1
	m.wire = m.buf[:0]
	return m
}

// release gives a message back that is not in c's pending output any more.
func (c *Conn) release(m *Msg) {
	if o := m.owner; o != nil {
		m.owner = nil
		if c.state == stateWS { // else it may have been taken for another use
			o.Sent()
		}
		return
	}
	if m.pooled {
		m.wire = nil
		l := c.loop
		m.next = l.ctlFree
		l.ctlFree = m
	}
}
