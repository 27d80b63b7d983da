package demo

import (
	"embed"
	"net/http"

	"github.com/throng-server/throng/socketio"
)

//go:embed pages
var pages embed.FS

// policy lets the pages load scripts from their own server, which may send
// the browser to the client's CDN, and connect nowhere but home.
const policy = "default-src 'none'; style-src 'self'; img-src data:; " +
	"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount adds every demo and its page to srv, before it listens. The pages
// load the browser client from srv's own path: set Options.ClientFiles.
func Mount(srv *socketio.Server) {
	Apps(srv)

	srv.HandleFunc("GET /{$}", page("index.html"))
	srv.HandleFunc("GET /chat", page("chat.html"))
	srv.HandleFunc("GET /broadcast", page("broadcast.html"))
	for _, name := range []string{"style.css", "page.js", "chat.js", "broadcast.js"} {
		srv.HandleFunc("GET /assets/"+name, page(name))
	}
}

// page serves one embedded file.
func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pages, "pages/"+name)
	}
}
