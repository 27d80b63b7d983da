package demo

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/throng-server/throng/socketio"
)

// watchEvery is the time between two updates while somebody watches.
const watchEvery = time.Second

// Dashboard shows how busy the machine and the server are, in the namespace
// /dashboard. Clients receive, each second and whenever somebody asks for
// GET or POST /trigger_metrics,
//
//	metrics_update {cpu, memory}     percent of the machine's
//	server_update  {connections, messages_in, messages_out, loop_lag_ms}
func Dashboard(srv *socketio.Server) {
	ns := srv.Of("/dashboard")
	ns.OnError(tellSender)
	g := &gauges{srv: srv}

	trigger := func(w http.ResponseWriter, r *http.Request) {
		if err := g.show(r.Context(), ns.All()); err != nil {
			reply(w, http.StatusInternalServerError, failure{err.Error()})
			return
		}
		reply(w, http.StatusOK, done{"Metrics update triggered"})
	}
	srv.HandleFunc("GET /trigger_metrics", trigger)
	srv.HandleFunc("POST /trigger_metrics", trigger)

	// The task sleeps until somebody comes and ticks until everybody has gone.
	wake := make(chan struct{}, 1)
	ns.OnConnection(func(*socketio.Socket) {
		select {
		case wake <- struct{}{}:
		default: // it has been told
		}
	})
	_ = srv.Go(func(ctx context.Context) {
		for {
			select {
			case <-wake:
				watch(ctx, ns, g)
			case <-ctx.Done():
				return
			}
		}
	})
}

// watch shows the figures each second while the namespace has sockets.
func watch(ctx context.Context, ns *socketio.Namespace, g *gauges) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		// Local: with several servers in a cluster each shows its own figures to
		// its own clients.
		_ = g.show(ctx, ns.Local())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if ns.Len() == 0 {
			return
		}
	}
}

// gauges turn counters into figures a second: the difference to what the
// counters said before. Any goroutine.
type gauges struct {
	srv *socketio.Server

	mu      sync.Mutex
	last    reading
	machine machineFigures // of the last two readings
	server  serverFigures
}

// reading is what the counters said at a time.
type reading struct {
	at          time.Time
	cpu         cpuTime
	in, out     uint64 // messages
	connections int
	lag         time.Duration
}

const (
	// shortest is the least time over which differences mean something.
	shortest = 100 * time.Millisecond
	// longest is how old a reading may be that an update refers to.
	longest = 3 * watchEvery
)

// show sends the figures to receivers in the namespace.
func (g *gauges) show(ctx context.Context, to socketio.Broadcast) error {
	machine, server, err := g.read(ctx)
	if err != nil {
		return err
	}
	if err := to.Emit("metrics_update", machine); err != nil {
		return err
	}
	return to.Emit("server_update", server)
}

// read returns the figures, after a short wait if there is nothing recent to
// compare with.
func (g *gauges) read(ctx context.Context) (machineFigures, serverFigures, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if age := time.Since(g.last.at); age < shortest {
		return g.machine, g.server, nil // as good as new ones
	} else if age > longest {
		first, err := g.counters()
		if err != nil {
			return machineFigures{}, serverFigures{}, err
		}
		g.last = first
		select {
		case <-time.After(shortest):
		case <-ctx.Done():
			g.last = reading{} // there are no figures of it
			return machineFigures{}, serverFigures{}, ctx.Err()
		}
	}
	now, err := g.counters()
	if err != nil {
		return machineFigures{}, serverFigures{}, err
	}
	memory, err := memoryUse()
	if err != nil {
		return machineFigures{}, serverFigures{}, err
	}
	seconds := now.at.Sub(g.last.at).Seconds()
	g.machine = machineFigures{CPU: round(now.cpu.use(g.last.cpu)), Memory: round(memory)}
	g.server = serverFigures{
		Connections: now.connections,
		MessagesIn:  round(float64(now.in-g.last.in) / seconds),
		MessagesOut: round(float64(now.out-g.last.out) / seconds),
		LoopLag:     float64(now.lag.Microseconds()) / 1000,
	}
	g.last = now
	return g.machine, g.server, nil
}

// counters returns what the counters say now.
func (g *gauges) counters() (reading, error) {
	cpu, err := cpuCounters()
	st := g.srv.Stats()
	now := reading{at: time.Now(), cpu: cpu, connections: st.Connections,
		in: st.MessagesIn, out: st.MessagesOut}
	for _, loop := range st.Loops {
		now.lag = max(now.lag, loop.Lag) // of the one that is latest
	}
	return now, err
}

type machineFigures struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
}

type serverFigures struct {
	Connections int     `json:"connections"`
	MessagesIn  float64 `json:"messages_in"`
	MessagesOut float64 `json:"messages_out"`
	LoopLag     float64 `json:"loop_lag_ms"`
}
