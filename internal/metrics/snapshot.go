package metrics

import (
	"time"

	"github.com/throng-server/throng/socketio"
)

// Snapshot is what a scrape shows.
type Snapshot struct {
	socketio.Stats
	// Namespaces that have a label of their own.
	Namespaces []string
	// Version of the binary, of the browser client and of Go.
	Version, ClientVersion, GoVersion string
	// Unhandled events: no application took them.
	Unhandled uint64
	// App is nil without an application.
	App *App
	// Reloads of the configuration, by result, and the last good one.
	ReloadsOK, ReloadsFailed uint64
	LastReloadOK             bool
	LastReload               time.Time
	// API counts requests by endpoint and status.
	API map[Call]uint64
	// SocketIONames: also those of npm's socket.io-prometheus.
	SocketIONames bool
}

// AppStream is one stream of calls to workers.
type AppStream struct {
	Name                                                      string
	Connected                                                 bool
	Length, Pending, Kept, Waiting                            int
	Added, Answers, Orphans, Redelivered, Dead, Late, Unknown uint64
}

// Call is a kind of request to the HTTP API.
type Call struct {
	Endpoint string
	Status   int
}

// App is what the way to the application has counted.
type App struct {
	Calls, Requests, Batches, Retried uint64
	// Failures by code.
	Failures              map[string]uint64
	Waiting, Flying, Down int
	Streams               []AppStream
}

// sockets sums the sockets by label.
func (s *Snapshot) sockets() map[string]int {
	m := map[string]int{"/": 0}
	for _, n := range s.Namespaces {
		m[n] = 0
	}
	for name, n := range s.Sockets {
		if _, known := m[name]; !known {
			name = other
		}
		m[name] += n
	}
	return m
}

const other = "other"

func (s *Snapshot) sessions() float64 {
	var began, ended uint64
	for _, n := range s.Handshakes {
		began += n
	}
	for _, n := range s.Disconnects {
		ended += n
	}
	return float64(began - min(began, ended))
}

func (s *Snapshot) mostLag() (lag uint64) {
	for _, n := range s.Cluster.Nodes {
		lag = max(lag, n.Lag)
	}
	return lag
}
