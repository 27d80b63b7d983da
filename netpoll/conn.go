package netpoll

import (
	"net"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

type connState uint8

const (
	stateHTTP connState = iota
	// stateDetached: no socket; see Loop.OpenDetached.
	stateDetached
	stateWS
	// stateClosing: our close frame is queued or sent, the peer's awaited.
	stateClosing
	// stateLinger: nothing more is read; TCP closes once output is flushed
	// and the peer has finished, or at the deadline.
	stateLinger
	stateDead
)

type connFlags uint16

const (
	flagDirect  connFlags = 1 << iota // on the direct flush list
	flagBulk                          // on the bulk flush list
	flagBlocked                       // on the blocked list
	flagTold                          // Peer.Closed has run
	flagDoomed                        // over a limit, closed by the turn
	flagFin                           // write side is shut down
	flagServed                        // had a first HTTP response
	flagUrgent                        // on the urgent list
	flagWS                            // counted as a WebSocket
)

// transport is what a connection needs of the poller below it.
type transport interface {
	Next(n int) ([]byte, error)
	Write(p []byte) (int, error)
	OutboundBuffered() int
	Dup() (int, error)
	RemoteAddr() net.Addr
}

// Conn is one TCP connection. It is embedded in its owner's object (a Peer)
// and belongs to one loop: every method is for that loop's goroutine only
// unless it says "any goroutine".
type Conn struct {
	// link is nil once the connection is closed: a late write through it would
	// reach whoever has the descriptor now.
	link transport
	peer Peer
	loop *Loop

	// Pending output: first, then rest. off bytes of first are written.
	first *Msg
	rest  *msgQueue
	in    *inbound

	pendBytes  uint32
	pendFrames uint32
	off        uint32
	slot       uint32
	fd         int32
	state      connState
	flags      connFlags
}

// Loop returns the loop that owns the connection. Any goroutine.
func (c *Conn) Loop() *Loop { return c.loop }

// Slot returns the connection's index in its loop's table, below 1<<24. It is
// reused after Peer.Closed. Any goroutine.
func (c *Conn) Slot() uint32 { return c.slot }

// Peer returns the object the connection lives in. Any goroutine.
func (c *Conn) Peer() Peer { return c.peer }

// Alive tells whether messages can still be sent.
func (c *Conn) Alive() bool {
	return c.state <= stateWS && (c.link != nil || c.state == stateDetached)
}

// Unread tells that the kernel holds bytes of the client that the loop has not
// come to yet: one system call, for those about to give a client up. Loop only.
func (c *Conn) Unread() bool {
	n, err := unix.IoctlGetInt(int(c.fd), unix.TIOCINQ)
	return err == nil && n > 0
}

// RemoteAddr returns the client's address, nil once closed.
func (c *Conn) RemoteAddr() net.Addr {
	if c.link == nil {
		return nil
	}
	return c.link.RemoteAddr()
}

// SetTimer lets Peer.Timer run after ticks times 100 ms; 0 stops it. There is
// one timer a connection; the last call counts.
func (c *Conn) SetTimer(ticks uint32) {
	if c.state > stateWS {
		return // the close deadline owns the timer now
	}
	c.setTimer(ticks)
}

func (c *Conn) setTimer(ticks uint32) {
	c.loop.setTimer(c.slot, ticks)
}

// CloseWS queues a close frame behind the pending output and closes TCP when
// the peer has answered it, or after Options.CloseTimeout. Code 0 sends a
// frame without one (the client reads 1005). Incoming messages are ignored
// from now on. Peer.Closed follows when TCP is closed.
func (c *Conn) CloseWS(code ws.StatusCode, reason string) {
	switch c.state {
	case stateWS:
		c.queueClose(code, reason)
		c.state = stateClosing
		c.setTimer(c.loop.srv.closeTicks)
	case stateHTTP, stateDetached:
		c.Abort(&CloseError{Code: code, Reason: reason, Local: true})
	}
}

// queueClose queues a close frame; RFC 6455 section 5.5.1.
func (c *Conn) queueClose(code ws.StatusCode, reason string) {
	m := c.loop.ctlMsg()
	n := 0
	if code != 0 {
		if k := ws.MaxControlFramePayloadSize - 2; len(reason) > k {
			for k > 0 && !utf8.RuneStart(reason[k]) {
				k--
			}
			reason = reason[:k]
		}
		n = 2 + len(reason)
	}
	w := appendHeader(m.wire, ws.OpClose, true, n)
	if code != 0 {
		w = append(w, byte(code>>8), byte(code))
		w = append(w, reason...)
	}
	m.wire = w
	c.push(m)
	c.markDirect()
}

// fail ends a WebSocket connection that broke a rule (RFC 6455 section 7.1.7):
// a close frame, then the end of our side; the peer's bytes are thrown away
// until it closes too, because closing with unread input would reset the
// connection and could destroy the close frame on its way.
func (c *Conn) fail(code ws.StatusCode, reason string, err error) {
	if c.state > stateClosing {
		return
	}
	if c.state == stateWS {
		c.queueClose(code, reason)
	}
	c.linger(err)
}

// linger tells the peer object now and closes TCP once output is flushed.
func (c *Conn) linger(err error) {
	c.state = stateLinger
	c.abandon(err)
	c.dropInbound()
	c.setTimer(c.loop.srv.closeTicks)
	c.markDirect()
	c.tell(err)
}

// Abort closes TCP at once; pending output is dropped. Peer.Closed(err) runs
// before Abort returns, unless it has run.
func (c *Conn) Abort(err error) {
	link := c.link
	c.closed(err)
	if link != nil {
		closeTransport(link)
	}
}

// tell runs Peer.Closed once.
func (c *Conn) tell(err error) {
	if c.flags&flagTold != 0 {
		return
	}
	c.flags |= flagTold
	defer c.loop.recovered("Peer.Closed")
	c.peer.Closed(err)
}

// closed forgets everything about the socket. It is the only place where a
// connection dies; the lists still naming it skip it by its state.
func (c *Conn) closed(err error) {
	detached := c.state == stateDetached
	if c.link == nil && !detached {
		return
	}
	l := c.loop
	c.link = nil
	c.state = stateDead
	l.wheel.stop(c.slot)
	if c.flags&flagWS != 0 {
		c.flags &^= flagWS
		l.n.websockets--
	}
	c.dropPending()
	c.abandon(err)
	c.dropInbound()
	c.tell(err)
	l.removeConn(c)
	if detached {
		l.srv.detached.Add(-1)
	} else {
		l.count(-1)
	}
}

// finished runs when nothing is left to write: a lingering connection ends
// its side now.
func (c *Conn) finished() {
	if c.state == stateLinger && c.flags&flagFin == 0 {
		c.flags |= flagFin
		// An error means that the peer is gone; its event follows.
		_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	}
}

// timerFired runs when the wheel reaches the connection's deadline.
func (c *Conn) timerFired() {
	switch c.state {
	case stateWS, stateDetached:
		defer c.recoverPeer("Peer.Timer")
		c.peer.Timer()
	case stateHTTP:
		c.httpTimeout()
	case stateClosing, stateLinger:
		c.Abort(ErrTimeout)
	}
}

// recoverPeer is deferred around calls of Peer methods: a panic costs the
// connection, not the loop.
func (c *Conn) recoverPeer(what string) {
	if v := recover(); v != nil {
		c.loop.panicked(what, v)
		c.Abort(ErrHandler)
	}
}
