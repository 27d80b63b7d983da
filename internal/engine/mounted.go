package engine

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/throng-server/throng/netpoll"
)

// ServeHTTP answers Engine.IO requests on a connection that net/http has: one
// that was handed over for an earlier request, as a browser's or a proxy's
// keep-alive connection is, or one of a server of the application's own. They
// are decided on the loops like any other; the handler's goroutine waits. A
// WebSocket leaves net/http and is carried to a loop (netpoll.Server.Tunnel).
// Before the loops run the answer is 503.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &netpoll.Request{}
	if s.nloops.Load() == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err := r.Parse(headOf(hr)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.ContentLength, r.Chunked = 0, false // net/http reads the body
	q := parseQuery(r.Query)
	if r.Upgrade && s.websock && !s.foreign(&q) {
		s.carry(w, hr, r)
		return
	}
	cors := s.cors.Load()
	if cors != nil && hr.Method == "OPTIONS" {
		write(w, cors.preflight(r))
		return
	}
	header := cors.header(field(r, "origin"))
	kind, home, k := s.route(r, &q)
	if k == accepted && s.crowded(kind, r, func() net.Addr { return textAddr(hr.RemoteAddr) }) {
		k = addressFull
	}
	if k == forwarded {
		s.opt.Elsewhere.Forward(q.id.Node, w, hr)
		return
	}
	if k != accepted {
		s.turnAway(k, nil, r, q, hr)
		if k == serverDraining {
			panic(http.ErrAbortHandler)
		}
		reply := replyTo(k, false)
		reply.Header = header
		write(w, reply)
		return
	}
	x := s.exchange(kind, r, &q, header)
	x.out = make(chan netpoll.Reply, 1)
	if x.home = home; home == nil {
		x.home = s.loops[s.turn.Add(1)%uint32(s.nloops.Load())].Load()
	}
	x.remote = textAddr(hr.RemoteAddr)
	s.await(w, hr, x)
}

// await takes the exchange through its steps and writes the answer.
func (s *Server) await(w http.ResponseWriter, hr *http.Request, x *exchange) {
	if x.kind == pollPost {
		x.announce()
		body, err := io.ReadAll(io.LimitReader(hr.Body, int64(s.opt.MaxPayload)+1))
		switch {
		case err != nil:
			x.lost(netpoll.ErrPeerGone)
			panic(http.ErrAbortHandler)
		case len(body) > s.opt.MaxPayload:
			x.lost(nil)
			write(w, netpoll.Reply{Status: 413, Header: x.header, Close: true})
			return
		}
		x.body = body
	}
	if s.hooked(x.kind) {
		header, err := s.ask(x.kind, hr)
		if err != nil {
			x.lost(nil)
			write(w, x.forbid(err))
			return
		}
		x.more = header
	}
	x.visit()
	select {
	case reply := <-x.out:
		write(w, reply)
	case <-hr.Context().Done():
		x.lost(netpoll.ErrPeerGone)
	}
}

// write writes a reply by net/http. Status 0 cuts the connection.
func write(w http.ResponseWriter, r netpoll.Reply) {
	if r.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	addLines(h, r.Header)
	if r.ContentType != "" {
		h.Set("Content-Type", r.ContentType)
	} else {
		h["Content-Type"] = nil // no guess
	}
	if r.Close {
		h.Set("Connection", "close")
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the client may be gone
}

// carry hands a WebSocket's request, and its connection, to a loop.
func (s *Server) carry(w http.ResponseWriter, hr *http.Request, r *netpoll.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, http.ErrNotSupported) {
			status = http.StatusHTTPVersionNotSupported // HTTP/2 has no such upgrade
		}
		w.WriteHeader(status)
		return
	}
	prefix := bytes.Clone(r.Raw)
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // they are there
		prefix = append(prefix, early...)
	}
	l := s.loops[0].Load()
	if err := l.Server().Tunnel(conn, prefix); err != nil {
		s.opt.Logger.Warn("engine: cannot take a WebSocket over from net/http", "error", err)
	}
}

// headOf writes the head of a request again, without what frames a body.
func headOf(r *http.Request) []byte {
	var b bytes.Buffer
	b.WriteString(r.Method + " " + r.RequestURI + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	h := r.Header.Clone()
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Host"} {
		h.Del(name)
	}
	_ = h.Write(&b) // a Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
}

// textAddr is an address that net/http gives as text.
type textAddr string

// Network implements net.Addr.
func (textAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a textAddr) String() string { return string(a) }

var _ net.Addr = textAddr("")
