package engine

import (
	"bytes"
	"net"
	"net/url"
	"strings"

	"github.com/throng-server/throng/netpoll"
)

// originAllowed applies the origin policy: without an Origin header the client
// is no browser and passes; otherwise the origin must be listed in
// Options.CORSAllowedOrigins, or, while that is empty, name the host and port
// the request was sent to. Default ports follow the scheme of the Origin,
// because that is how the browser reached us, whatever proxy is between.
func (s *Server) originAllowed(r *netpoll.Request) bool {
	origin := field(r, "origin")
	if len(origin) == 0 {
		return true
	}
	if p := s.cors.Load(); p != nil {
		return p.allows(origin)
	}
	return sameOrigin(origin, field(r, "host"))
}

func sameOrigin(origin, host []byte) bool {
	i := bytes.Index(origin, []byte("://"))
	if len(host) == 0 || string(origin) == "null" {
		return false
	}
	if i < 0 {
		// WebSockets of Socket.IO clients 1.0 to 1.3 in Node say the host and
		// port they connect to. No browser sends an Origin without a scheme.
		return bytes.EqualFold(origin, host)
	}
	rest := origin[i+3:]
	if bytes.EqualFold(rest, host) {
		return true
	}
	u, err := url.Parse(string(origin))
	if err != nil || u.Host == "" {
		return false
	}
	port := "80"
	if strings.EqualFold(u.Scheme, "https") {
		port = "443"
	}
	oh, op := splitPort(u.Host, port)
	hh, hp := splitPort(string(host), port)
	return strings.EqualFold(oh, hh) && op == hp
}

// splitPort splits host:port, with a default for a missing port.
func splitPort(hostport, port string) (string, string) {
	if h, p, err := net.SplitHostPort(hostport); err == nil {
		if p == "" {
			p = port
		}
		return h, p
	}
	return strings.Trim(hostport, "[]"), port
}
