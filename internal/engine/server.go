package engine

import (
	"bytes"
	"log/slog"
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
	draining atomic.Bool
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

	srv     *Server
	ping    *netpoll.Msg
	scratch []byte
}

// LoopOf returns the engine's state of a loop. Loop only.
func LoopOf(l *netpoll.Loop) *Loop { return l.App.(*Loop) }

// New makes a server of validated options.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Server{opt: o, beat: heartbeat(o.PingInterval, o.PingTimeout)}
}

// Drain makes the server refuse new sessions. Any goroutine.
func (s *Server) Drain() { s.draining.Store(true) }

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
	el := &Loop{Loop: l, srv: s, ping: netpoll.NewMsg(ws.OpText, []byte{eioPing})}
	l.App = el
	if s.opt.StartLoop != nil {
		el.App = s.opt.StartLoop(el)
	}
}

// Open implements netpoll.Handler.
func (s *Server) Open(l *netpoll.Loop) netpoll.Peer { return s.opt.Open(LoopOf(l)) }

// Request implements netpoll.Handler: it finds the requests that are ours and
// checks them in the order of the reference server.
func (s *Server) Request(c *netpoll.Conn, r *netpoll.Request) netpoll.Reply {
	if !bytes.HasPrefix(r.Target, []byte(s.opt.Path)) {
		return netpoll.Reply{Kind: netpoll.Handover}
	}
	if s.opt.HandOver != nil && len(r.Path) > len(s.opt.Path) &&
		s.opt.HandOver(r.Path[len(s.opt.Path):]) {
		return netpoll.Reply{Kind: netpoll.Handover}
	}
	q := parseQuery(r.Query)
	if k := s.check(r, q); k != accepted {
		s.turnAway(k, c, r, q, nil)
		return reply(k, r)
	}
	return netpoll.Reply{Kind: netpoll.Upgrade, Subprotocol: firstProtocol(r)}
}

func (s *Server) check(r *netpoll.Request, q query) refusal {
	switch string(q.transport) {
	case "websocket":
	case "polling":
		return pollingOff
	default:
		return transportUnknown
	}
	switch {
	case !s.originAllowed(r):
		return originRefused
	case len(q.sid) > 0:
		// A session that began on WebSocket is never taken over by another
		// connection, so that no id of a request can be valid.
		return sidUnknown
	case string(r.Method) != "GET":
		return badMethod
	case !r.Upgrade:
		return badRequest
	case len(q.eio) != 1 || q.eio[0] != '4':
		return badVersion
	case s.draining.Load():
		return serverDraining
	}
	return accepted
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
