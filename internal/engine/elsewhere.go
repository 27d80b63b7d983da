package engine

import (
	"net/http"

	"github.com/throng-server/throng/netpoll"
)

// Elsewhere is what an owner that is one node of several tells engine of the
// sessions of the others. A request that names one of them leaves the loops:
// its connection goes to net/http, which forwards it.
type Elsewhere struct {
	// Lives tells whether another live node has a tag, and can be reached;
	// hopped: by a request that one node has forwarded already. It must not
	// block: it runs on loops.
	Lives func(node uint16, hopped bool) bool
	// Forward answers a request by asking the node. It runs on a goroutine of
	// net/http.
	Forward func(node uint16, w http.ResponseWriter, r *http.Request)
	// Genuine tells whether the value of HopHeader in a request, given with its
	// method and target, is of another node. It must not block or keep them.
	Genuine func(hop, method, target []byte) bool
}

// HopHeader is in requests that another node has forwarded: they go no
// further than to processes beside the one that they have come to, which has
// not looked at it.
const HopHeader = "Throng-Hop"

const hopField = "throng-hop" // as field wants it

// away finds out about a request whose session id names another node.
func (s *Server) away(node uint16, r *netpoll.Request) refusal {
	e := s.opt.Elsewhere
	if e == nil || !e.Lives(node, field(r, hopField) != nil) {
		return sidUnknown
	}
	if r.Upgrade && s.websock && s.draining.Load() {
		return serverDraining // it would be cut in a moment
	}
	return forwarded
}

// foreign tells whether a session id is another node's.
func (s *Server) foreign(q *query) bool {
	if s.opt.Elsewhere == nil || len(q.sid) == 0 {
		return false
	}
	id, ok := ParseID(string(q.sid))
	return ok && id.Node != s.opt.NodeTag
}

// hopped checks a request that says another node has forwarded it.
func (s *Server) hopped(r *netpoll.Request) bool {
	hop := field(r, hopField)
	if hop == nil {
		return true
	}
	e := s.opt.Elsewhere
	if e == nil || !e.Genuine(hop, r.Method, r.Target) {
		return false
	}
	s.hops.Add(1)
	return true
}

// Forwarded returns how many requests other nodes have forwarded to this one.
// Any goroutine.
func (s *Server) Forwarded() uint64 { return s.hops.Load() }

// Unknown answers a request whose session was elsewhere and is not there any
// more, as if it named no session: official clients then open a new one.
// Any goroutine.
func (s *Server) Unknown(w http.ResponseWriter, r *http.Request) {
	s.refused[sidUnknown].Add(1)
	s.CORS(w.Header(), r)
	write(w, replyTo(sidUnknown, r.Header.Get("Upgrade") != ""))
}
