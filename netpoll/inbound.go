package netpoll

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// inbound is what a connection has half received: part of a request head, a
// frame header or payload, or the fragments of a message. A connection at a
// message boundary has none. The small ones are pooled by the loop.
type inbound struct {
	wait    *request // HTTP: the request that is not answered yet
	head    []byte   // HTTP: request head so far, or what came behind wait
	scanned int      // bytes of head known not to end it

	hdr    [ws.MaxHeaderSize]byte
	nhdr   int
	frame  ws.Header
	active bool  // inside frame's payload
	left   int64 // payload bytes of frame to come

	ctl  [ws.MaxControlFramePayloadSize]byte
	nctl int

	op   ws.OpCode // of the message in progress, 0: none
	msg  []byte
	utf8 utf8Check

	next *inbound
}

// partial returns the connection's inbound state, made if need be.
func (c *Conn) partial() *inbound {
	if c.in == nil {
		l := c.loop
		if in := l.inFree; in != nil {
			l.inFree = in.next
			in.next = nil
			c.in = in
		} else {
			c.in = new(inbound)
		}
	}
	return c.in
}

// dropInbound forgets what was half received.
func (c *Conn) dropInbound() {
	if in := c.in; in != nil {
		c.in = nil
		*in = inbound{next: c.loop.inFree}
		c.loop.inFree = in
	}
}

// settle releases the inbound state at a message boundary.
func (c *Conn) settle() {
	if in := c.in; in != nil && !in.active && in.nhdr == 0 && in.op == 0 && len(in.head) == 0 &&
		in.wait == nil {
		c.dropInbound()
	}
}

// readWS takes bytes of a WebSocket connection as they come. p belongs to the
// loop's read buffer and is unmasked in place.
func (c *Conn) readWS(p []byte) {
	for (c.state == stateWS || c.state == stateClosing) && !c.overloaded() {
		if in := c.in; in != nil && in.active {
			if p = c.readPayload(in, p); len(p) == 0 {
				break
			}
			continue
		}
		if len(p) == 0 {
			break
		}
		h, rest, ok := c.readHeader(p)
		if !ok {
			return
		}
		p = c.startFrame(h, rest)
	}
	if c.loop.movedFrom == c {
		c.readOn(p)
	}
}

// readOn gives the rest of a read to the connection that has adopted the
// socket on the way.
func (c *Conn) readOn(p []byte) {
	l := c.loop
	to := l.movedTo
	l.movedFrom, l.movedTo = nil, nil
	if len(p) > 0 {
		l.n.bytesIn -= uint64(len(p)) // traffic counts them again
		to.traffic(p)
	}
}

// readHeader parses a frame header, across segments if need be. ok is false
// when more bytes are needed or the header was bad.
func (c *Conn) readHeader(p []byte) (h ws.Header, rest []byte, ok bool) {
	in := c.in
	src, had := p, 0
	if in != nil && in.nhdr > 0 {
		had = in.nhdr
		n := had + copy(in.hdr[had:], p)
		src = in.hdr[:n]
	}
	h, n, err := parseHeader(src)
	if n == 0 && err == nil && len(src) >= 2 {
		// What is wrong in the first two bytes is answered at once.
		err = checkFirstBytes(src[0], src[1], c.wsState())
	}
	if err != nil {
		c.protocolError(err)
		return h, nil, false
	}
	if n == 0 {
		in = c.partial()
		in.nhdr = copy(in.hdr[:], src)
		return h, nil, false
	}
	if had > 0 {
		in.nhdr = 0
	}
	return h, p[n-had:], true
}

func (c *Conn) wsState() ws.State {
	st := ws.StateServerSide
	if c.in != nil && c.in.op != 0 {
		st = st.Set(ws.StateFragmented)
	}
	return st
}

// startFrame handles a frame that is complete in p at once, without copying,
// and prepares for the rest of any other.
func (c *Conn) startFrame(h ws.Header, p []byte) []byte {
	l := c.loop
	if err := ws.CheckHeader(h, c.wsState()); err != nil {
		c.protocolError(err)
		return nil
	}
	l.n.framesIn++
	whole := int64(len(p)) >= h.Length
	if h.OpCode.IsControl() {
		if whole {
			body := p[:h.Length]
			ws.Cipher(body, h.Mask, 0)
			c.control(h.OpCode, body)
			return p[h.Length:]
		}
		in := c.partial()
		in.frame, in.left, in.active, in.nctl = h, h.Length, true, 0
		return c.readPayload(in, p)
	}

	in := c.in
	have := 0
	if in != nil {
		have = len(in.msg)
	}
	if h.Length > int64(l.srv.opt.MaxMessage-have) {
		l.srv.drop(dropTooLarge)
		c.fail(ws.StatusMessageTooBig, "message too big", ErrTooLarge)
		return nil
	}
	if whole && h.Fin && h.OpCode != ws.OpContinuation {
		body := p[:h.Length]
		ws.Cipher(body, h.Mask, 0)
		if h.OpCode == ws.OpText && !utf8.Valid(body) {
			c.badText()
			return nil
		}
		c.settle()
		c.deliver(h.OpCode, body, false)
		return p[h.Length:]
	}

	in = c.partial()
	if h.OpCode != ws.OpContinuation {
		in.op = h.OpCode
	}
	in.reserve(int(h.Length), h.Fin)
	in.frame, in.left, in.active = h, h.Length, true
	return c.readPayload(in, p)
}

// firstReserve is what a message gets on its announced length alone.
const firstReserve = 64 << 10

// reserve makes room for n more bytes of the message: exactly that when they
// are the last, else growing so that many small fragments stay linear. A
// header alone, which costs its sender 14 bytes, never reserves more than 16
// times what has arrived.
func (in *inbound) reserve(n int, last bool) {
	need := len(in.msg) + n
	if need <= cap(in.msg) {
		return
	}
	size := min(need, max(firstReserve, 16*len(in.msg)))
	if !last && len(in.msg) > 0 {
		size = max(size, 2*cap(in.msg))
	}
	buf := make([]byte, len(in.msg), size)
	copy(buf, in.msg)
	in.msg = buf
}

// readPayload takes the payload of the frame in progress from p and returns
// what is left of p.
func (c *Conn) readPayload(in *inbound, p []byte) []byte {
	n := int(min(in.left, int64(len(p))))
	pos := int(in.frame.Length - in.left)
	chunk, rest := p[:n], p[n:]
	in.left -= int64(n)
	ctl := in.frame.OpCode.IsControl()
	if ctl {
		in.nctl += copy(in.ctl[in.nctl:], chunk)
	} else {
		from := len(in.msg)
		if from+n > cap(in.msg) {
			in.reserve(int(in.left)+n, in.frame.Fin)
		}
		in.msg = append(in.msg, chunk...)
		ws.Cipher(in.msg[from:], in.frame.Mask, pos)
		if in.op == ws.OpText && !in.utf8.Write(in.msg[from:]) {
			c.badText()
			return nil
		}
	}
	if in.left > 0 {
		return nil
	}
	in.active = false
	if ctl {
		// control is done with the payload before anything is released.
		b := in.ctl[:in.nctl]
		ws.Cipher(b, in.frame.Mask, 0)
		c.control(in.frame.OpCode, b)
		c.settle()
		return rest
	}
	if !in.frame.Fin {
		return rest
	}
	if in.op == ws.OpText && !in.utf8.Done() {
		c.badText()
		return nil
	}
	op, msg := in.op, in.msg
	in.op, in.msg = 0, nil
	in.utf8.Reset()
	c.settle()
	c.deliver(op, msg, true)
	return rest
}

// deliver hands a message to the peer; after our own close it is ignored
// (RFC 6455 section 1.4).
func (c *Conn) deliver(op ws.OpCode, p []byte, owned bool) {
	if c.state == stateWS {
		c.peer.Message(op, p, owned)
	}
}

func (c *Conn) badText() {
	c.loop.srv.drop(dropUTF8)
	c.fail(ws.StatusInvalidFramePayloadData, "invalid UTF-8", ErrUTF8)
}

func (c *Conn) protocolError(err error) {
	c.loop.srv.drop(dropProtocol)
	c.fail(ws.StatusProtocolError, err.Error(), &ProtocolError{Err: err})
}

// control answers a control frame (RFC 6455 section 5.5).
func (c *Conn) control(op ws.OpCode, p []byte) {
	switch op {
	case ws.OpPing:
		if c.state == stateWS {
			m := c.loop.ctlMsg()
			m.wire = append(appendHeader(m.wire, ws.OpPong, true, len(p)), p...)
			c.Send(m)
		}
	case ws.OpClose:
		c.peerClosed(p)
	}
}

// peerClosed handles the peer's close frame: the answer to ours, or a close
// to be answered with the same code.
func (c *Conn) peerClosed(p []byte) {
	code, reason := ws.StatusNoStatusRcvd, ""
	switch {
	case len(p) == 1:
		c.protocolError(ws.ErrProtocolStatusCodeNotInUse)
		return
	case len(p) >= 2:
		code, reason = ws.ParseCloseFrameData(p)
		check := code
		if code >= 1012 && code <= 1014 {
			check = ws.StatusGoingAway // registered after RFC 6455; gobwas/ws refuses them
		}
		if err := ws.CheckCloseFrameData(check, reason); err != nil {
			if err == ws.ErrProtocolInvalidUTF8 {
				c.badText()
			} else {
				c.protocolError(err)
			}
			return
		}
	}
	if c.state == stateClosing {
		c.Abort(&CloseError{Code: code, Reason: reason, Local: true})
		return
	}
	echo := code
	if code == ws.StatusNoStatusRcvd {
		echo = 0
	}
	c.queueClose(echo, "")
	c.linger(&CloseError{Code: code, Reason: reason})
}
