package httpapi

import (
	"context"
	_ "embed" // openapi.json
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/internal/metrics"
	"github.com/throng-server/throng/socketio"
)

//go:embed openapi.json
var openapi []byte

// Settings may change while requests are served.
type Settings struct {
	// Keys, each NAME:sha256:HEX, the SHA-256 of the key; the name may be empty.
	// Without keys every request is refused.
	Keys []string
	// MaxBody bounds a request's body in bytes.
	MaxBody int
	// Timeout bounds a request.
	Timeout time.Duration
	// Rate is how many requests of a key are served a second; 0: all.
	Rate float64
}

// API serves /api/v1/. Its methods are safe for any goroutine.
type API struct {
	srv   *socketio.Server
	log   *slog.Logger
	mux   *http.ServeMux
	now   atomic.Pointer[inForce]
	mu    sync.Mutex
	calls map[metrics.Call]uint64
}

// inForce is what Settings have been made into.
type inForce struct {
	Settings
	keys []key
}

// New makes the API of a server that has started, or will. It refuses everything
// until Set.
func New(srv *socketio.Server, log *slog.Logger) *API {
	a := &API{srv: srv, log: log, mux: http.NewServeMux(), calls: make(map[metrics.Call]uint64)}
	a.now.Store(&inForce{})
	a.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openapi) // the client may be gone
	})
	for _, e := range endpoints {
		a.mux.Handle(e.method+" /api/v1/"+e.path, a.guard(e))
	}
	a.mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		write(w, a.stranger(r))
	})
	return a
}

// Set puts settings in force, for requests from now on.
func (a *API) Set(s Settings) {
	f := &inForce{Settings: s}
	for _, entry := range s.Keys {
		if k, ok := newKey(entry, s.Rate); ok {
			f.keys = append(f.keys, k)
		}
	}
	a.now.Store(f)
}

// Calls returns the requests served since the start.
func (a *API) Calls() map[metrics.Call]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.calls)
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// endpoint is one kind of request. serve returns what is sent as JSON; an error
// is a *Problem, or one of the library.
type endpoint struct {
	method, path string
	serve        func(a *API, r *http.Request) (any, error)
}

var endpoints = []endpoint{
	{"POST", "emit", (*API).emit},
	{"POST", "join", (*API).join},
	{"POST", "leave", (*API).leave},
	{"POST", "disconnect", (*API).disconnect},
	{"POST", "close_room", (*API).closeRoom},
	{"GET", "rooms", (*API).rooms},
	{"GET", "rooms/{room}/sockets", (*API).sockets},
	{"GET", "stats", (*API).stats},
}

// guard lets requests with a key through.
func (a *API) guard(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := a.now.Load()
		name, problem := f.admit(r, time.Now())
		var body any
		if problem == nil {
			body, problem = a.serve(f, e, w, r)
		} else if problem.Status == http.StatusUnauthorized {
			a.log.Warn("httpapi: a request without a valid key", "endpoint", e.path,
				"remote", r.RemoteAddr)
		}
		status := http.StatusOK
		if problem != nil {
			status = problem.Status
		}
		a.log.Debug("httpapi: request", "endpoint", e.path, "key", name, "status", status,
			"remote", r.RemoteAddr)
		a.mu.Lock()
		a.calls[metrics.Call{Endpoint: e.path, Status: status}]++
		a.mu.Unlock()
		if problem != nil {
			write(w, problem)
			return
		}
		send(w, status, "application/json", body)
	})
}

// grace is how long reading and writing may take beyond the answer.
const grace = 5 * time.Second

func (a *API) serve(f *inForce, e endpoint, w http.ResponseWriter, r *http.Request) (any, *Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), f.Timeout)
	defer cancel()
	c := http.NewResponseController(w)
	// Only recorders of tests have no deadlines.
	_ = errors.Join(c.SetReadDeadline(time.Now().Add(f.Timeout)),
		c.SetWriteDeadline(time.Now().Add(f.Timeout+grace)))
	r.Body = http.MaxBytesReader(w, r.Body, int64(f.MaxBody))
	body, err := e.serve(a, r.WithContext(ctx))
	return body, problemOf(err)
}

// stranger is the answer to a path or method that is not there.
func (a *API) stranger(r *http.Request) *Problem {
	for _, method := range []string{"GET", "POST"} {
		alike := *r
		alike.Method = method
		if _, pattern := a.mux.Handler(&alike); pattern != "/api/v1/" {
			return &Problem{Type: "method", Status: http.StatusMethodNotAllowed,
				Detail: "this needs " + method, allow: method}
		}
	}
	return &Problem{Type: "path", Status: http.StatusNotFound,
		Detail: "there is no " + r.URL.Path + "; see /api/v1/openapi.json"}
}

// read decodes the body of a request, which has only fields of v.
func read(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/json" {
		return &Problem{Type: "content-type", Status: http.StatusUnsupportedMediaType,
			Detail: "Content-Type is not application/json"}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something stands behind the object")
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &Problem{Type: "body-size", Status: http.StatusRequestEntityTooLarge,
			Detail: "the body is larger than api.max_body allows"}
	case err != nil:
		return invalid("the body is not what it should be: %v", err)
	}
	return nil
}
