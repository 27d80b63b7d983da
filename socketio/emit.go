package socketio

import (
	"context"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// newFrame appends the room for a frame header and the Engine.IO type of a
// message to buf, which is empty.
func newFrame(buf []byte) []byte {
	if cap(buf) < netpoll.FrameRoom+1 {
		buf = make([]byte, 0, emitRoom)
	}
	buf = buf[:netpoll.FrameRoom+1]
	buf[netpoll.FrameRoom] = '4'
	return buf
}

// finishFrames frames a text begun with newFrame and appends its attachments.
// max bounds their number.
func finishFrames(buf []byte, atts [][]byte, max int) (wire []byte, frames int, err error) {
	if len(atts) > max {
		return nil, 0, ErrTooManyAttachments
	}
	wire = netpoll.FinishFrame(ws.OpText, buf)
	for _, a := range atts {
		wire = netpoll.AppendFrame(wire, ws.OpBinary, a)
	}
	return wire, 1 + len(atts), nil
}

type emitFlags uint8

const (
	volatileFlag emitFlags = 1 << iota
	plainFlag              // not worth compressing
	offsetFlag             // ends in an offset that the loop fills in
	localFlag              // not for other nodes
	soleFlag               // the socket that the only room is the id of, no member of it
	seenFlag               // shown to handlers, who may keep its bytes
)

// compress sets or clears plainFlag.
func (f emitFlags) compress(on bool) emitFlags {
	if on {
		return f &^ plainFlag
	}
	return f | plainFlag
}

// emission is a packet for one socket on its way to the loop: task, message
// and, if it is small, bytes in one object.
type emission struct {
	msg   netpoll.Msg
	s     *Socket
	ask   *answer
	event uint16 // its number among Options.EventNames, 0 for others
	flags emitFlags
	next  *emission // while it waits to be used again
	room  [emitRoom]byte
}

func (m *emission) finish(buf []byte, atts [][]byte) error {
	wire, frames, err := finishFrames(buf, atts, m.s.ns.srv.opt.MaxAttachments)
	if err == nil {
		m.msg.Init(wire, frames)
		if m.flags&plainFlag != 0 {
			m.msg.SetPlain()
		}
	}
	return err
}

// Run implements netpoll.Task.
func (m *emission) Run(l *netpoll.Loop) bool {
	s := m.s
	lp := loopOf(l)
	if !s.is(stPending | stConnected) {
		if m.ask != nil {
			m.ask.finish(nil, ErrDisconnected)
		}
		return false
	}
	if m.flags&volatileFlag != 0 && !s.c.Writable() {
		lp.srv.drop(dropVolatile)
		return false
	}
	if m.ask != nil {
		s.expect(m.ask)
	}
	if m.flags&offsetFlag != 0 {
		text, _ := payload(m.msg.Wire())
		putSeq(text, lp.seen)
	}
	lp.n.emits.Add(1)
	if lp.m.out != nil {
		lp.m.out[m.event].Add(1)
	}
	if m.flags&seenFlag != 0 || m.ask != nil || lp.srv.outgoing.Load() ||
		s.c.parser == msgpackParser || s.c.EIO3() {
		s.c.Send(&m.msg)
		s.watched(lp, m.msg.Wire())
		return false
	}
	s.c.SendOwned(&m.msg, m)
	return false
}

// Sent implements netpoll.Owner.
func (m *emission) Sent() {
	spare := &m.s.loop().spare
	m.msg, m.s, m.event, m.flags = netpoll.Msg{}, nil, 0, 0
	spare.put(m)
}

// emit encodes and posts an event for one socket.
func (s *Socket) emit(flags emitFlags, ask *answer, event string, args []any) error {
	if s.is(stClosed) {
		return ErrDisconnected
	}
	r := s.ns.srv.recovery
	if r != nil && ask == nil && flags&volatileFlag == 0 && !s.c.EIO3() {
		if s.is(stConnected) {
			s.loop().n.emits.Add(1)
			return Broadcast{ns: s.ns, flags: flags | localFlag | soleFlag}.To(s.ID()).emitTo(s, nil, event, args)
		}
		args, flags = append(args[:len(args):len(args)], r.blank), flags|offsetFlag
	}
	m := s.loop().spare.take()
	m.s, m.flags, m.ask, m.event = s, flags, ask, s.ns.srv.names[event]
	id := int64(-1)
	if ask != nil {
		ask.began = nanotime()
		ask.id = s.ns.nextAck()
		id = int64(ask.id)
	}
	buf, atts, err := sio.AppendEvent(newFrame(m.room[:0]), s.ns.name, id, event, args)
	if err != nil {
		return err
	}
	if err := m.finish(buf, atts); err != nil {
		return err
	}
	if s.ns.sent(s, m.msg.Wire()) {
		m.flags |= seenFlag
	}
	s.c.Loop().Post(m)
	return nil
}

// Emit sends an event to the socket. Arguments are encoded before it returns,
// as JavaScript would write them; a []byte becomes a binary attachment. It
// fails with ErrDisconnected when the socket has left, ErrReserved, or the
// encoder's error.
func (s *Socket) Emit(event string, args ...any) error {
	return s.emit(0, nil, event, args)
}

// Send emits the event "message".
func (s *Socket) Send(args ...any) error { return s.emit(0, nil, "message", args) }

// EmitWithAck emits an event and waits for the client's acknowledgement, until
// ctx ends. It fails with ErrDisconnected when the socket leaves, and with
// ErrOnLoop from an Inline handler.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (*Ack, error) {
	return Emitter{s: s}.EmitWithAck(ctx, event, args...)
}

// EmitFunc emits an event and calls f, on a worker, with the client's
// acknowledgement or ErrDisconnected.
func (s *Socket) EmitFunc(f func(*Ack, error), event string, args ...any) error {
	return Emitter{s: s}.EmitFunc(f, event, args...)
}

// Volatile returns an emitter whose events are dropped while older output
// waits for the client.
func (s *Socket) Volatile() Emitter { return Emitter{s: s, flags: volatileFlag} }

// Timeout returns an emitter whose acknowledgements must come within d.
func (s *Socket) Timeout(d time.Duration) Emitter { return Emitter{s: s, timeout: d} }

// Compress returns an emitter whose events are, or are not, worth compressing
// in answers to polls; an answer is compressed if one of its events is. On
// WebSocket it has no effect, as in Node.
func (s *Socket) Compress(on bool) Emitter { return Emitter{s: s}.Compress(on) }

// Local returns a broadcast to everybody but the socket on this node.
func (s *Socket) Local() Broadcast { return s.Broadcast().Local() }

// Broadcast returns a broadcast to the whole namespace but this socket.
func (s *Socket) Broadcast() Broadcast { return Broadcast{ns: s.ns, from: s} }

// To returns a broadcast to rooms, this socket excluded. The id of a socket is
// its room.
func (s *Socket) To(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// Except returns a broadcast to the namespace but for members of rooms and
// this socket.
func (s *Socket) Except(rooms ...string) Broadcast { return s.Broadcast().Except(rooms...) }

// Emitter sends to one socket with options. It is a value: each method returns
// a changed copy.
type Emitter struct {
	s       *Socket
	flags   emitFlags
	timeout time.Duration
}

// Volatile drops events while older output waits for the client.
func (e Emitter) Volatile() Emitter {
	e.flags |= volatileFlag
	return e
}

// Timeout bounds the wait for an acknowledgement.
func (e Emitter) Timeout(d time.Duration) Emitter {
	e.timeout = d
	return e
}

// Compress is Socket.Compress, keeping the other options.
func (e Emitter) Compress(on bool) Emitter {
	e.flags = e.flags.compress(on)
	return e
}

// Broadcast turns to the whole namespace but this socket, keeping the options.
func (e Emitter) Broadcast() Broadcast {
	return Broadcast{ns: e.s.ns, from: e.s, flags: e.flags, timeout: e.timeout}
}

// To turns to rooms, the socket excluded, keeping the options.
func (e Emitter) To(rooms ...string) Broadcast { return e.Broadcast().To(rooms...) }

// Except turns to the namespace but for rooms and the socket, keeping the
// options.
func (e Emitter) Except(rooms ...string) Broadcast { return e.Broadcast().Except(rooms...) }

// Emit is Socket.Emit with the options.
func (e Emitter) Emit(event string, args ...any) error {
	return e.s.emit(e.flags, nil, event, args)
}

// EmitWithAck is Socket.EmitWithAck with the options; a timeout gives
// ErrTimeout. It is never volatile: a dropped question has no answer.
func (e Emitter) EmitWithAck(ctx context.Context, event string, args ...any) (*Ack, error) {
	if e.s.ns.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	a := &answer{s: e.s, done: make(chan struct{})}
	if err := e.s.emit(0, a, event, args); err != nil {
		return nil, err
	}
	return a.wait(ctx, e.timeout)
}

// EmitFunc is Socket.EmitFunc with the options; a timeout gives ErrTimeout.
func (e Emitter) EmitFunc(f func(*Ack, error), event string, args ...any) error {
	a := &answer{s: e.s, f: f}
	if err := e.s.emit(0, a, event, args); err != nil {
		return err
	}
	if e.timeout > 0 {
		t := time.AfterFunc(e.timeout, func() { a.finish(nil, ErrTimeout) })
		a.timer.Store(t)
		if a.over.Load() {
			t.Stop()
		}
	}
	return nil
}
