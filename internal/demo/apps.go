package demo

import (
	"embed"
	"net/http"

	"github.com/throng-server/throng/socketio"
)

// sources are the files that the pages show beside the running applications.
//
//go:embed chat.go rooms.go broadcast.go console.go compute.go notify.go
//go:embed dashboard.go machine.go problem.go
var sources embed.FS

// Apps adds every application, without its page, to srv before it listens.
// Clients 1.x and 2.x are let in if Options.AllowEIO3 is set.
func Apps(srv *socketio.Server) {
	Chat(srv)
	Broadcast(srv)
	Console(srv)
	Compute(srv)
	Notify(srv)
	Dashboard(srv)

	srv.HandleFunc("GET /source/{name}", func(w http.ResponseWriter, r *http.Request) {
		text, err := sources.ReadFile(r.PathValue("name"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(text)
	})
}
