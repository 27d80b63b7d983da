package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/throng-server/throng/socketio"
)

// Of pages, layout.html is around every page, and the other HTML files are
// what differs. snippets are shown on the index to be copied; the rest is
// served as it is under /assets.
//
//go:embed pages
var pages embed.FS

// policy lets the pages load scripts from their own server, which may send
// the browser to the client's CDN, and connect nowhere but home.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; " +
	"script-src 'self' https://cdn.socket.io; connect-src 'self' ws: wss:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// app is a page that shows a running application beside its source.
type app struct {
	Path, Name, Lead string
	content          string   // its file among pages
	Scripts          []string // the last one is its own and shown
	files            []string // its Go source, the first one shown open
}

var apps = []app{
	{"/chat", "Chat", "Rooms, who is there, who is typing. A background worker delivers what is said.",
		"chat.html", []string{"chat.js"}, []string{"chat.go", "rooms.go"}},
	{"/broadcast", "Broadcast", "What one window says, every window hears.",
		"broadcast.html", []string{"broadcast.js"}, []string{"broadcast.go"}},
	{"/test", "Test", "The classic console: every kind of event, rooms, a background task and round trips.",
		"test.html", []string{"test.js"}, []string{"console.go", "rooms.go"}},
	{"/compute", "Compute", "Long work in the background, with progress, while the server goes on answering.",
		"compute.html", []string{"chart.js", "compute.js"}, []string{"compute.go"}},
	{"/notify", "Notify", "An HTTP request from anywhere reaches everybody who has this page open.",
		"notify.html", []string{"notify.js"}, []string{"notify.go"}},
	{"/dashboard", "Dashboard", "What the machine and the server do, every second.",
		"dashboard.html", []string{"chart.js", "dashboard.js"}, []string{"dashboard.go", "machine.go"}},
}

// The system's own table may say otherwise.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".webp": "image/webp",
}

// Picture is the name of its screenshots, before the theme's.
func (a app) Picture() string { return path.Base(a.Path) }

// source is a file shown on a page, or a snippet on the index.
type source struct {
	What, Name string
	Code       template.HTML
	Open       bool // where there is room for it
}

// snippets are the index's examples of a client.
var snippets = [][2]string{
	{"Plain <script>", "plain.html"},
	{"ES module", "module.html"},
	{"React", "react.jsx"},
}

// Mount adds every application and its page to srv, before it listens. The
// pages load the browser client from srv's own path: set Options.ClientFiles.
func Mount(srv *socketio.Server) {
	Apps(srv)

	index := app{Path: "/", content: "index.html"}
	srv.HandleFunc("GET /{$}", index.serve())
	for _, a := range apps {
		srv.HandleFunc("GET "+a.Path, a.serve())
	}
	assets, err := fs.Glob(pages, "pages/*.[^h]*")
	must(err)
	pictures, err := fs.Glob(pages, "pages/pictures/*")
	must(err)
	for _, name := range append(assets, pictures...) {
		body := read(pages, name)
		srv.HandleFunc("GET /assets/"+path.Base(name),
			static(contentTypes[path.Ext(name)], []byte(body)))
	}
}

// serve renders the page, once, and returns its handler.
func (a app) serve() http.HandlerFunc {
	var view struct {
		app
		Client            bool // is there a connection to show?
		All               []app
		Sources, Snippets []source
	}
	view.app, view.All, view.Client = a, apps, len(a.Scripts) > 0
	for i, name := range a.files {
		view.Sources = append(view.Sources, source{"Server, Go", name,
			highlight(read(sources, name)), i == 0})
	}
	if n := len(a.Scripts); n > 0 {
		name := a.Scripts[n-1]
		view.Sources = append(view.Sources, source{"Client, JavaScript", name,
			highlight(read(pages, "pages/"+name)), false})
	}
	for _, s := range snippets {
		view.Snippets = append(view.Snippets, source{What: s[0], Name: s[1],
			Code: highlight(read(pages, "pages/snippets/"+s[1]))})
	}
	t, err := template.ParseFS(pages, "pages/layout.html", "pages/"+a.content)
	must(err)
	var b bytes.Buffer
	must(t.ExecuteTemplate(&b, "layout.html", view))
	return static("text/html; charset=utf-8", b.Bytes())
}

// static serves bytes that never change while the program runs.
func static(contentType string, body []byte) http.HandlerFunc {
	tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body))[:16])
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

func read(files embed.FS, name string) string {
	b, err := files.ReadFile(name)
	must(err)
	return string(b)
}

// must stops a program whose embedded files do not belong together; the tests
// render every page.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
