package engine

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/throng-server/throng/netpoll"
)

// hooked tells whether the application has a say in such a request.
func (s *Server) hooked(kind exchangeKind) bool {
	o := &s.opt
	opens := kind == openPoll || kind == openWS
	return o.Headers != nil || opens && (o.AllowRequest != nil || o.InitialHeaders != nil)
}

// prepare lets the hooks run, on the admission pool because they may block,
// and goes on. The connection's loop.
func (x *exchange) prepare() {
	if !x.srv.hooked(x.kind) {
		x.proceed()
		return
	}
	x.wait = ticks(x.srv.opt.AllowTimeout)
	x.origin.Server().Admission().Go(&hooks{x: x})
}

// proceed goes on when the hooks have agreed.
func (x *exchange) proceed() {
	if x.kind == openWS {
		x.finish(netpoll.Reply{Kind: netpoll.Upgrade, Subprotocol: x.proto, Header: x.header + x.more})
		return
	}
	x.visit()
}

// hooks asks the application about one request.
type hooks struct {
	x      *exchange
	err    error
	header string
}

// Run runs on an admission worker.
func (h *hooks) Run() {
	h.err = errors.New("a hook panicked")
	defer func() { h.x.origin.Post((*hooksDone)(h)) }()
	addr := ""
	if h.x.remote != nil {
		addr = h.x.remote.String()
	}
	r, err := ParseHead(h.x.head, addr)
	if err == nil {
		h.header, err = h.x.srv.ask(h.x.kind, r)
	}
	h.err = err
}

// ask runs the hooks for a request and returns the header lines they want.
func (s *Server) ask(kind exchangeKind, r *http.Request) (header string, err error) {
	o := &s.opt
	h := http.Header{}
	if kind == openPoll || kind == openWS {
		if o.AllowRequest != nil {
			if err := o.AllowRequest(r); err != nil {
				return "", err
			}
		}
		if o.InitialHeaders != nil {
			o.InitialHeaders(h, r)
		}
	}
	if o.Headers != nil {
		o.Headers(h, r)
	}
	var b strings.Builder
	_ = h.Write(&b) // a Builder takes everything
	return b.String(), nil
}

// hooksDone brings the outcome back to the connection's loop.
type hooksDone hooks

// Run implements netpoll.Task.
func (h *hooksDone) Run(*netpoll.Loop) bool {
	x := h.x
	if x.gone || x.settled {
		return false // an overlapping POST has been answered meanwhile
	}
	x.conn.SetTimer(0)
	if h.err != nil {
		x.lost(nil)
		x.finish(x.forbid(h.err))
		return false
	}
	x.more = h.header
	x.proceed()
	return false
}

// forbid is the answer to a request that a hook has refused.
func (x *exchange) forbid(err error) netpoll.Reply {
	s := x.srv
	x.forbade(err)
	s.refused[forbidden].Add(1)
	if skipped, ok := s.notes[forbidden].allow(time.Now()); ok {
		s.opt.Logger.Warn("engine: "+refusals[forbidden].note, "error", err, "suppressed", skipped)
	}
	r := refusalReply(403, refusals[forbidden].code, err.Error(), x.upgrade)
	r.Header = x.header
	return r
}
