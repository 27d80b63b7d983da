package clustertest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/memory"
	"github.com/throng-server/throng/internal/clustertest"
)

func nodes(t testing.TB, bus *memory.Bus, n int) (list []cluster.Transport) {
	t.Helper()
	for i := range n {
		node, err := bus.Node(memory.Options{ID: fmt.Sprintf("node-%d", i), Renew: 5 * time.Millisecond})
		require.NoError(t, err)
		list = append(list, node)
	}
	return list
}

func TestScenariosOverMemory(t *testing.T) {
	t.Parallel()
	clustertest.Scenarios(t, func(t testing.TB, n int) []cluster.Transport {
		return nodes(t, memory.New(), n)
	})
}

// run runs a plan over a bus whose faults fault brings about.
func run(t *testing.T, p clustertest.Plan, fault func(bus *memory.Bus)) clustertest.Report {
	t.Helper()
	bus := memory.New()
	if fault != nil {
		p.Faults = func(*clustertest.Rig) { fault(bus) }
	}
	rep := clustertest.Check(t, func(t testing.TB, n int) []cluster.Transport {
		return nodes(t, bus, n)
	}, p)
	t.Logf("%+v", rep)
	require.Greater(t, rep.Delivered, 1000)
	if !p.Lossy {
		require.Equal(t, rep.Expected, rep.Delivered)
	}
	return rep
}

var plan = clustertest.Plan{Nodes: 4, Publishers: 2, Clients: 4, Steps: 150, Pace: 2 * time.Millisecond}

// id names a node of the runs.
func id(n int) string { return fmt.Sprintf("node-%d", n) }

func TestHistories(t *testing.T) {
	t.Parallel()
	t.Run("calm", func(t *testing.T) { run(t, plan, nil) })
	t.Run("recovery", func(t *testing.T) {
		p := plan
		p.Recovery = true
		run(t, p, func(bus *memory.Bus) {
			bus.Cut(id(1))
			time.Sleep(50 * time.Millisecond)
			bus.Heal(id(1))
		})
	})
	t.Run("late", func(t *testing.T) {
		run(t, plan, func(bus *memory.Bus) {
			bus.SetFaults(memory.Faults{Delay: func(string, string, []byte) time.Duration {
				return time.Duration(rand.Int64N(int64(10 * time.Millisecond)))
			}})
			time.Sleep(100 * time.Millisecond)
			bus.SetFaults(memory.Faults{})
		})
	})
	t.Run("cut off", func(t *testing.T) {
		run(t, plan, func(bus *memory.Bus) {
			for i := range 8 {
				bus.Cut(id(i % 4))
				time.Sleep(20 * time.Millisecond)
				bus.Heal(id(i % 4))
			}
		})
	})
	t.Run("all cut off", func(t *testing.T) {
		run(t, plan, func(bus *memory.Bus) {
			for i := range 4 {
				bus.Cut(id(i))
			}
			time.Sleep(50 * time.Millisecond)
			for i := range 4 {
				bus.Heal(id(i))
			}
		})
	})
	t.Run("taken for dead", func(t *testing.T) {
		run(t, plan, func(bus *memory.Bus) {
			for i := range 4 {
				bus.Lapse(id(i))
				time.Sleep(20 * time.Millisecond)
				bus.Heal(id(i))
			}
		})
	})
	t.Run("lost entries", func(t *testing.T) {
		p := plan
		p.Lossy = true
		rep := run(t, p, func(bus *memory.Bus) {
			bus.SetFaults(memory.Faults{Drop: func(_, _ string, entry []byte) bool {
				op, err := cluster.Parse(entry)
				return err == nil && op.Kind == cluster.Emit && rand.IntN(20) == 0
			}})
			time.Sleep(100 * time.Millisecond)
			bus.SetFaults(memory.Faults{})
		})
		// What is lost may have had no receiver there.
		require.Positive(t, rep.Missed, "the fault did something")
		require.LessOrEqual(t, rep.Delivered, rep.Expected)
	})
}

func TestLossOverMemory(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(b *memory.Bus){
		"crashed": func(b *memory.Bus) { b.Crash(id(3)) },
		"frozen":  func(b *memory.Bus) { b.Lapse(id(3)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := memory.New()
			clustertest.Loss(t, func(t testing.TB, n int) []cluster.Transport {
				return nodes(t, bus, n)
			}, func() { kill(bus) })
		})
	}
}
