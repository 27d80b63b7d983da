package clustertest_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/internal/clustertest"
)

// overValkey returns nodes that share a broker, each cluster by a prefix of
// its own.
func overValkey(broker *brokertest.Server) clustertest.Factory {
	clusters := 0
	return func(t testing.TB, n int) (list []cluster.Transport) {
		t.Helper()
		clusters++
		for i := range n {
			tr, err := valkey.Open(t.Context(), valkey.Options{URL: broker.URL(),
				NodeID: fmt.Sprintf("node-%d", i), Prefix: fmt.Sprintf("test-%d", clusters),
				Lease: 3 * time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			require.NoError(t, err)
			list = append(list, tr)
		}
		return list
	}
}

func TestScenariosOverValkey(t *testing.T) {
	t.Parallel()
	clustertest.Scenarios(t, overValkey(brokertest.Start(t)))
}

// Two seconds of each trouble, in the middle of what the publishers send.
func TestHistoriesOverValkey(t *testing.T) {
	t.Parallel()
	const outage = 2 * time.Second
	type rig struct {
		broker  *brokertest.Server
		proxies []*brokertest.Proxy
		rig     *clustertest.Rig
	}
	for name, x := range map[string]struct {
		args  []string
		lease time.Duration
		lossy bool
		fault func(r *rig)
	}{
		"frozen": {fault: func(r *rig) {
			r.broker.Freeze()
			time.Sleep(outage)
			r.broker.Thaw()
		}},
		"killed": {args: brokertest.Always(), fault: func(r *rig) {
			r.broker.Kill()
			time.Sleep(outage)
			r.broker.Restart()
		}},
		"emptied": {lossy: true, fault: func(r *rig) {
			r.broker.Kill()
			time.Sleep(outage)
			r.broker.RestartEmpty()
		}},
		"one cut off": {fault: func(r *rig) {
			r.proxies[0].Cut()
			time.Sleep(outage)
			r.proxies[0].Heal()
		}},
		"one half open": {fault: func(r *rig) {
			r.proxies[1].Hold()
			time.Sleep(outage)
			r.proxies[1].Heal()
		}},
		"connections broken": {fault: func(r *rig) {
			for i := range 20 {
				r.proxies[i%len(r.proxies)].Break()
				time.Sleep(outage / 20)
			}
		}},
		"slow": {fault: func(r *rig) {
			for _, p := range r.proxies {
				p.Slow(30 * time.Millisecond)
			}
			time.Sleep(outage)
			for _, p := range r.proxies {
				p.Heal()
			}
		}},
		"taken for dead": {lease: time.Second, lossy: true, fault: func(r *rig) {
			r.proxies[2].Hold()
			time.Sleep(outage)
			r.proxies[2].Heal()
			for r.rig.Servers[2].Stats().Cluster.Incarnations == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if x.lease == 0 {
				x.lease = 10 * time.Second
			}
			r := &rig{broker: brokertest.Start(t, x.args...)}
			rep := clustertest.Check(t, func(t testing.TB, n int) (list []cluster.Transport) {
				for i := range n {
					p := brokertest.NewProxy(t, r.broker.Addr)
					r.proxies = append(r.proxies, p)
					tr, err := valkey.Open(t.Context(), valkey.Options{URL: p.URL(),
						NodeID: id(i), Lease: x.lease, Timeout: x.lease / 5,
						Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
					require.NoError(t, err)
					list = append(list, tr)
				}
				return list
			}, clustertest.Plan{Nodes: 3, Publishers: 2, Clients: 3, Steps: 150,
				Pace: 30 * time.Millisecond, LosesAny: x.lossy,
				Faults: func(c *clustertest.Rig) {
					r.rig = c
					time.Sleep(300 * time.Millisecond)
					x.fault(r)
				}})
			t.Logf("%+v", rep)
			require.Greater(t, rep.Delivered, 1000)
			if !x.lossy {
				require.Equal(t, rep.Expected, rep.Delivered)
			}
		})
	}
}

func TestLossOverValkey(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t)
	var last *brokertest.Proxy
	clustertest.Loss(t, func(t testing.TB, n int) (list []cluster.Transport) {
		for i := range n {
			last = brokertest.NewProxy(t, broker.Addr)
			tr, err := valkey.Open(t.Context(), valkey.Options{URL: last.URL(), NodeID: id(i),
				Lease: time.Second, Timeout: 200 * time.Millisecond,
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			require.NoError(t, err)
			list = append(list, tr)
		}
		return list
	}, func() { last.Hold() })
}
