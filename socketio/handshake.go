package socketio

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/throng-server/throng/internal/engine"
)

// Handshake is what a client said when it connected. It is whole in
// middleware and connection handlers; afterwards the server keeps only what
// Options.KeepHeaders names (or everything, with Options.KeepHandshake). A
// Handshake the application holds on to stays as it is.
type Handshake struct {
	// Header holds the request's header fields.
	Header http.Header
	// Query holds the parameters of the URL.
	Query url.Values
	// URL is the request target.
	URL string
	// Host is the host the request named.
	Host string
	// Address is the client's address, "ip:port". Behind a proxy it is the
	// proxy's, or "ip" of the client as told by one of Options.TrustedProxies.
	Address string
	// Secure tells that the client came by https, as such a proxy says.
	Secure bool
	// Time is when the connection was upgraded.
	Time time.Time
	// XDomain tells that the request had an Origin header.
	XDomain bool
	// Auth is the object the client connected to the namespace with, "{}" if
	// it sent none.
	Auth json.RawMessage
}

// DecodeAuth decodes the client's auth object into v.
func (h *Handshake) DecodeAuth(v any) error { return json.Unmarshal(h.Auth, v) }

// Handshake returns what the client said when it connected, never nil.
func (s *Socket) Handshake() *Handshake {
	var h *Handshake
	s.edit(false, func(x *extra) {
		if x.handshake == nil && x.head != nil {
			x.handshake = s.makeHandshake(x)
		}
		h = x.handshake
	})
	if h == nil {
		h = &Handshake{Header: http.Header{}, Query: url.Values{}, Auth: json.RawMessage("{}")}
	}
	return h
}

func (s *Socket) makeHandshake(x *extra) *Handshake {
	h := &Handshake{Header: http.Header{}, Query: url.Values{}, Time: x.opened, Auth: x.auth}
	if x.remote != nil {
		h.Address = x.remote.String()
	}
	if len(h.Auth) == 0 {
		h.Auth = json.RawMessage("{}")
	}
	// The head was good enough for the upgrade; should net/http be stricter,
	// the fields stay empty.
	if r, err := engine.ParseHead(x.head, h.Address); err == nil {
		h.Header, h.URL, h.Host = r.Header, r.RequestURI, r.Host
		h.Query = r.URL.Query()
		h.XDomain = r.Header.Get("Origin") != ""
		h.Address, h.Secure = viaProxies(s.ns.srv.opt.TrustedProxies, h.Address, r.Header)
	}
	return h
}

// release frees the handshake but for what the options keep. Loop only.
func (s *Socket) release() {
	o := &s.ns.srv.opt
	if o.KeepHandshake {
		return
	}
	s.edit(false, func(x *extra) {
		var kept *Handshake
		if len(o.KeepHeaders) > 0 && (x.head != nil || x.handshake != nil) {
			full := x.handshake
			if full == nil {
				full = s.makeHandshake(x)
			}
			kept = keepHeaders(full, o.KeepHeaders)
		}
		x.head, x.auth, x.remote, x.handshake = nil, nil, nil, kept
	})
	s.shrink()
}

func keepHeaders(full *Handshake, names []string) *Handshake {
	kept := &Handshake{Header: http.Header{}, Query: url.Values{}, Auth: json.RawMessage("{}")}
	for _, name := range names {
		name = http.CanonicalHeaderKey(name)
		if v, ok := full.Header[name]; ok {
			kept.Header[name] = v
		}
	}
	return kept
}
