package cli

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/throng-server/throng/internal/systemd"
	"github.com/throng-server/throng/socketio"
)

// shutdownTime bounds a graceful end once the clients are sent away.
const shutdownTime = 10 * time.Second

// errUnasked is the end of the event loops that nobody asked for.
var errUnasked = errors.New("the event loops ended unasked")

// run serves until a signal: the first TERM or INT ends gracefully, as end
// says, the second at once. listening is called with the address; if it fails,
// that is the end.
func run(srv *socketio.Server, end *ending, log *slog.Logger,
	listening func(addr string) error,
) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	socketio.TuneProcessors(srv.Loops())
	socketio.TuneMemory()
	manager := systemd.FromEnv()
	end.manager = manager
	if err := srv.Start(); err != nil {
		return &codeError{startCode(err), err}
	}
	boot(srv, log)
	if err := listening(srv.Addr().String()); err != nil {
		return &codeError{exitRuntime, err}
	}

	manager.Ready(serving(srv))
	over := make(chan struct{})
	defer close(over)
	go manager.Watch(over, func() bool { return moving(srv) })

	ended := make(chan error, 1)
	go func() { ended <- srv.Wait() }()
	var by os.Signal
	select {
	case err := <-ended:
		return &codeError{exitEngine, errors.Join(errUnasked, err)}
	case by = <-signals:
		log.Info("shutting down", "signal", by.String(), "within", end.within())
	}

	manager.Stopping("sending clients away")
	done := make(chan error, 1)
	go func() { done <- end.run(srv, by, log) }()
	select {
	case s := <-signals:
		return &codeError{exitRuntime, errors.New("ended at once by a second " + s.String())}
	case err := <-done:
		if err != nil {
			return &codeError{exitRuntime, err}
		}
	}
	log.Info("ended")
	return nil
}

// serving is what the service manager shows.
func serving(srv *socketio.Server) string { return "serving " + srv.Addr().String() }

// stuckAfter is how long a loop may be silent, with a tick each second, before
// the service manager is not told any more that the process is alive.
const stuckAfter = 5 * time.Second

// moving tells whether all loops take up their ticks.
func moving(srv *socketio.Server) bool {
	return !slices.ContainsFunc(srv.Stats().Loops,
		func(l socketio.LoopStats) bool { return l.Silent > stuckAfter })
}

// boot logs what bounds this process.
func boot(srv *socketio.Server, log *slog.Logger) {
	attrs := []any{"version", versionString(), "listen", srv.Addr().String(),
		"loops", srv.Loops(), "gomaxprocs", runtime.GOMAXPROCS(0)}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		attrs = append(attrs, "open_files", limit.Cur)
	}
	st := srv.Stats()
	attrs = append(attrs, "max_connections", st.ConnectionsLimit)
	if c := st.Cluster; c.Broker != "" {
		attrs = append(attrs, "broker", c.Broker, "connected", c.Connected)
	}
	log.Info("listening", attrs...)
}
