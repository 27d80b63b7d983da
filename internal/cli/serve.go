package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/clientjs"
	"github.com/throng-server/throng/socketio"
)

// server is what `serve` serves.
type server struct {
	opt        socketio.Options
	namespaces []string
	client     string
	member     membership
	queues     queues
	front      front
}

func newServe() *cobra.Command {
	var s server
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve Socket.IO for applications elsewhere",
		Long: `Serve Socket.IO, the browser client below /socket.io/, /healthz and /readyz, for
applications elsewhere that emit through ` + "`throng emit`" + ` or a queue. Clients
may connect to / and to the namespaces of --namespace. Nothing handles the
events they send: those are counted, and answered with an error if the client
waits for an answer.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.ErrOrStderr()) },
	}
	f := c.Flags()
	f.StringVar(&s.opt.Addr, "listen", "127.0.0.1:5000", "address to serve, host:port")
	f.StringSliceVar(&s.namespaces, "namespace", nil, "namespace besides /, repeatable")
	f.StringSliceVar(&s.opt.CORSAllowedOrigins, "cors-allowed-origins", nil,
		"origins that may connect, scheme://host[:port] or * (default the same host and port)")
	f.IntVar(&s.opt.Loops, "loops", 0, "event loops (default one a processor)")
	f.BoolVar(&s.opt.ReusePort, "reuse-port", false, "let other processes serve the address too")
	f.StringVar(&s.client, "client", "",
		"browser client: embedded, dir:PATH, redirect, redirect:URL or off (default what is there)")
	s.member.flags(c)
	s.queues.flags(c)
	s.front.flags(c)
	return c
}

func (s *server) run(stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	for _, name := range s.namespaces {
		if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") {
			return fmt.Errorf("--namespace: %q does not begin with a slash, or has a comma", name)
		}
	}
	if err := errors.Join(s.member.check(), s.queues.check()); err != nil {
		return err
	}
	client, err := clientjs.Open(s.client)
	if err != nil {
		return err
	}
	s.opt.ClientFiles = client
	s.opt.Logger = log
	srv, err := newServer(s.opt, &s.member, &s.front)
	if err != nil {
		return err
	}
	orphans := orphans{log: log}
	srv.OnUnhandled(orphans.event)
	for _, name := range s.namespaces {
		srv.Of(name).OnUnhandled(orphans.event)
	}
	srv.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.health(w, srv.Stats().Cluster)
	})
	defer s.queues.close(log)
	defer orphans.sum()
	return run(srv, s.opt.Loops, &s.front.end, log,
		func(string) error { return s.queues.open(srv, log) })
}

// health tells that the process serves; degraded, that a broker is away, so
// that emits from elsewhere may not reach its clients. Neither is a reason to
// take the server out: all of them would go at once.
func (s *server) health(w http.ResponseWriter, c cluster.Status) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !s.queues.connected() || s.member.url != "" && !c.Connected || c.Degraded {
		_, _ = io.WriteString(w, "degraded\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
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
