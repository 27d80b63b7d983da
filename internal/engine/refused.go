package engine

import (
	"net"
	"net/http"

	"github.com/throng-server/throng/netpoll"
)

// Refusal is a request that was not let in, for Options.Refused.
type Refusal struct {
	// Code and Message are what the protocol calls the reason.
	Code    int
	Message string
	// Key and Value are the reason's context: what in the request was wrong.
	// Value is valid until Refused returns.
	Key   string
	Value []byte
	// Previous is what the session has instead of Value, for a mismatch.
	Previous string
	// Name names a context that has one, in the reference server's words.
	Name string
	// Head is the request head, valid until Refused returns; nil if Request is
	// set.
	Head    []byte
	Remote  net.Addr
	Request *http.Request
}

// turnAway counts, logs and reports a request that is not let in. conn is nil
// for a request that net/http has.
func (s *Server) turnAway(k refusal, conn *netpoll.Conn, r *netpoll.Request, q query,
	std *http.Request,
) {
	s.refused[k].Add(1)
	s.note(k, r)
	if s.opt.Refused == nil {
		return
	}
	f := &Refusal{Code: refusals[k].code, Message: refusals[k].message, Head: r.Raw, Request: std}
	if conn != nil {
		f.Remote = conn.RemoteAddr()
	}
	switch k {
	case transportUnknown, pollingOff:
		f.Key, f.Value = "transport", q.transport
	case sidUnknown:
		f.Key, f.Value = "sid", q.sid
	case badMethod:
		f.Key, f.Value = "method", r.Method
	case badVersion:
		f.Key, f.Value = "protocol", q.eio
	case originRefused:
		f.Name, f.Key, f.Value = "INVALID_ORIGIN", "origin", field(r, "origin")
	case badRequest:
		f.Name = "TRANSPORT_HANDSHAKE_ERROR"
	default:
		f.Key, f.Value = "message", []byte(f.Message)
	}
	s.opt.Refused(f)
}

// turnedAway counts and reports an exchange that is refused on its session's
// loop.
func (x *exchange) turnedAway(k refusal) {
	s := x.srv
	s.refused[k].Add(1)
	if s.opt.Refused == nil {
		return
	}
	f := &Refusal{Code: refusals[k].code, Message: refusals[k].message, Head: x.head,
		Remote: x.remote}
	switch {
	case k == sidUnknown:
		f.Key, f.Value = "sid", x.id.Append(nil)
	case k == badRequest && x.session != nil:
		x.mismatch(f)
	default:
		f.Key, f.Value = "message", []byte(f.Message)
	}
	s.opt.Refused(f)
}

// mismatch says how the request and its session differ: in the transport, then
// in the revision.
func (x *exchange) mismatch(f *Refusal) {
	transport, has := "polling", x.session.Transport()
	if x.kind == upgradeWS || x.kind == wrongWay && !x.upgrade {
		transport = "websocket"
	}
	if x.v4 == x.session.EIO3() && (x.upgrade || transport == has) {
		f.Name, f.Key, f.Value, f.Previous = "PROTOCOL_MISMATCH", "protocol", []byte("4"), "3"
		if !x.v4 {
			f.Value, f.Previous = []byte("3"), "4"
		}
		return
	}
	if !x.upgrade && transport == has { // the upgrade packet is being treated
		has = "websocket"
	}
	f.Name, f.Key, f.Value, f.Previous = "TRANSPORT_MISMATCH", "transport", []byte(transport), has
}

// forbade reports that AllowRequest refused a session.
func (x *exchange) forbade(err error) {
	if x.srv.opt.Refused == nil {
		return
	}
	f := &refusals[forbidden]
	x.srv.opt.Refused(&Refusal{Code: f.code, Message: f.message, Key: "message",
		Value: []byte(err.Error()), Head: x.head, Remote: x.remote})
}

// watched tells whether refusals are reported, so that heads are kept for it.
func (s *Server) watched() bool {
	return s.opt.Refused != nil && (s.opt.Watched == nil || s.opt.Watched())
}
