package clustertest_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/internal/clustertest"
)

// guestURL tells a process of this test binary to be a node, guestID which.
const (
	guestURL = "THRONG_TEST_GUEST_URL"
	guestID  = "THRONG_TEST_GUEST_ID"
)

// TestMain is also the program of guests.
func TestMain(m *testing.M) {
	if url := os.Getenv(guestURL); url != "" {
		if err := host(url, os.Getenv(guestID)); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// The runs wait for faults to pass more than they work.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
	os.Exit(m.Run())
}

func host(url, id string) error {
	tr, err := valkey.Open(context.Background(), options(url, id))
	if err != nil {
		return err
	}
	return clustertest.Host(tr, os.Stdin, os.Stdout)
}

func options(url, id string) valkey.Options {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("THRONG_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{
			Level: slog.LevelDebug})).With("node", id)
	}
	return valkey.Options{URL: url, NodeID: id, Lease: lease, Logger: log}
}

func node(t testing.TB, o valkey.Options) cluster.Transport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tr, err := valkey.Open(ctx, o)
	require.NoError(t, err)
	return tr
}

func TestScenariosOverValkey(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	var clusters atomic.Int64
	clustertest.Scenarios(t, func(t testing.TB, n int) (list []cluster.Transport) {
		prefix := fmt.Sprintf("c%d:", clusters.Add(1))
		for i := range n {
			o := options(s.URL(), id(i))
			o.Prefix = prefix
			list = append(list, node(t, o))
		}
		return list
	})
}

func TestLossOverValkey(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	p := brokertest.NewProxy(t, s.Addr)
	clustertest.Loss(t, func(t testing.TB, n int) (list []cluster.Transport) {
		for i := range n {
			url := s.URL()
			if i == 3 {
				url = p.URL()
			}
			o := options(url, id(i))
			o.Lease = 1500 * time.Millisecond
			list = append(list, node(t, o))
		}
		return list
	}, p.Cut)
}
