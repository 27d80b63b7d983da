package engine

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/throng-server/throng/netpoll"
)

// corsPolicy is what cross-origin requests are told. A nil one says nothing.
type corsPolicy struct {
	any     bool
	origins []string
	// always are the lines of every response, pre those of a preflight.
	always, pre string
	echo        bool // allow whatever headers are asked for
}

// newCORS prepares the policy; nil while only the same origin is allowed.
func newCORS(o *Options) *corsPolicy {
	if len(o.CORSAllowedOrigins) == 0 {
		return nil
	}
	p := &corsPolicy{origins: o.CORSAllowedOrigins}
	for _, origin := range o.CORSAllowedOrigins {
		p.any = p.any || origin == "*"
	}
	if o.CORSCredentials {
		p.always += "Access-Control-Allow-Credentials: true\r\n"
	}
	if len(o.CORSExposedHeaders) > 0 {
		p.always += "Access-Control-Expose-Headers: " +
			strings.Join(o.CORSExposedHeaders, ",") + "\r\n"
	}
	methods := "GET,HEAD,PUT,PATCH,POST,DELETE"
	if len(o.CORSMethods) > 0 {
		methods = strings.Join(o.CORSMethods, ",")
	}
	p.pre = "Access-Control-Allow-Methods: " + methods + "\r\n"
	if len(o.CORSAllowedHeaders) > 0 {
		p.pre += "Access-Control-Allow-Headers: " + strings.Join(o.CORSAllowedHeaders, ",") + "\r\n"
	} else {
		p.echo = true
	}
	if o.CORSMaxAge > 0 {
		p.pre += "Access-Control-Max-Age: " +
			strconv.Itoa(int(o.CORSMaxAge.Seconds())) + "\r\n"
	}
	return p
}

func (p *corsPolicy) allows(origin []byte) bool {
	if p.any {
		return true
	}
	for _, o := range p.origins {
		if strings.EqualFold(o, string(origin)) {
			return true
		}
	}
	return false
}

// origin returns the line that names the allowed origin, or none.
func (p *corsPolicy) origin(origin []byte) string {
	switch {
	case p.any:
		return "Access-Control-Allow-Origin: *\r\n"
	case len(origin) > 0 && p.allows(origin):
		return "Access-Control-Allow-Origin: " + string(origin) + "\r\n"
	}
	return ""
}

// header returns the lines for a response to a request with that Origin.
func (p *corsPolicy) header(origin []byte) string {
	if p == nil {
		return ""
	}
	vary := "Vary: Origin\r\n"
	if p.any {
		vary = ""
	}
	return p.origin(origin) + vary + p.always
}

// preflight answers OPTIONS.
func (p *corsPolicy) preflight(r *netpoll.Request) netpoll.Reply {
	h := p.origin(field(r, "origin")) + p.always + p.pre
	var vary []string
	if !p.any {
		vary = append(vary, "Origin")
	}
	if p.echo {
		vary = append(vary, "Access-Control-Request-Headers")
		if asked := field(r, "access-control-request-headers"); len(asked) > 0 {
			h += "Access-Control-Allow-Headers: " + string(asked) + "\r\n"
		}
	}
	if len(vary) > 0 {
		h += "Vary: " + strings.Join(vary, ", ") + "\r\n"
	}
	return netpoll.Reply{Status: http.StatusNoContent, Header: h + "Content-Length: 0\r\n"}
}

// SetOrigins changes Options.CORSAllowedOrigins for requests from now on. Any
// goroutine.
func (s *Server) SetOrigins(list []string) {
	o := s.opt
	o.CORSAllowedOrigins = list
	s.cors.Store(newCORS(&o))
}

// CORS adds the headers for a response of net/http below the path, as the
// client files. Any goroutine.
func (s *Server) CORS(h http.Header, r *http.Request) {
	addLines(h, s.cors.Load().header([]byte(r.Header.Get("Origin"))))
}

// addLines adds whole header lines to h.
func addLines(h http.Header, lines string) {
	for line := range strings.SplitSeq(lines, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
}

// cookie returns the line that sets the cookie of a new session.
func (s *Server) cookie(sid string) string {
	if s.opt.Cookie == nil {
		return ""
	}
	c := *s.opt.Cookie
	c.Value = sid
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	c.HttpOnly = true
	return "Set-Cookie: " + c.String() + "\r\n"
}
