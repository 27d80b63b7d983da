package socketio

import (
	"fmt"
	"net/http"
	"strings"
)

// Handle serves other HTTP requests on the same port; see http.ServeMux, whose
// patterns these are, and which panics when two of them conflict. A pattern
// for Options.Path or below it panics, too: Engine.IO answers there, and no
// other handler would ever be asked.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.checkPattern(pattern)
	s.mux.Handle(pattern, h)
}

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	s.checkPattern(pattern)
	s.mux.HandleFunc(pattern, f)
}

// checkPattern panics with a pattern that would never be asked. Patterns that
// mean more than Options.Path, such as "GET /", are all right: what is ours
// does not come to the mux.
func (s *Server) checkPattern(pattern string) {
	at := strings.IndexByte(pattern, '/')
	if at < 0 || !s.ours(pattern[at:]) {
		return
	}
	panic(fmt.Sprintf("socketio: a handler for %q would never be asked: Engine.IO answers at %s and "+
		"below it (Options.Path)", pattern, strings.TrimSuffix(s.opt.Path, "/")))
}

// ours tells whether a path is Options.Path, with its last slash or without, or
// below it.
func (s *Server) ours(path string) bool {
	return strings.HasPrefix(path, s.opt.Path) || path == strings.TrimSuffix(s.opt.Path, "/")
}

// serveHTTP answers what net/http has: requests of handlers beside Socket.IO
// and, below the path, client files and whatever comes on a connection that was
// kept.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.ours(r.URL.Path) {
		s.mux.ServeHTTP(w, r)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, s.opt.Path); ok && s.clientFile([]byte(name)) {
		s.eng.CORS(w.Header(), r)
		s.opt.ClientFiles.ServeHTTP(w, r)
		return
	}
	s.eng.ServeHTTP(w, r)
}

// clientFile tells which names below the path are the browser client's.
func (s *Server) clientFile(name []byte) bool {
	if s.opt.ClientFiles == nil {
		return false
	}
	switch string(name) {
	case "socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js",
		"socket.io.js.map", "socket.io.min.js.map", "socket.io.msgpack.min.js.map",
		"socket.io.esm.min.js.map":
		return true
	}
	return false
}
