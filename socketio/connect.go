package socketio

import (
	"errors"
	"slices"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// connect treats a CONNECT packet: middleware on an admission worker if the
// namespace has any, then admission on the loop.
func (c *client) connect(pk *sio.Packet) {
	lp := c.lp()
	srv := lp.srv
	if c.socket(pk.Namespace) != nil || c.seeks(pk.Namespace) {
		c.violate() // already there, or on the way
		return
	}
	if int(c.leaving.Load()) >= srv.opt.MaxNamespaces {
		srv.drop(dropNamespaces)
		c.violate()
		return
	}
	ns := srv.namespaces.find(pk.Namespace)
	if ns == nil || !ns.isReady() || !ns.hold() {
		c.seek(pk)
		return
	}
	c.enter(ns, pk.Data)
}

// What clients are told of namespaces they cannot have.
const (
	invalidNamespace  = "Invalid namespace"
	tooManyNamespaces = "Too many namespaces"
)

// enter makes a socket for a namespace, which is held for it.
func (c *client) enter(ns *Namespace, auth []byte) {
	lp := c.lp()
	srv := lp.srv
	s := &c.first
	r := c.uncommon()
	if s.ns != nil { // taken, or its pointer is still in somebody's hands
		if len(r.more) >= srv.opt.MaxNamespaces-1 {
			srv.drop(dropNamespaces)
			c.refuse(ns.name, tooManyNamespaces, nil)
			ns.release()
			return
		}
		s = &Socket{}
		r.more = append(r.more, s)
	}
	s.ns, s.c = ns, c
	if !lp.takeSlot(s) {
		ns.release()
		c.violate()
		return
	}
	s.state.Store(stPending)
	r.starting++
	h := ns.reg.load()
	if len(h.middleware)+len(h.connection) > 0 || srv.opt.KeepHandshake ||
		len(srv.opt.KeepHeaders) > 0 {
		c.introduce(s, slices.Clone(auth))
	}
	if rec := srv.recovery; rec != nil {
		if w := rec.wish(auth); w != nil {
			lp.resume(s, w)
			return
		}
	}
	lp.vet(s)
}

// vet sends a socket through the middleware of its namespace, if it has to.
func (lp *loop) vet(s *Socket) {
	list := s.ns.reg.load().middleware
	if len(list) == 0 || s.is(stRestored) && !lp.srv.recovery.opt.RunMiddlewares {
		lp.admit(s)
		return
	}
	lp.Server().Admission().Go(&admission{s: s, list: list})
}

// introduce gives a new socket the handshake, or what is left of it when the
// connection is in a namespace already.
func (c *client) introduce(s *Socket, auth []byte) {
	r := c.rare
	var kept *Handshake
	if r.head == nil {
		h := *c.first.Handshake()
		if len(auth) > 0 {
			h.Auth = auth
		}
		kept = &h
	}
	s.edit(true, func(x *extra) {
		x.head, x.remote, x.opened, x.auth = r.head, r.remote, r.opened, auth
		x.handshake = kept
	})
}

// admission runs the middleware of a namespace for one socket.
type admission struct {
	s    *Socket
	list []Middleware
}

func (a *admission) Run() {
	v := &verdict{s: a.s}
	for _, m := range a.list {
		if a.s.is(stClosed) {
			return
		}
		failed := true // a panic refuses
		a.s.protect("middleware", func() {
			v.err = m(a.s)
			failed = false
		})
		if failed {
			v.err = &Error{Message: internalError}
		}
		if v.err != nil {
			break
		}
	}
	a.s.c.Loop().Post(v)
}

// verdict brings the outcome of the middleware back to the loop.
type verdict struct {
	s   *Socket
	err error
}

func (v *verdict) Run(l *netpoll.Loop) bool {
	s := v.s
	switch {
	case !s.is(stPending): // gone meanwhile: nothing was promised
	case s.is(stQuit):
		s.c.refuse(s.ns.name, "Disconnected", nil)
		s.c.close(s, ReasonServerDisconnect)
	case v.err != nil:
		var e *Error
		if errors.As(v.err, &e) {
			s.c.refuse(s.ns.name, e.Message, e.Data)
		} else {
			s.c.refuse(s.ns.name, v.err.Error(), nil)
		}
		s.c.close(s, ReasonServerDisconnect)
	default:
		loopOf(l).admit(s)
	}
	return false
}

// refuse answers a CONNECT with CONNECT_ERROR.
func (c *client) refuse(ns, message string, data any) {
	buf := newFrame(nil)
	write := sio.AppendConnectError
	if c.EIO3() && message != invalidNamespace {
		write = sio.AppendConnectError4
	}
	b, err := write(buf, ns, message, data, data != nil)
	if err != nil {
		c.server().opt.Logger.Error("socketio: data of a refusal cannot be sent",
			"namespace", ns, "error", err)
		b, _ = write(buf, ns, message, nil, false) // cannot fail without data
	}
	c.Send(netpoll.NewMsgWire(netpoll.FinishFrame(ws.OpText, b), 1))
}

// admit makes a pending socket a member of its namespace: registered, told,
// its connection handlers queued, in this order.
func (lp *loop) admit(s *Socket) {
	c := s.c
	rec := lp.srv.recovery
	var ss *session
	if s.is(stRestored) {
		if ss = s.session(); !rec.catchUp(lp, ss) {
			rec.results[recoveryTooFar].Add(1)
			c.End(engine.ReasonForcedClose) // the next attempt is a new session
			return
		}
	}
	s.moveTo(stConnected)
	if !c.joined {
		c.joined = true
		c.SetDeadline(0)
	}
	lp.shard.Add(s.slot, s.ns.num)
	s.ns.sockets.Add(1)
	if lp.srv.debugs() {
		lp.srv.opt.Logger.Debug("socketio: a socket has connected", "namespace", s.ns.name,
			"socket", s.ID(), "transport", c.Transport(), "restored", s.is(stRestored))
	}
	if s.ext.Load() != nil {
		var early []string
		s.edit(false, func(x *extra) { early, x.early = x.early, nil })
		for _, room := range early {
			lp.join(s, room)
		}
	}
	if ss != nil {
		for _, room := range ss.rooms {
			lp.join(s, room)
		}
		for _, m := range ss.missed {
			c.Send(m)
		}
		ss.missed, ss.rooms, ss.since = nil, nil, nil
		rec.results[recoveryDone].Add(1)
	} else if rec != nil && !c.EIO3() {
		ss = rec.begin(lp, s)
	}
	b := newFrame(nil)
	if c.EIO3() {
		b = sio.AppendConnect4(b, s.ns.name)
	} else {
		id := s.id()
		var room [20]byte
		name := string(id.Append(room[:0]))
		if ss == nil {
			b = sio.AppendConnect(b, s.ns.name, name)
		} else {
			b = sio.AppendConnectSession(b, s.ns.name, name, ss.pid.String())
		}
	}
	c.Send(netpoll.NewMsgWire(netpoll.FinishFrame(ws.OpText, b), 1))

	if len(s.ns.reg.load().connection) == 0 {
		lp.begun(s)
		return
	}
	a := &arrival{s: s}
	a.node.Init(a)
	lp.Mail(&s.box, &a.node)
}

// arrival runs the connection handlers, first in the socket's mailbox.
type arrival struct {
	node netpoll.Node
	s    *Socket
}

func (a *arrival) Run() {
	s := a.s
	for _, f := range s.ns.reg.load().connection {
		s.protect("connection", func() { f(s) })
	}
	s.c.Loop().Post((*begun)(a))
}

// begun is an arrival on its way back to the loop.
type begun arrival

func (b *begun) Run(l *netpoll.Loop) bool {
	loopOf(l).begun(b.s)
	return false
}

// begun runs when the connection handlers of a socket have returned.
func (lp *loop) begun(s *Socket) {
	s.state.Or(stRan)
	s.release()
	if !s.is(stClosed) {
		s.c.started()
	}
}

// started counts off a socket that was connecting. The last one frees the
// request head, unless no namespace was joined and the client may try again.
func (c *client) started() {
	r := c.rare
	if r == nil {
		return
	}
	r.starting--
	if r.starting == 0 && c.joined && !c.server().opt.KeepHandshake {
		r.head, r.remote = nil, nil
		c.tidy()
	}
}
