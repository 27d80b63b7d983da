package socketio

import (
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// client is one connection: everything an idle one owns is in this object, the
// socket of its first namespace included. It belongs to its loop, but for the
// counters its workers take off from.
type client struct {
	engine.Session
	first Socket
	rare  *rareClient

	waiting waiting
	// leaving counts sockets whose disconnect handlers have not returned: a
	// client that joins and leaves must not pile them up.
	leaving atomic.Int32

	joined bool // some namespace, once: the connect deadline is off
	ended  bool
	parser parserKind

	// Without these it is an object of 224 bytes, and a broadcast over many
	// of them costs the loop a quarter more (BenchmarkLoops, three runs).
	_ [16]byte
}

// rareClient is what a connection has while it connects, receives a packet
// with attachments, or is in more than one namespace.
type rareClient struct {
	head     []byte
	remote   net.Addr
	opened   time.Time
	starting int // sockets whose connection handlers have not returned
	more     []*Socket
	seeking  []string // namespaces asked for that somebody looks for
	half     sio.Assembler
}

func (s *Server) open(*engine.Loop) engine.Upper { return &client{} }

func (c *client) lp() *loop { return loopOf(c.Loop()) }

func (c *client) server() *Server { return c.lp().srv }

// uncommon returns the rare state, making it.
func (c *client) uncommon() *rareClient {
	if c.rare == nil {
		c.rare = &rareClient{}
	}
	return c.rare
}

// tidy drops the rare state when nothing is in it.
func (c *client) tidy() {
	if r := c.rare; r != nil && r.head == nil && r.starting == 0 && len(r.more) == 0 &&
		!r.half.Pending() {
		c.rare = nil
	}
}

// Opened implements engine.Upper.
func (c *client) Opened(head []byte, owned bool, remote net.Addr) {
	if !owned {
		head = slices.Clone(head)
	}
	c.rare = &rareClient{head: head, remote: remote, opened: time.Now()}
	connTotal.Add(1)
	lp := c.lp()
	lp.n.sessions.began(c.Transport())
	if !lp.hold(c, head, remote) {
		lp.srv.drop(dropAddress)
		c.End(engine.ReasonForcedClose)
		return
	}
	c.SetDeadline(c.server().opt.ConnectTimeout)
	if c.EIO3() {
		c.connect(&sio.Packet{Type: sio.Connect, Namespace: []byte("/")})
	}
}

// Deadline implements engine.Upper: no namespace joined in time, or the rest
// of a packet did not come.
func (c *client) Deadline() {
	switch {
	case !c.joined:
		c.server().drop(dropConnectTimeout)
		c.End(engine.ReasonForcedClose)
	case c.rare != nil && c.rare.half.Pending():
		c.server().drop(dropHalfReceived)
		c.End(engine.ReasonForcedClose)
	}
}

// Ended implements engine.Upper.
func (c *client) Ended(reason string) {
	if c.ended {
		return
	}
	c.ended = true
	connTotal.Add(-1)
	c.lp().n.sessions.ended(reason)
	c.lp().let(c)
	c.eachSocket(func(s *Socket) { c.close(s, reason) })
	c.rare = nil
}

// eachSocket calls f for every socket that has not left; f may close it.
func (c *client) eachSocket(f func(s *Socket)) {
	if c.first.is(stPending | stConnected) {
		f(&c.first)
	}
	if c.rare != nil {
		for _, s := range slices.Clone(c.rare.more) {
			if s.is(stPending | stConnected) {
				f(s)
			}
		}
	}
}

// socket finds the socket of a namespace, pending or connected.
func (c *client) socket(ns []byte) *Socket {
	if c.first.is(stPending|stConnected) && c.first.ns.name == string(ns) {
		return &c.first
	}
	if c.rare != nil {
		for _, s := range c.rare.more {
			if s.ns.name == string(ns) {
				return s
			}
		}
	}
	return nil
}

// Packet implements engine.Upper.
func (c *client) Packet(binary bool, p []byte, owned bool) {
	if c.parser != textParser && c.packed(binary, p, owned) {
		return
	}
	if binary {
		c.attachment(p, owned)
		return
	}
	if c.rare != nil && c.rare.half.Pending() {
		c.violate()
		return
	}
	var pk sio.Packet
	var err error
	if c.EIO3() {
		pk, err = c.parse4(p)
	} else {
		pk, err = sio.Parse(p, c.server().opt.MaxAttachments)
	}
	if err != nil {
		c.violate()
		return
	}
	if pk.Type.Binary() {
		c.begin(p, owned)
		return
	}
	c.packet(&pk, nil)
}

// begin keeps the text of a packet until its attachments are there.
func (c *client) begin(p []byte, owned bool) {
	o := &c.server().opt
	if !owned {
		p = slices.Clone(p)
	}
	pk, err := sio.Parse(p, o.MaxAttachments)
	s := c.socket(pk.Namespace)
	if err != nil || s == nil || !s.is(stConnected) ||
		c.uncommon().half.Begin(pk, max(o.MailboxBytes, o.MaxPayload)) != nil {
		c.violate()
		return
	}
	c.SetDeadline(attachmentTime)
}

func (c *client) attachment(p []byte, owned bool) {
	if c.rare == nil || !c.rare.half.Pending() {
		c.violate()
		return
	}
	if !owned {
		p = slices.Clone(p)
	}
	done, err := c.rare.half.Add(p)
	if err != nil {
		c.violate()
		return
	}
	if done {
		c.SetDeadline(0)
		pk, atts := c.rare.half.Take()
		c.tidy()
		c.packet(&pk, atts)
	}
}

// packet treats a whole packet.
func (c *client) packet(pk *sio.Packet, atts [][]byte) {
	if pk.Type == sio.Connect {
		c.connect(pk)
		return
	}
	s := c.socket(pk.Namespace)
	if s == nil || !s.is(stConnected) {
		// Also what a client does right behind its own DISCONNECT: it must
		// have seen the CONNECT reply before it sends anything.
		c.violate()
		return
	}
	switch pk.Type {
	case sio.Event, sio.BinaryEvent:
		s.event(pk, atts)
	case sio.Ack, sio.BinaryAck:
		s.ack(pk, atts)
	case sio.Disconnect:
		c.close(s, ReasonClientDisconnect)
	default: // CONNECT_ERROR is the server's word
		c.violate()
	}
}

// violate ends a connection that broke a rule of Socket.IO. The reference
// server calls that a forced close.
func (c *client) violate() {
	c.server().drop(dropInvalid)
	c.End(engine.ReasonForcedClose)
}

// dismiss is Socket.Disconnect on the loop.
func (c *client) dismiss(s *Socket, all bool) {
	if !all {
		if s.is(stConnected) {
			c.Send(s.ns.goodbye)
		}
		c.close(s, ReasonServerDisconnect)
		return
	}
	if c.ended {
		return
	}
	c.eachSocket(func(s *Socket) {
		if s.is(stConnected) {
			c.Send(s.ns.goodbye)
		}
		c.close(s, ReasonServerDisconnect)
	})
	c.End(ReasonServerDisconnect)
}

// close takes a socket out of its namespace: rooms are left, waiters told, and
// the disconnect handlers queued behind the socket's last event.
func (c *client) close(s *Socket, reason string) {
	lp := c.lp()
	switch {
	case s.is(stPending):
		// Its middleware may still run; the verdict finds it closed.
		s.moveTo(stClosed)
		if r := lp.srv.recovery; r != nil {
			r.leave(s, reason, nil)
		}
		s.release()
		c.started()
	case s.is(stConnected):
		h, own := s.ns.reg.load(), s.own()
		if len(h.disconnecting)+len(own.disconnecting) > 0 {
			s.edit(true, func(x *extra) {
				x.last = lp.shard.AppendRooms([]string{s.ID()}, s.slot)
			})
		}
		s.moveTo(stClosed)
		if r := lp.srv.recovery; r != nil {
			r.leave(s, reason, lp.shard.AppendRooms([]string{}, s.slot))
		}
		lp.shard.Remove(s.slot)
		s.ns.sockets.Add(-1)
		if lp.srv.debugs() {
			lp.srv.opt.Logger.Debug("socketio: a socket has left", "namespace", s.ns.name,
				"socket", s.ID(), "reason", reason)
		}
		lp.failAsks(s)
		if !s.is(stRan) {
			c.started()
		}
		// Handlers may still be registered by a connection handler that has
		// not run, so the item is always queued.
		c.leaving.Add(1)
		d := &departure{s: s, reason: reason}
		d.node.Init(d)
		lp.Mail(&s.box, &d.node)
	default:
		return
	}
	s.endContext()
	lp.freeSlot(s)
	s.ns.release()
	if r := c.rare; r != nil {
		if r.half.Pending() {
			r.half.Take()
			c.SetDeadline(0)
		}
		if i := slices.Index(r.more, s); i >= 0 {
			r.more = slices.Delete(r.more, i, i+1)
		}
		c.tidy()
	}
}

// departure runs the disconnect handlers, last in the socket's mailbox and
// exempt from its limits.
type departure struct {
	node   netpoll.Node
	s      *Socket
	reason string
}

func (d *departure) Run() {
	s := d.s
	defer s.c.leaving.Add(-1)
	h, own := s.ns.reg.load(), s.own()
	s.state.Or(stLeaving)
	for _, set := range [...]*handlerSet{h, own} {
		for _, f := range set.disconnecting {
			s.protect("disconnecting", func() { f(s, d.reason) })
		}
	}
	s.state.And(^stLeaving)
	s.edit(false, func(x *extra) { x.last = nil })
	for _, set := range [...]*handlerSet{h, own} {
		for _, f := range set.disconnect {
			s.protect("disconnect", func() { f(s, d.reason) })
		}
	}
}

var _ netpoll.Peer = (*client)(nil)
