package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/internal/clientjs"
	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/internal/health"
	"github.com/throng-server/throng/internal/httpapi"
	"github.com/throng-server/throng/internal/logs"
	"github.com/throng-server/throng/socketio"
)

// service is what `serve` serves.
type service struct {
	settings *settings
	log      *slog.Logger
	control  *logs.Control
	srv      *socketio.Server
	api      *httpapi.API
	member   membership
	queues   queues
	front    front
	orphans  orphans
	app      application
	// listening: the server has started, the queues are open.
	listening atomic.Bool
}

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve Socket.IO for applications elsewhere",
		Long: `Serve Socket.IO, the browser client below /socket.io/, /healthz and /readyz, for
applications elsewhere that emit through ` + "`throng emit`" + `, the HTTP API or a queue.
Clients may connect to / and to the namespaces of --namespace. What they do is
posted to the endpoint of --app-url, whose answers say what to do. Without one
the events they send are counted, and answered with an error if the client waits
for an answer. Other requests are those of --static and --upstream.

Settings come from flags, the environment, a file and defaults, in this order;
` + "`throng config reference`" + ` describes them. HUP reads them again.

The internal port has /metrics, /healthz, /readyz, /version, /debug/pprof/ and
the HTTP API below /api/v1/.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			from := sources(c.Flags())
			l, err := loadFrom(from)
			if err != nil {
				return err
			}
			return serve(from, l, c.ErrOrStderr())
		},
	}
	configFlags(c.Flags())
	return c
}

func serve(from config.Sources, l *config.Loaded, stderr io.Writer) error {
	s := &service{settings: newSettings(from, l)}
	s.log, s.control = logs.New(stderr, l.Log.Format)
	s.control.Set(logSettings(&l.Config))
	s.orphans.log = s.log
	for _, w := range l.Warnings {
		s.log.Warn(w)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	if err := s.make(&l.Config); err != nil {
		return err
	}
	internal, err := s.listenInternal()
	if err != nil {
		return errors.Join(err, s.srv.Shutdown(context.Background()))
	}
	if internal != nil {
		defer s.serveInternal(internal)()
	}
	defer s.queues.close(s.log)
	defer s.orphans.sum()
	defer s.app.close()
	defer s.listening.Store(false)
	over := make(chan struct{})
	defer close(over)
	return run(s.srv, &s.front.end, s.log, func(string) error {
		if err := s.queues.open(s.srv, s.log); err != nil {
			return err
		}
		s.listening.Store(true)
		go func() {
			for {
				select {
				case <-hup:
					s.front.end.manager.Reloading()
					s.reload()
					s.front.end.manager.Ready(serving(s.srv))
				case <-over:
					return
				}
			}
		}()
		return nil
	})
}

// make makes the server and its API.
func (s *service) make(c *config.Config) error {
	client, err := clientjs.Open(c.Client)
	if err != nil {
		return err
	}
	s.member = membership{url: c.Cluster.Valkey, id: c.Cluster.NodeID, addr: c.Cluster.Advertise}
	s.queues = queues{flaskURL: c.Queues.Flask, flaskChannels: c.Queues.FlaskChannels,
		nodeURL: c.Queues.Node, nodeKey: c.Queues.NodeKey}
	s.front.end.drain = c.Drain.Duration
	o := c.Options()
	if err := s.app.open(c, o.TrustedProxies, s.log); err != nil {
		return err
	}
	if r := o.ConnectionStateRecovery; r != nil && s.app.app != nil {
		r.RunMiddlewares = true // the application is told who comes back
	}
	o.ClientFiles, o.Logger = client, s.log
	if s.srv, err = newServer(o, &s.member, &s.front); err != nil {
		return err
	}
	for _, name := range distinct("/", c.Namespaces, s.app.namespaces) {
		if ns := s.srv.Of(name); !s.app.mount(ns) {
			ns.OnUnhandled(s.orphans.event)
		}
	}
	if s.app.beside != nil {
		s.srv.Handle("/", s.app.beside)
	}
	s.srv.HandleFunc("GET /healthz", s.health)
	s.api = httpapi.New(s.srv, s.log)
	return s.apply(s.settings.now.Load())
}

// health tells on the public port that the process serves; degraded, that a
// broker is away, so that emits from elsewhere may not reach its clients.
// Neither is a reason to take the server out: all of them would go at once.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	st := s.state()
	st.RequireBroker = false
	text := "ok"
	if health.Ready(st).Status == "degraded" {
		text = "degraded"
	}
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

// newServer is socketio.NewServer with a place in a cluster, behind proxies, and
// with /readyz; a wrong option is named by its flag.
func newServer(o socketio.Options, m *membership, f *front) (*socketio.Server, error) {
	err := f.apply(&o, m)
	if err != nil {
		return nil, err
	}
	if m.url != "" && m.addr == "" {
		o.Logger.Warn("other servers cannot reach this one: balancers must keep to one " +
			"server for each client, or clients to WebSocket; see --advertise")
	}
	if o.Cluster, err = m.open(o.Logger); err != nil {
		return nil, err
	}
	srv, err := socketio.NewServer(o)
	if bad := (*socketio.OptionError)(nil); errors.As(err, &bad) {
		err = fmt.Errorf("%s: %s", flagOf(bad.Field), bad.Reason)
	} else if err != nil {
		err = &codeError{exitRuntime, err}
	}
	if err != nil && o.Cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		err = errors.Join(err, o.Cluster.Close(ctx))
	}
	if err == nil {
		srv.HandleFunc("GET /readyz", f.end.ready)
	}
	return srv, err
}
