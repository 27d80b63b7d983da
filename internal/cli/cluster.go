package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/queue"
	"github.com/throng-server/throng/cluster/valkey"
)

// membership is the server's place in a cluster.
type membership struct {
	url, id, addr string
}

func (m *membership) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&m.url, "valkey", "",
		"Valkey URL that joins several servers to one (default a server alone)")
	f.StringVar(&m.id, "node-id", "",
		"name of this server in the cluster, unique (default made of host name and process)")
	f.StringVar(&m.addr, "advertise", "",
		"address where the other servers reach this one, host:port (default that of --listen if it names one)")
}

// check finds what is wrong with the flags.
func (m *membership) check() error {
	if m.url == "" {
		if m.id != "" || m.addr != "" {
			return errors.New("--node-id and --advertise are nothing without --valkey")
		}
		return nil
	}
	return checkURL("--valkey", m.url)
}

func checkURL(flag, url string) error {
	if err := queue.CheckURL(url); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}

// open takes the place; without --valkey there is none. A signal ends the wait
// for the lease of a server of the same name that has died.
func (m *membership) open(log *slog.Logger) (cluster.Transport, error) {
	if m.url == "" {
		return nil, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	t, err := valkey.Open(ctx, valkey.Options{URL: m.url, NodeID: m.id, Addr: m.addr, Logger: log})
	if err != nil {
		return nil, &codeError{startCode(err), err}
	}
	return t, nil
}

// optionalURL checks the URL of a broker, if there is one.
func optionalURL(url string) error {
	if url == "" {
		return nil
	}
	return queue.CheckURL(url)
}

// startCode is the exit code of a server that could not start.
func startCode(err error) int {
	if errors.Is(err, cluster.ErrTaken) {
		return exitConfig
	}
	return exitRuntime
}
