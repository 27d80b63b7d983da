package cli

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/throng-server/throng/internal/systemd"
	"github.com/throng-server/throng/socketio"
)

const (
	// defaultDrain is long enough that a balancer spreads the clients, and
	// short enough for what waits for a process to end.
	defaultDrain = 8 * time.Second
	// drainRest is what sessions may take that are about to end.
	drainRest = time.Second
)

// ending is the graceful end of a server.
type ending struct {
	drain time.Duration
	begun atomic.Bool
	// leave hands over what is not the public port; nil: there is nothing.
	leave func()
	// manager is set before the server is told to be listening.
	manager systemd.Manager
}

// within is the longest it may take.
func (e *ending) within() time.Duration {
	if e.drain == 0 {
		return shutdownTime
	}
	return e.drain + drainRest + shutdownTime
}

// run ends srv: asked by TERM it first sends the clients to other servers, one
// after the other. Somebody at a terminal does not wait for that.
func (e *ending) run(srv *socketio.Server, by os.Signal, log *slog.Logger) error {
	e.begun.Store(true)
	if e.leave != nil {
		e.leave()
	}
	if e.drain > 0 && by == syscall.SIGTERM {
		ctx, cancel := context.WithTimeout(context.Background(), e.drain+drainRest)
		if err := srv.Drain(ctx, e.drain); err != nil {
			log.Warn("some clients would not go", "error", err)
		}
		cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return srv.Shutdown(ctx)
}

// ready tells balancers whether to send new clients.
func (e *ending) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if e.begun.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "draining\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}
