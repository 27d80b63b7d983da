package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/throng-server/throng/internal/clientjs"
	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/internal/health"
	"github.com/throng-server/throng/internal/lastport"
	"github.com/throng-server/throng/internal/metrics"
)

// Bounds of the internal port. Profiles take as long as they are asked to, and
// the API sets its own deadlines.
const (
	internalHeadTime = 5 * time.Second
	internalIdleTime = 60 * time.Second
	internalHeadSize = 16 << 10
)

// listenInternal opens the internal port; nil if there is none. An address that
// nobody has asked for may be taken, by another instance for example. Servers
// that share their public port share it, too.
func (s *service) listenInternal() (net.Listener, error) {
	l := s.settings.now.Load()
	if l.Internal.Listen == "off" {
		return nil, nil
	}
	var ln net.Listener
	var err error
	if l.ReusePort {
		ln, err = s.shareInternal(l.Internal.Listen)
	} else {
		ln, err = net.Listen("tcp", l.Internal.Listen)
	}
	if err == nil {
		return ln, nil
	}
	asked := l.Origins["internal.listen"].Source != config.FromDefault
	if !asked && errors.Is(err, syscall.EADDRINUSE) {
		s.log.Warn("no internal port: the default address is taken; set internal.listen",
			"address", l.Internal.Listen)
		return nil, nil
	}
	return nil, &codeError{exitRuntime, err}
}

// shareInternal takes the internal port over from a server that this one
// replaces, as it takes the public one over.
func (s *service) shareInternal(addr string) (net.Listener, error) {
	ln, err := lastport.Listen(addr)
	if ln == nil {
		return nil, err
	}
	if err != nil {
		s.log.Warn("other processes may answer on the internal port, too", "error", err)
	}
	return ln, nil
}

// leaveInternal leaves the internal port to the other servers that listen on
// it, if there are any: clients ask again on a new connection.
func (s *service) leaveInternal(h *http.Server, ln net.Listener) {
	l, ok := ln.(*net.TCPListener)
	if !ok || !s.settings.now.Load().ReusePort {
		return
	}
	if n, err := lastport.Others(l); err != nil || n == 0 {
		return
	}
	h.SetKeepAlivesEnabled(false)
	_ = ln.Close() // as the end of the server does
}

// serveInternal serves the internal port until stop is called.
func (s *service) serveInternal(ln net.Listener) (stop func()) {
	h := &http.Server{Handler: signed(s.internalMux()), ReadHeaderTimeout: internalHeadTime,
		IdleTimeout: internalIdleTime, MaxHeaderBytes: internalHeadSize,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	go func() {
		if err := h.Serve(ln); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.log.Error("the internal port has ended", "error", err)
		}
	}()
	s.front.end.leave = func() { s.leaveInternal(h, ln) }
	s.log.Info("internal port", "address", ln.Addr().String())
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = h.Shutdown(ctx) // then Close cuts
		_ = h.Close()
	}
}

// signed names the process in every answer: several may share the port.
func signed(h http.Handler) http.Handler {
	pid := strconv.Itoa(os.Getpid())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Throng-Process", pid)
		h.ServeHTTP(w, r)
	})
}

func (s *service) internalMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(s.snapshot))
	answer := func(judge func(*health.State) health.Report) http.Handler {
		return health.Handler(func() health.Report { return judge(s.state()) })
	}
	mux.Handle("GET /healthz", answer(health.Healthy))
	mux.Handle("GET /readyz", answer(health.Ready))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"version": versionString(),
			"go": runtime.Version(), "browser_client": clientjs.Version}) // the client may be gone
	})
	mux.Handle("/api/v1/", s.api)
	// Without cmdline: flags may have secrets.
	for path, f := range map[string]http.HandlerFunc{
		"": pprof.Index, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
	} {
		mux.HandleFunc("/debug/pprof/"+path, func(w http.ResponseWriter, r *http.Request) {
			if !s.settings.now.Load().Internal.Pprof {
				http.Error(w, "internal.pprof is off", http.StatusNotFound)
				return
			}
			f(w, r)
		})
	}
	return mux
}

// state is what health is judged by.
func (s *service) state() *health.State {
	l := s.settings.now.Load()
	st := &health.State{Stats: s.srv.Stats(), Listening: s.listening.Load(),
		Broker: l.Cluster.Valkey != "", RequireBroker: l.Ready.RequireBroker}
	st.QueuesAway = st.Listening && !s.queues.connected()
	st.WorkersAway = st.Listening && !s.app.connected()
	return st
}

// snapshot is what a scrape shows.
func (s *service) snapshot() metrics.Snapshot {
	l := s.settings.now.Load()
	m := metrics.Snapshot{Stats: s.srv.Stats(), Namespaces: l.Namespaces,
		Version: versionString(), ClientVersion: clientjs.Version, GoVersion: runtime.Version(),
		Unhandled: s.orphans.count(), API: s.api.Calls(), App: s.app.stats(),
		SocketIONames: l.Metrics.SocketIONames}
	s.settings.mu.Lock()
	defer s.settings.mu.Unlock()
	m.ReloadsOK, m.ReloadsFailed = s.settings.ok, s.settings.failed
	m.LastReloadOK, m.LastReload = s.settings.lastOK, s.settings.last
	return m
}
