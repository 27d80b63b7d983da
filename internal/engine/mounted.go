package engine

import (
	"net/http"
	"strings"

	"github.com/throng-server/throng/netpoll"
)

// ServeHTTP answers Engine.IO requests on a connection that net/http has kept
// after an earlier request, as a proxy's keep-alive connection does. They are
// checked as on a loop. A session cannot be opened there: the connection no
// longer belongs to a loop. The answer closes it, and the client's next
// attempt comes on a new one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &netpoll.Request{
		Method: []byte(r.Method), Target: []byte(r.RequestURI), Path: []byte(r.URL.Path),
		Query: []byte(r.URL.RawQuery), ContentLength: r.ContentLength,
		Fields: []netpoll.HeaderField{{Name: []byte("Host"), Value: []byte(r.Host)}},
		Upgrade: strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
			strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade"),
	}
	for _, name := range []string{"Origin", "User-Agent"} {
		if v := r.Header.Get(name); v != "" {
			req.Fields = append(req.Fields,
				netpoll.HeaderField{Name: []byte(name), Value: []byte(v)})
		}
	}
	q := parseQuery(req.Query)
	k := s.check(req, q)
	if k == accepted {
		k = keptConnection
	}
	s.turnAway(k, nil, req, q, r)
	a := reply(k, req)
	w.Header().Set("Content-Type", a.ContentType)
	w.Header().Set("Connection", "close")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client may be gone
}
