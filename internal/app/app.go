package app

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/socketio"
)

// App is the application of the namespaces of a server. Any goroutine.
type App struct {
	o         Options
	endpoints map[string]*endpoint // by URL
	transport *http.Transport
	workers   map[string]*workers // by stream
	ports     map[string]*port    // by namespace
	prefix    string
	ids       atomic.Uint64
	fails     tally
	// settle is how long a socket may take from agreed to accepted.
	settle time.Duration

	calls, failed atomic.Uint64
	mu            sync.Mutex // of ports
}

// port is a namespace of an App.
type port struct {
	app *App
	o   *Options
	ns  *socketio.Namespace
	e   *endpoint // or
	w   *workers
}

// New makes an App of which no namespace is part yet.
func New(o Options) (*App, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &App{o: o, endpoints: make(map[string]*endpoint), workers: make(map[string]*workers),
		ports: make(map[string]*port), settle: 30 * time.Second}
	a.fails.log = o.Logger
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	a.prefix = hex.EncodeToString(random[:]) + "-"
	a.transport = newTransport(&a.o)
	urls := slices.Collect(maps.Values(o.Namespaces))
	if o.URL != "" {
		urls = append(urls, o.URL)
	}
	for _, u := range urls {
		if a.endpoints[u] != nil {
			continue
		}
		if a.endpoints[u], err = newEndpoint(u, &a.o, a.transport); err != nil {
			return nil, err
		}
	}
	return a, a.openStreams()
}

// Mount makes the application handle a namespace, before clients connect;
// false: it has no endpoint.
func (a *App) Mount(ns *socketio.Namespace) bool {
	url, stream := a.o.way(ns.Name())
	if url == "" && stream == "" {
		return false
	}
	p := &port{app: a, o: &a.o, ns: ns, e: a.endpoints[url], w: a.workers[stream]}
	a.mu.Lock()
	a.ports[ns.Name()] = p
	a.mu.Unlock()
	ns.Use(p.connect)
	ns.OnConnection(p.connected)
	ns.OnUnhandled(p.event)
	ns.OnDisconnect(p.disconnect)
	return true
}

// Close logs what was counted and not logged yet. The server must have ended.
func (a *App) Close() {
	for _, w := range a.workers {
		w.close()
	}
	a.fails.flush()
	a.transport.CloseIdleConnections()
}

// Stats are sums since the start.
type Stats struct {
	Calls    uint64            // things that happened to sockets
	Failed   uint64            // of them, those that were not handled
	Failures map[string]uint64 // those, by code
	Requests uint64            // to endpoints
	Batches  uint64            // of them, those with several calls
	Retried  uint64            // of them, repeated ones
	Waiting  int               // calls that wait for their turn now
	Flying   int               // requests under way now
	Down     int               // endpoints that are not asked now because they failed

	// Streams has those of all streams, by name.
	Streams []StreamStats
}

// Stats returns the sums.
func (a *App) Stats() Stats {
	s := Stats{Calls: a.calls.Load(), Failed: a.failed.Load(), Failures: a.fails.sums()}
	for _, e := range a.endpoints {
		s.Requests += e.requests.Load()
		s.Batches += e.batches.Load()
		s.Retried += e.retried.Load()
		if e.brk.down() {
			s.Down++
		}
		e.mu.Lock()
		s.Waiting += len(e.waiting)
		s.Flying += e.flying
		e.mu.Unlock()
	}
	for _, name := range slices.Sorted(maps.Keys(a.workers)) {
		s.Streams = append(s.Streams, a.workers[name].stats())
	}
	return s
}

func (a *App) nextID() string { return a.prefix + strconv.FormatUint(a.ids.Add(1), 36) }
