package demo

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (p *peer) metrics() (m machineFigures, s serverFigures) {
	p.t.Helper()
	require.NoError(p.t, json.Unmarshal(p.next("metrics_update"), &m))
	require.NoError(p.t, json.Unmarshal(p.next("server_update"), &s))
	return m, s
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	addr := start(t)
	trigger := "http://" + addr + "/trigger_metrics"
	// Nobody watches: that is no error.
	requires(t, "GET", trigger, 200, `{"status":"Metrics update triggered"}`)

	a, talker := dial(t, addr, "/dashboard,"), dial(t, addr, "/compute,")
	a.metrics() // the first one, without asking
	for range 50 {
		talker.emit("echo", 1)
		talker.hears("echo", 1)
	}
	// The kernel counts in ticks of 10 ms: an idle machine may show 0 %.
	for begun := time.Now(); time.Since(begun) < 300*time.Millisecond; {
	}
	m, s := a.metrics() // a second later
	require.Positive(t, m.CPU)
	require.LessOrEqual(t, m.CPU, 100.0)
	require.Positive(t, m.Memory)
	require.Less(t, m.Memory, 100.0)
	require.GreaterOrEqual(t, s.Connections, 2)
	require.Positive(t, s.MessagesIn)
	require.Positive(t, s.MessagesOut)
	require.GreaterOrEqual(t, s.LoopLag, 0.0)

	requires(t, "GET", trigger, 200, `{"status":"Metrics update triggered"}`)
	a.metrics()
	requires(t, "POST", trigger, 200, `{"status":"Metrics update triggered"}`)
	a.metrics()
}

func TestDashboardBeginsAnew(t *testing.T) {
	t.Parallel()
	addr := start(t)
	for range 2 {
		a := dial(t, addr, "/dashboard,")
		begin := time.Now()
		a.metrics()
		a.metrics()
		a.metrics()
		require.Greater(t, time.Since(begin), watchEvery) // it ticks, it does not run
		require.NoError(t, a.conn.Close())
	}
}

func TestMachineFigures(t *testing.T) {
	t.Parallel()
	before, err := parseCPU("cpu  100 10 50 800 40 0 0 0 7 7\ncpu0 1 2 3 4\n")
	require.NoError(t, err)
	require.Equal(t, cpuTime{busy: 160, total: 1000}, before)
	after, err := parseCPU("cpu  150 10 75 900 65 0 0 0 7 7\n")
	require.NoError(t, err)
	require.InDelta(t, 37.5, after.use(before), 1e-9)
	require.Zero(t, before.use(after))
	for _, wrong := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5", "cpu 1 2 x 4 5"} {
		_, err := parseCPU(wrong)
		require.Error(t, err, wrong)
	}

	used, err := parseMemory("MemTotal:  4000 kB\nMemFree: 10 kB\nMemAvailable:  1000 kB\n")
	require.NoError(t, err)
	require.InDelta(t, 75, used, 1e-9)
	_, err = parseMemory("MemFree: 10 kB\n")
	require.Error(t, err)
}
