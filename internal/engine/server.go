package engine

import (
	"bytes"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

// Server routes requests and opens sessions. It is the netpoll.Handler.
type Server struct {
	opt      Options
	beat     eio.Config
	cors     atomic.Pointer[corsPolicy] // nil: same origin only
	polling  bool
	websock  bool
	draining atomic.Bool
	hops     atomic.Uint64 // requests that other nodes have forwarded
	loops    [256]atomic.Pointer[Loop]
	nloops   atomic.Int32
	turn     atomic.Uint32 // which loop is next for net/http's sessions
	refused  [refusalKinds]atomic.Uint64
	notes    [refusalKinds]sampler
}

// Loop is the engine's state of one loop. Loop only, but for the entropy of
// nobody else: it is never shared.
type Loop struct {
	*netpoll.Loop
	Entropy Entropy
	// App is what Options.StartLoop returned.
	App any

	srv   *Server
	ping  *netpoll.Msg
	pong  *netpoll.Msg // revision 3
	probe *netpoll.Msg
	// reformed is the last message that was made fit for revision 3.
	reformed reformed
	opening  map[*Session][]byte // of revision 3, with their request heads
	scratch  []byte
	msgs     []*netpoll.Msg
}

// LoopOf returns the engine's state of a loop. Loop only.
func LoopOf(l *netpoll.Loop) *Loop { return l.App.(*Loop) }

// New makes a server of validated options.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.UpgradeTimeout == 0 {
		o.UpgradeTimeout = 10 * time.Second
	}
	if o.AllowTimeout == 0 {
		o.AllowTimeout = 10 * time.Second
	}
	s := &Server{opt: o, beat: heartbeat(o.PingInterval, o.PingTimeout)}
	s.cors.Store(newCORS(&o))
	s.polling = len(o.Transports) == 0 || slices.Contains(o.Transports, "polling")
	s.websock = len(o.Transports) == 0 || slices.Contains(o.Transports, "websocket")
	return s
}

// Drain makes the server refuse new sessions. Any goroutine.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining tells that no new sessions are let in. Any goroutine.
func (s *Server) Draining() bool { return s.draining.Load() }

// Refusals adds the number of refused requests by reason to m. Any goroutine.
func (s *Server) Refusals(m map[string]uint64) {
	for k := range s.refused {
		if n := s.refused[k].Load(); n > 0 {
			m[refusals[k].name] += n
		}
	}
}

// StartLoop implements netpoll.Handler.
func (s *Server) StartLoop(l *netpoll.Loop) {
	el := &Loop{Loop: l, srv: s, ping: netpoll.NewMsg(ws.OpText, []byte{eioPing}),
		pong:  netpoll.NewMsg(ws.OpText, []byte{byte(eio.Pong)}),
		probe: netpoll.NewMsg(ws.OpText, []byte("3probe"))}
	l.App = el
	if s.opt.StartLoop != nil {
		el.App = s.opt.StartLoop(el)
	}
	s.loops[l.Index()].Store(el)
	s.nloops.Add(1)
}

// Open implements netpoll.Handler.
func (s *Server) Open(l *netpoll.Loop) netpoll.Peer { return s.opt.Open(LoopOf(l)) }

// openInfo is what the open packet of a session says.
func (s *Server) openInfo(sid string, polling bool) eio.OpenInfo {
	o := &s.opt
	info := eio.OpenInfo{SID: sid, PingInterval: o.PingInterval, PingTimeout: o.PingTimeout,
		MaxPayload: o.MaxPayload}
	if polling && s.websock && !o.DisableUpgrades {
		info.Upgrades = upgradeTo
	}
	return info
}

var upgradeTo = []string{"websocket"}

// bare reports whether path is ours without its last slash, which clients with
// addTrailingSlash off ask for. A redirect would not do: WebSockets follow none.
func (s *Server) bare(path []byte) bool {
	return len(path) == len(s.opt.Path)-1 && s.opt.Path[len(path)] == '/' &&
		string(path) == s.opt.Path[:len(path)]
}

// Request implements netpoll.Handler: it finds the requests that are ours and
// checks them in the order of the reference server.
func (s *Server) Request(c *netpoll.Conn, r *netpoll.Request) netpoll.Reply {
	if !bytes.HasPrefix(r.Target, []byte(s.opt.Path)) && !s.bare(r.Path) {
		return netpoll.Reply{Kind: netpoll.Handover}
	}
	if s.opt.HandOver != nil && len(r.Path) > len(s.opt.Path) &&
		s.opt.HandOver(r.Path[len(s.opt.Path):]) {
		return netpoll.Reply{Kind: netpoll.Handover}
	}
	cors := s.cors.Load()
	if cors != nil && string(r.Method) == "OPTIONS" {
		return cors.preflight(r)
	}
	q := parseQuery(r.Query)
	header := cors.header(field(r, "origin"))
	kind, home, k := s.route(r, &q)
	if k == accepted && s.crowded(kind, r, c.RemoteAddr) {
		k = addressFull
	}
	if k == forwarded {
		return netpoll.Reply{Kind: netpoll.Handover}
	}
	if k != accepted {
		s.turnAway(k, c, r, q, nil)
		if k == serverDraining {
			c.Abort(netpoll.ErrHTTPDone)
			return netpoll.Reply{}
		}
		refused := replyTo(k, r.Upgrade && s.websock)
		refused.Header = header
		return keepUsable(r, refused, s.opt.MaxPayload)
	}
	if kind == openWS && !s.hooked(kind) {
		return netpoll.Reply{Kind: netpoll.Upgrade, Subprotocol: firstProtocol(r), Header: header}
	}
	x := s.exchange(kind, r, &q, header)
	x.conn, x.origin, x.home = c, LoopOf(c.Loop()), home
	x.socket = c.Peer().(Upper).session()
	if home == nil {
		x.home = x.origin
	}
	if x.head != nil {
		x.remote = c.RemoteAddr()
	}
	if kind != pollPost {
		return x.run(x.prepare)
	}
	if x.run(x.announce); x.answered {
		return x.reply
	}
	return netpoll.Reply{Kind: netpoll.ReadBody, Waiter: x, Limit: s.opt.MaxPayload}
}

// route finds out what a request wants, and the loop of the session it names.
func (s *Server) route(r *netpoll.Request, q *query) (exchangeKind, *Loop, refusal) {
	polls := false
	switch string(q.transport) {
	case "websocket":
		if !s.websock {
			return 0, nil, transportUnknown
		}
	case "polling":
		if polls = true; !s.polling {
			return 0, nil, pollingOff
		}
	default:
		return 0, nil, transportUnknown
	}
	if !s.originAllowed(r) {
		return 0, nil, originRefused
	}
	if len(q.sid) > 0 {
		id, ok := ParseID(string(q.sid))
		if !ok {
			return 0, nil, sidUnknown
		}
		if id.Node != s.opt.NodeTag {
			q.id = id
			return 0, nil, s.away(id.Node, r)
		}
		if !s.hopped(r) {
			return 0, nil, hopRefused
		}
		home := s.loops[id.Loop].Load()
		q.id = id
		switch {
		case home == nil:
			return 0, nil, sidUnknown
		case polls == (r.Upgrade && s.websock):
			return wrongWay, home, accepted
		case !polls:
			return upgradeWS, home, accepted
		case string(r.Method) == "GET":
			return pollGet, home, accepted
		case string(r.Method) == "POST":
			return pollPost, home, accepted
		}
		return otherVerb, home, accepted
	}
	switch {
	case string(r.Method) != "GET":
		return 0, nil, badMethod
	case polls == (r.Upgrade && s.websock):
		return 0, nil, badRequest
	case !q.v4() && (!s.opt.AllowEIO3 || string(q.eio) != "3"):
		return 0, nil, badVersion
	case s.draining.Load():
		return 0, nil, serverDraining
	case polls:
		return openPoll, nil, accepted
	}
	return openWS, nil, accepted
}

// exchange makes the exchange for a request that is let in.
func (s *Server) exchange(kind exchangeKind, r *netpoll.Request, q *query,
	header string) *exchange {
	x := &exchange{srv: s, kind: kind, id: q.id, header: header, upgrade: r.Upgrade && s.websock,
		v4: q.v4(), jsonp: string(q.j)}
	if !x.v4 {
		x.rev3 = q.rev3()
	}
	switch kind {
	case pollGet:
		if s.opt.CompressFrom >= 0 {
			x.coding = coding(field(r, "accept-encoding"))
		}
	case pollPost:
		x.octets = string(field(r, "content-type")) == "application/octet-stream"
	case openWS, upgradeWS:
		x.proto = firstProtocol(r)
	}
	if agent := field(r, "user-agent"); bytes.Contains(agent, []byte(";MSIE")) ||
		bytes.Contains(agent, []byte("Trident/")) {
		x.msie = true
	}
	if kind == openPoll || s.hooked(kind) || s.watched() {
		x.head = bytes.Clone(r.Raw)
	}
	return x
}

// note logs a refusal an operator should know about, at most one a kind in
// logEvery.
func (s *Server) note(k refusal, r *netpoll.Request) {
	text := refusals[k].note
	if text == "" {
		return
	}
	suppressed, ok := s.notes[k].allow(time.Now())
	if !ok {
		return
	}
	s.opt.Logger.Warn("engine: "+text,
		"origin", string(field(r, "origin")), "host", string(field(r, "host")),
		"agent", string(field(r, "user-agent")), "suppressed", suppressed)
}

const logEvery = 10 * time.Second

// sampler lets one event through in logEvery. Any goroutine.
type sampler struct {
	last    atomic.Int64
	skipped atomic.Uint64
}

func (s *sampler) allow(now time.Time) (skipped uint64, ok bool) {
	last := s.last.Load()
	if n := now.UnixNano(); (last == 0 || n-last >= int64(logEvery)) &&
		s.last.CompareAndSwap(last, n) {
		return s.skipped.Swap(0), true
	}
	s.skipped.Add(1)
	return 0, false
}
