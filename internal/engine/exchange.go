package engine

import (
	"net"

	"github.com/throng-server/throng/netpoll"
)

// exchange is one HTTP request on its way to an answer. It arrives on the loop
// of its connection (or on a goroutine of net/http), is decided on the home
// loop of its session, and answered where it came from. Fields belong to the
// side named.
type exchange struct {
	srv *Server
	// Set before the exchange goes anywhere, then read by both sides.
	kind    exchangeKind
	conn    *netpoll.Conn      // nil: net/http has the connection
	origin  *Loop              // the loop of conn
	out     chan netpoll.Reply // net/http's answer, capacity 1
	home    *Loop              // where the session lives
	id      ID
	v4      bool // EIO=4
	rev3    rev3Flags
	jsonp   string // the parameter j: the answer is a script
	upgrade bool   // asks for a WebSocket
	octets  bool   // Content-Type: application/octet-stream
	msie    bool   // wants X-XSS-Protection
	coding  string // gzip or deflate, which the client accepts
	header  string // lines for every answer: CORS, hooks
	head    []byte // a copy of the request head; nil where nobody needs it
	remote  net.Addr
	proto   string // Sec-WebSocket-Protocol
	body    []byte
	// socket is the connection's own object, for an upgrade.
	socket *Session

	// The connection's loop.
	inline   bool // its handler has not returned: replies go there
	answered bool
	reply    netpoll.Reply
	wait     uint32 // ticks that hooks may take
	gone     bool
	settled  bool   // the answer is on the wire, or on its way
	more     string // lines of the hooks; the home loop adds them to header

	// The home loop.
	session *Session
	over    bool // an answer is on its way
}

type exchangeKind uint8

const (
	openPoll  exchangeKind = iota // GET without sid
	openWS                        // a WebSocket without sid, with hooks
	pollGet                       // GET
	pollPost                      // POST
	upgradeWS                     // a WebSocket with a sid
	otherVerb                     // PUT, HEAD and the like, with a sid
	wrongWay                      // transport and Upgrade do not fit
)

// run does f for an exchange on its connection's loop, and returns the reply,
// or Defer if there is none yet.
func (x *exchange) run(f func()) netpoll.Reply {
	x.inline = true
	f()
	x.inline = false
	if x.answered {
		return x.reply
	}
	return netpoll.Reply{Kind: netpoll.Defer, Waiter: x, Wait: x.wait}
}

// answer answers the exchange. It runs on the home loop, or before the
// exchange has left its connection's.
func (x *exchange) answer(r netpoll.Reply) {
	if x.over {
		return
	}
	x.over = true
	r.Header += x.header
	if x.srv.compress(x, &r) {
		return // comes back by way of deliver
	}
	x.deliver(r)
}

// deliver brings the reply to where the request came from. Any goroutine if
// the exchange did not arrive on the home loop, which compress sees to.
func (x *exchange) deliver(r netpoll.Reply) {
	switch {
	case x.conn == nil:
		x.out <- r
	case x.home == x.origin:
		x.finish(r)
	default:
		x.origin.Post(&answered{x, r})
	}
}

// finish answers on the connection's loop.
func (x *exchange) finish(r netpoll.Reply) {
	x.settled = true
	if x.inline {
		x.answered, x.reply = true, r
		return
	}
	x.conn.Respond(x, &r)
}

// answered is a reply on its way to the connection's loop.
type answered struct {
	x *exchange
	r netpoll.Reply
}

// Run implements netpoll.Task.
func (a *answered) Run(*netpoll.Loop) bool {
	a.x.finish(a.r)
	return false
}

// refuse answers with one of the protocol's errors.
func (x *exchange) refuse(k refusal) {
	x.turnedAway(k)
	x.answer(replyTo(k, x.upgrade))
}

// visit goes to the home loop of the session.
func (x *exchange) visit() {
	if x.home == x.origin {
		x.atHome()
		return
	}
	x.home.Post((*visit)(x))
}

// visit is an exchange on its way home.
type visit exchange

// Run implements netpoll.Task.
func (v *visit) Run(*netpoll.Loop) bool {
	(*exchange)(v).atHome()
	return false
}

// atHome decides about the request. Home loop.
func (x *exchange) atHome() {
	x.header, x.more = x.header+x.more, ""
	if x.kind == openPoll {
		x.home.openPolling(x)
		return
	}
	if x.over {
		return
	}
	s := x.session
	if s == nil { // a POST has found it before its body came
		if s = x.home.lookup(&x.id); s == nil {
			x.refuse(sidUnknown)
			return
		}
		x.session = s
	}
	if s.side != nil && s.side.left && x.kind != pollGet {
		x.refuse(sidUnknown)
		return
	}
	switch x.kind {
	case wrongWay:
		x.refuse(badRequest)
	case upgradeWS:
		s.offer(x)
	case pollGet:
		s.poll(x)
	case pollPost:
		s.received(x)
	case otherVerb:
		if s.polls(x) {
			x.answer(netpoll.Reply{Status: 500})
		}
	}
}

// announce tells the home loop that a POST has begun.
func (x *exchange) announce() {
	if x.home == x.origin {
		x.begun()
		return
	}
	x.home.Post((*begun)(x))
}

type begun exchange

// Run implements netpoll.Task.
func (b *begun) Run(*netpoll.Loop) bool {
	(*exchange)(b).begun()
	return false
}

// begun finds the session of a POST whose body is still to come. Home loop.
func (x *exchange) begun() {
	if x.over {
		return
	}
	if s := x.home.lookup(&x.id); s != nil {
		x.session = s
		s.postBegins(x)
	}
	// Otherwise it is refused when the body is there, so that the connection
	// stays usable.
}

// Body implements netpoll.Waiter.
func (x *exchange) Body(_ *netpoll.Conn, body []byte, err error) netpoll.Reply {
	x.body = body
	if err != nil {
		x.lost(nil)
		return netpoll.Reply{Status: 413, Header: x.header}
	}
	return x.run(func() { x.prepare() })
}

// Gone implements netpoll.Waiter.
func (x *exchange) Gone(_ *netpoll.Conn, err error) {
	x.gone = true
	x.lost(err)
}

// lost tells the home loop that nobody waits for the answer any more. err nil
// means that it was answered (413) without the session's doing.
func (x *exchange) lost(err error) {
	l := &loss{x, err}
	switch {
	case x.home == nil:
	case x.home == x.origin:
		l.Run(nil)
	default:
		x.home.Post(l)
	}
}

// loss is an exchange whose client is gone, on its way home.
type loss struct {
	x   *exchange
	err error
}

// Run implements netpoll.Task.
func (l *loss) Run(*netpoll.Loop) bool {
	x := l.x
	if !x.over {
		x.over = true
		if x.session != nil {
			x.session.lost(x, l.err)
		}
	}
	return false
}

// kill closes the connection of an exchange without an answer.
func (x *exchange) kill() {
	x.over = true
	switch {
	case x.conn == nil:
		x.out <- netpoll.Reply{Status: 0}
	case x.home == x.origin:
		x.conn.Abort(netpoll.ErrHTTPDone)
	default:
		x.origin.Post((*killed)(x))
	}
}

type killed exchange

// Run implements netpoll.Task.
func (k *killed) Run(*netpoll.Loop) bool {
	k.conn.Abort(netpoll.ErrHTTPDone)
	return false
}
