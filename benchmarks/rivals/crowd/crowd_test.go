package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	require.Equal(t, 6, split(100_000, 20_000))
	require.Equal(t, 1, split(100_000, 1<<20))
	require.Equal(t, 1, split(1, 1))
	require.Equal(t, 58, split(1_000_000, 20_000))
}

func TestPlanAsksForWhatHolds(t *testing.T) {
	t.Parallel()
	c := &crowd{settings: &settings{connections: 100_000, stay: 5 * time.Minute, active: time.Minute}}
	var names []string
	for _, p := range c.plan() {
		names = append(names, p.name)
		args := strings.Join(p.args, " ")
		require.Contains(t, args, "--connections 100000")
		require.Contains(t, args, "--min-connected 100000 --max-failed 0 --max-died 0")
		if p.name != "idle" && p.name != "storm" {
			require.Contains(t, args, "--max-lost 0")
		}
	}
	require.Equal(t, []string{"idle", "broadcast", "rooms", "storm", "jitter"}, names)
}

func TestReportOfNothingMeasured(t *testing.T) {
	t.Parallel()
	s := &settings{connections: 1_000_000, processes: 56, ping: time.Minute}
	c := &crowd{settings: s, limit: 7}
	r := new(harness.Result)
	r.Connections.Connected = 999_999
	text := c.report([]result{{phase{name: "idle", title: "all stay"}, r, 0}})
	require.Contains(t, text, "## 1,000,000 connections")
	require.Contains(t, text, "| connected | 999,999 |")
	require.Contains(t, text, "| latency p50, p99 (ms) | - |")
	require.Contains(t, text, "56 server processes on one port")
}
