package netpoll

// request is a request on its way to an answer: its body is being read, or
// somebody will call Respond. There is one at a time a connection; what comes
// behind it is held back.
type request struct {
	framing
	w Waiter
	// head is a copy, kept for an upgrade only.
	head *Request

	reading bool
	limit   int
	body    []byte
	left    int64 // bytes to come, of the body or the chunk
	chunk   chunkPart
	line    int // bytes of the line of chunked coding in progress
	size    int64
}

// deferReply leaves a request open.
func (c *Conn) deferReply(r *Request, reply *Reply) {
	q := &request{framing: framingOf(r), w: reply.Waiter}
	if r.ContentLength > 0 || r.Chunked {
		q.last = true // nobody reads the body
	}
	if r.Upgrade {
		q.head = r.Clone()
	}
	c.partial().wait = q
	c.setTimer(reply.Wait)
}

// Respond answers the request that was deferred with w. It returns false, and
// does nothing, when that is no longer open. Reply kinds: Respond and Upgrade.
// An answer before the body is read closes the connection.
func (c *Conn) Respond(w Waiter, reply *Reply) bool {
	in := c.in
	if c.state != stateHTTP || in == nil || in.wait == nil || in.wait.w != w {
		return false
	}
	q := in.wait
	in.wait = nil
	if reply.Kind == Upgrade {
		held := in.head
		c.dropInbound()
		c.upgrade(q.head, reply)
		if c.state == stateWS && len(held) > 0 {
			c.readWS(held)
		}
		return true
	}
	if q.reading {
		q.last = true
	}
	c.write(q.framing, reply)
	if c.state != stateHTTP {
		return true
	}
	if in := c.in; in != nil && len(in.head) > 0 {
		// Not now: the caller is in the middle of something.
		c.loop.Post((*resumption)(c))
	} else {
		c.settle()
	}
	return true
}

// resumption takes up the requests that were held back.
type resumption Conn

// Run implements Task.
func (r *resumption) Run(*Loop) bool {
	c := (*Conn)(r)
	if in := c.in; c.state == stateHTTP && in != nil && in.wait == nil && len(in.head) > 0 {
		b := in.head
		c.dropInbound()
		defer c.recoverPeer("request")
		c.readHTTP(b)
	}
	return false
}

// holdBack keeps what comes behind an open request. A client that sends more
// than a head's worth meanwhile is cut off.
func (c *Conn) holdBack(p []byte) {
	in := c.in
	if len(in.head)+len(p) > c.loop.srv.opt.MaxHeadBytes {
		c.loop.srv.drop(dropHTTP)
		c.Abort(ErrTooLarge)
		return
	}
	in.head = append(in.head, p...)
}

// abandon tells the waiter of an open request that it will not be answered.
func (c *Conn) abandon(err error) {
	if c.in == nil || c.in.wait == nil {
		return
	}
	w := c.in.wait.w
	c.in.wait = nil
	if w != nil {
		defer c.loop.recovered("Waiter.Gone")
		w.Gone(c, err)
	}
}
