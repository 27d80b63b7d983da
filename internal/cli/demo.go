package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/internal/clientjs"
	"github.com/throng-server/throng/internal/demo"
	"github.com/throng-server/throng/socketio"
)

func newDemo() *cobra.Command {
	var o socketio.Options
	var client string
	var recovery time.Duration
	var m membership
	var q queues
	var fr front
	c := &cobra.Command{
		Use:   "demo",
		Short: "Serve the demo: six applications in the browser, beside their source",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if recovery != 0 {
				o.ConnectionStateRecovery = &socketio.ConnectionStateRecovery{
					MaxDisconnectionDuration: recovery}
			}
			return runDemo(o, client, &m, &q, &fr, c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.Addr, "listen", "127.0.0.1:5000", "address to serve, host:port")
	f.StringSliceVar(&o.CORSAllowedOrigins, "cors-allowed-origins", nil,
		"origins that may connect, scheme://host[:port] or * (default the same host and port)")
	f.IntVar(&o.Loops, "loops", 0, "event loops (default one a processor)")
	f.BoolVar(&o.ReusePort, "reuse-port", false, "let other processes serve the address too")
	// Off by default, as everywhere: events carry their position as one more
	// argument, which pages written for other servers may take for an
	// acknowledgement function.
	f.DurationVar(&recovery, "recovery", 0,
		"how long a lost client may come back to its session and missed events (default never)")
	f.StringVar(&client, "client", "",
		"browser client: embedded, dir:PATH, redirect, redirect:URL or off (default what is there)")
	m.flags(c)
	q.flags(c)
	fr.flags(c)
	return c
}

func runDemo(o socketio.Options, clientMode string, m *membership, q *queues,
	f *front, stderr io.Writer,
) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := errors.Join(m.check(), q.check()); err != nil {
		return err
	}
	client, err := clientjs.Open(clientMode)
	if err != nil {
		return err
	}
	o.ClientFiles = client
	o.Logger = log
	o.AllowEIO3 = true
	srv, err := newServer(o, m, f)
	if err != nil {
		return err
	}
	demo.Mount(srv)
	defer q.close(log)
	return run(srv, &f.end, log, func(addr string) error {
		fmt.Fprintf(stderr, "open http://%s (browser client: %s)\n", addr, client.Mode())
		return q.open(srv, log)
	})
}

// flagOf names an option of the library as it is called on the command line.
func flagOf(field string) string {
	switch field {
	case "Addr":
		return "--listen"
	case "Loops":
		return "--loops"
	case "CORSAllowedOrigins":
		return "--cors-allowed-origins"
	case "ConnectionStateRecovery.MaxDisconnectionDuration":
		return "--recovery"
	}
	return field
}
