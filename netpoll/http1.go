package netpoll

import "fmt"

// readHTTP takes bytes of a connection that speaks HTTP/1.1. Requests are
// answered one after the other; the bytes behind one are the next (keep-alive,
// pipelining) or already frames (upgrade).
func (c *Conn) readHTTP(p []byte) {
	l := c.loop
	for len(p) > 0 && c.state == stateHTTP {
		if in := c.in; in != nil && in.wait != nil {
			if !in.wait.reading {
				c.holdBack(p)
				return
			}
			p = c.readBody(p)
			continue
		}
		head := p
		from := 0
		if in := c.in; in != nil && len(in.head) > 0 {
			in.head = append(in.head, p...)
			head, from = in.head, in.scanned
		}
		end := headEnd(head, from)
		if end > l.srv.opt.MaxHeadBytes || (end < 0 && len(head) > l.srv.opt.MaxHeadBytes) {
			c.refuse(431, fmt.Sprintf("request head larger than %d bytes", l.srv.opt.MaxHeadBytes))
			return
		}
		if end < 0 {
			c.keepHead(head)
			return
		}
		if c.in != nil {
			// head may be the connection's own buffer: it leaves with us.
			c.in.head = nil
			c.dropInbound()
		}
		p = head[end:]
		if err := l.req.Parse(head[:end]); err != nil {
			status := 400
			if he, ok := err.(*headError); ok {
				status = he.Status
			}
			c.refuse(status, err.Error())
			return
		}
		c.request(&l.req, p)
		if c.state == stateWS {
			c.readWS(p)
			return
		}
		if c.overloaded() {
			return
		}
	}
}

// keepHead stores an incomplete head; it must be complete HeadTimeout after
// its first byte.
func (c *Conn) keepHead(head []byte) {
	in := c.partial()
	if len(in.head) == 0 {
		in.head = append(make([]byte, 0, max(1024, 2*len(head))), head...)
		if c.flags&flagServed != 0 {
			c.setTimer(c.loop.srv.headTicks)
		}
	}
	in.scanned = len(in.head)
}

// request asks the handler about one request and does what it says. rest is
// what came behind the head.
func (c *Conn) request(r *Request, rest []byte) {
	s := c.loop.srv
	s.requests.Add(1)
	reply := s.handler.Request(c, r)
	if c.state != stateHTTP {
		return
	}
	switch reply.Kind {
	case Upgrade:
		c.upgrade(r, &reply)
	case Handover:
		c.handOver(r, rest)
	case ReadBody:
		c.startBody(r, &reply)
	case Defer:
		c.deferReply(r, &reply)
	default:
		c.respond(r, &reply)
	}
}

// respond writes a response from memory.
func (c *Conn) respond(r *Request, reply *Reply) {
	f := framingOf(r)
	if r.ContentLength > 0 || r.Chunked {
		// The body would be read as the next request; nobody here wants it.
		f.last = true
	}
	c.write(f, reply)
}

// framing is what a response needs to know of its request.
type framing struct {
	last     bool // the connection closes behind the response
	headOnly bool
	old      bool // HTTP/1.0
}

func framingOf(r *Request) framing {
	return framing{last: r.Close, headOnly: string(r.Method) == "HEAD", old: r.Minor == 0}
}

func (c *Conn) write(f framing, reply *Reply) {
	s := c.loop.srv
	last := f.last || reply.Close || s.draining.Load() || s.crowded(c.fd)
	extra := reply.Header
	if f.old && !last {
		extra += "Connection: keep-alive\r\n" // RFC 9112 appendix C.2.2
	}
	c.push(NewMsgWire(AppendResponse(nil, reply.Status, reply.ContentType, extra,
		reply.Body, !last, f.headOnly), 1))
	c.flags |= flagServed
	if last {
		c.linger(ErrHTTPDone)
		return
	}
	c.markDirect()
	c.setTimer(s.keepTicks)
}

// refuse answers a request that is not one.
func (c *Conn) refuse(status int, text string) {
	c.loop.srv.drop(dropHTTP)
	c.push(NewMsgWire(AppendResponse(nil, status, "text/plain; charset=utf-8", "",
		[]byte(text+"\n"), false, false), 1))
	c.linger(ErrHTTPDone)
}

// httpTimeout ends a connection whose request did not come in time.
func (c *Conn) httpTimeout() {
	switch in := c.in; {
	case in == nil:
	case in.wait != nil && in.wait.reading:
		c.abandon(ErrTimeout)
		c.refuse(408, "request body not complete in time")
		return
	case in.wait != nil:
		c.abandon(ErrTimeout)
		c.refuse(503, "no answer in time")
		return
	case len(in.head) > 0:
		c.refuse(408, "request head not complete in time")
		return
	}
	if c.flags&flagServed == 0 {
		if c.Unread() {
			c.setTimer(c.loop.srv.headTicks) // the loop is late, not the client
			return
		}
		c.loop.srv.drop(dropHead)
	}
	c.Abort(ErrTimeout)
}

// handOver gives the connection to net/http: a duplicate of the descriptor
// and every byte read so far.
func (c *Conn) handOver(r *Request, rest []byte) {
	l := c.loop
	for c.first != nil && c.link != nil && c.flags&flagBlocked == 0 {
		l.flushConn(c) // responses to pipelined requests go first
	}
	switch {
	case c.link == nil:
		return
	case l.srv.hand == nil:
		c.respond(r, &Reply{Status: 404, ContentType: "text/plain; charset=utf-8",
			Body: []byte("not found\n")})
		return
	case l.srv.draining.Load():
		c.refuse(503, "server shutting down")
		return
	case c.first != nil || c.link.OutboundBuffered() > 0:
		c.refuse(503, "earlier responses are not read")
		return
	}
	fd, err := c.link.Dup()
	if err != nil {
		l.srv.log.Warn("cannot hand a connection to net/http", "err", err)
		c.refuse(503, "out of descriptors")
		return
	}
	l.scratch = append(append(l.scratch[:0], r.Raw...), rest...)
	l.srv.handed.Add(1)
	l.srv.hand.give(fd, l.scratch)
	c.Abort(ErrHandedOver)
}
