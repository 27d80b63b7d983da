package netpoll

// accept takes a new TCP connection or refuses it. The descriptor's number
// tells how many the process has open: the kernel gives the lowest free one.
// Refusing here, right after the accept, is what keeps accept itself from
// failing, which would end the engine.
func (l *Loop) accept(t transport, fd int) bool {
	s := l.srv
	switch {
	case s.draining.Load():
		s.drop(dropDraining)
		return false
	case fd >= s.fdCap:
		s.drop(dropFull)
		return false
	case s.full():
		s.drop(dropFull)
		return false
	}
	p := l.openPeer()
	if p == nil {
		return false
	}
	c := p.NetConn()
	*c = Conn{link: t, peer: p, loop: l, fd: int32(fd)}
	l.addConn(c)
	bind(t, c)
	s.accepted.Add(1)
	l.count(1)
	c.setTimer(s.headTicks)
	return true
}

// full tells that as many connections are open as Options.MaxConns allows.
func (s *Server) full() bool {
	most := s.maxConns.Load()
	return most > 0 && s.open.Load() >= most
}

// SetMaxConns changes Options.MaxConns; open connections stay. Any goroutine.
func (s *Server) SetMaxConns(n int) { s.maxConns.Store(int64(max(n, 0))) }

// MaxConns returns how many connections may be open. Any goroutine.
func (s *Server) MaxConns() int {
	if most := int(s.maxConns.Load()); most > 0 && most < s.fdCap {
		return most
	}
	return s.fdCap
}

func (l *Loop) openPeer() (p Peer) {
	defer l.recovered("Handler.Open")
	return l.srv.handler.Open(l)
}

// crowded tells that descriptors run short: connections that only might ask
// for more are let go.
func (s *Server) crowded(fd int32) bool { return int(fd) >= s.fdCap/5*4 }

// traffic takes what the poller read. b is valid until it returns.
func (c *Conn) traffic(b []byte) {
	defer c.recoverPeer("traffic")
	l := c.loop
	l.n.bytesIn += uint64(len(b))
	switch c.state {
	case stateHTTP:
		c.readHTTP(b)
	case stateWS, stateClosing:
		c.readWS(b)
	}
	if len(l.urgent) > 0 {
		l.arm()
	}
}

// overloaded writes what the requests or messages of one read have piled up
// for their sender and tells that it takes no more: a few bytes in may ask for
// many out. The turn closes it then.
func (c *Conn) overloaded() bool {
	if len(c.loop.urgent) > 0 {
		c.loop.flushUrgent()
	}
	return c.link == nil || c.flags&flagDoomed != 0
}
