package netpoll

// Drainer is a Peer whose connection may be without a socket; see
// Loop.OpenDetached.
type Drainer interface {
	Peer
	// Drain runs when output waits and the connection is ready: it takes what
	// is pending (Conn.TakePending) or makes the connection unready.
	Drain()
}

// OpenDetached opens the connection of p without a socket. It has a slot, a
// timer and pending output with its limits like any other, and begins
// unready: what is sent waits, as for a client that does not read, until
// SetReady. It ends by Abort, or becomes an ordinary one by Adopt. False: as
// many are open as there may be connections.
func (l *Loop) OpenDetached(p Drainer) bool {
	s := l.srv
	limit := int64(s.fdCap)
	if most := s.maxConns.Load(); most > 0 {
		limit = most
	}
	if s.draining.Load() || s.detached.Load() >= limit {
		s.drop(dropFull)
		return false
	}
	c := p.NetConn()
	*c = Conn{peer: p, loop: l, fd: -1, state: stateDetached, flags: flagBlocked}
	l.addConn(c)
	s.detached.Add(1)
	return true
}

// At returns the connection with a slot, nil if there is none.
func (l *Loop) At(slot uint32) *Conn {
	if uint64(slot) >= uint64(len(l.conns)) {
		return nil
	}
	return l.conns[slot]
}

// Detached tells that the connection has no socket.
func (c *Conn) Detached() bool { return c.state == stateDetached }

// SetReady says whether Peer.Drain may run; only for a detached connection.
func (c *Conn) SetReady(on bool) {
	switch {
	case c.state != stateDetached:
	case !on:
		c.flags |= flagBlocked
	case c.flags&flagBlocked != 0:
		c.flags &^= flagBlocked
		if c.first != nil {
			c.markDirect()
		}
	}
}

// TakePending appends the pending output of a detached connection to dst and
// forgets it.
func (c *Conn) TakePending(dst []*Msg) []*Msg {
	for c.state == stateDetached && c.first != nil {
		dst = append(dst, c.first)
		c.shift()
	}
	return dst
}

// drain is the flush of a detached connection.
func (c *Conn) drain() {
	if c.first == nil {
		return
	}
	defer c.recoverPeer("Peer.Drain")
	c.peer.(Drainer).Drain()
	if c.first != nil && c.state == stateDetached {
		c.flags |= flagBlocked // it could not: the loop must not spin
	}
}

// Adopt makes a detached connection an ordinary one: it takes over the socket
// of from, a WebSocket of the same loop, with its pending output, before its
// own, and what it has half received. from is dead afterwards without
// Peer.Closed. It may be called while from's message is delivered.
func (c *Conn) Adopt(from *Conn) {
	l := c.loop
	own := c.TakePending(nil)
	c.link, c.fd, c.state, c.in = from.link, from.fd, from.state, from.in
	c.first, c.rest, c.off = from.first, from.rest, from.off
	c.pendBytes, c.pendFrames = from.pendBytes, from.pendFrames
	blocked := from.flags&flagBlocked != 0

	l.wheel.stop(from.slot)
	l.removeConn(from)
	from.link, from.in, from.first, from.rest = nil, nil, nil, nil
	from.pendBytes, from.pendFrames, from.off = 0, 0, 0
	from.state = stateDead
	c.flags |= from.flags & flagWS
	from.flags = from.flags&^flagWS | flagTold
	l.srv.detached.Add(-1) // from's socket stays counted
	bind(c.link, c)
	l.movedFrom, l.movedTo = from, c

	c.flags &^= flagBlocked
	if blocked {
		l.block(c)
	}
	for _, m := range own {
		c.push(m)
	}
	if c.first != nil {
		c.markDirect()
	}
}

// sendBatch is messages for a connection of another loop.
type sendBatch struct {
	c    *Conn
	msgs []*Msg
}

// Run implements Task.
func (b *sendBatch) Run(*Loop) bool {
	for _, m := range b.msgs {
		b.c.Send(m)
	}
	return false
}

// PostSends is c.Send for each message on the loop, in one entry. Any
// goroutine.
func (l *Loop) PostSends(c *Conn, msgs []*Msg) { l.Post(&sendBatch{c: c, msgs: msgs}) }
