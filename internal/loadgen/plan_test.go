package loadgen

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlansAreChecked(t *testing.T) {
	t.Parallel()
	for _, s := range Scenarios {
		p := Default(s)
		require.NoError(t, p.Validate(), s)
	}
	for flag, change := range map[string]func(p *Plan){
		"connections": func(p *Plan) { p.Connections = 0 },
		"processes":   func(p *Plan) { p.Processes = -1 },
		"in-flight":   func(p *Plan) { p.InFlight = 0 },
		"outstanding": func(p *Plan) { p.Outstanding = MaxOutstanding + 1 },
		"publishers":  func(p *Plan) { p.Publishers, p.Connections = 3, 2 },
		"active":      func(p *Plan) { p.Active = p.Connections + 1 },
		"size":        func(p *Plan) { p.Size = stampSize - 1 },
		"duration":    func(p *Plan) { p.Duration = -1 },
		"drain":       func(p *Plan) { p.Drain = MaxDuration + 1 },
		"timeout":     func(p *Plan) { p.Timeout = 0 },
		"rate":        func(p *Plan) { p.Rate = math.NaN() },
		"ramp":        func(p *Plan) { p.Ramp = math.Inf(1) },
		"transport":   func(p *Plan) { p.Transport = "pigeon" },
		"via":         func(p *Plan) { p.Via = "air" },
		"close":       func(p *Plan) { p.Close = CloseFrame; p.Transport = Polling },
		"share":       func(p *Plan) { p.Share = 0 },
		"path":        func(p *Plan) { p.Path = "x" },
		"namespace":   func(p *Plan) { p.Contract.Namespace = "x" },
		"all-event":   func(p *Plan) { p.Contract.All = `["all"]` },
		"room-event":  func(p *Plan) { p.Via = ViaRoom; p.Contract.Room = `{"a":"{room}{payload}"}` },
		"join-event":  func(p *Plan) { p.Via = ViaRoom; p.Contract.Join = "" },
	} {
		p := Default(Broadcast)
		change(&p)
		var bad *PlanError
		require.ErrorAs(t, p.Validate(), &bad, flag)
		require.Equal(t, flag, bad.Flag)
	}
	p := Default(Rooms)
	p.Rooms = p.Connections + 1
	require.ErrorContains(t, p.Validate(), "--rooms")
	p = Default(Jitter)
	p.Rate = 0
	require.ErrorContains(t, p.Validate(), "--rate")
	p = Default("party")
	require.ErrorContains(t, p.Validate(), "party")
}

func TestTargets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for text, want := range map[string]struct{ host, addr, path string }{
		"http://127.0.0.1:5000":     {"127.0.0.1:5000", "127.0.0.1:5000", ""},
		"ws://127.1.2.3/":           {"127.1.2.3", "127.1.2.3:80", ""},
		"http://127.0.0.1:1/my/io/": {"127.0.0.1:1", "127.0.0.1:1", "/my/io/"},
		"http://[::1]:80":           {"[::1]:80", "[::1]:80", ""},
	} {
		got, path, err := ParseTarget(ctx, text)
		require.NoError(t, err, text)
		require.Equal(t, want.host, got.Host)
		require.Equal(t, want.addr, got.Addr.String())
		require.Equal(t, want.path, path)
		require.False(t, got.Foreign(), text)
	}
	for _, text := range []string{"127.0.0.1:5000", "https://127.0.0.1", "http://127.0.0.1:x",
		"http://127.0.0.1:70000", "ftp://127.0.0.1", "%"} {
		_, _, err := ParseTarget(ctx, text)
		require.Error(t, err, text)
	}
	far, _, err := ParseTarget(ctx, "http://192.0.2.1:80")
	require.NoError(t, err)
	require.True(t, far.Foreign())
}

func TestSourcesDiffer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	target, _, err := ParseTarget(ctx, "http://127.0.0.1:80")
	require.NoError(t, err)
	p := Plan{Targets: []Target{target}}
	seen := map[string]bool{}
	for w := range 200 {
		for _, a := range p.sources(w) {
			require.True(t, a.IsLoopback())
			require.False(t, seen[a.String()], a)
			seen[a.String()] = true
		}
	}
	far, _, err := ParseTarget(ctx, "http://192.0.2.1:80")
	require.NoError(t, err)
	p.Targets = append(p.Targets, far)
	require.False(t, p.sources(0)[0].IsValid(), "the kernel knows which reaches a far host")
}

func TestProcessesByDescriptors(t *testing.T) {
	t.Parallel()
	room := descriptors() - keptDescriptors
	require.Equal(t, 1, (&Plan{Connections: room}).processes())
	require.Equal(t, 2, (&Plan{Connections: room + 1}).processes())
	require.Equal(t, 2, (&Plan{Connections: room, Transport: Polling}).processes())
	require.Equal(t, 7, (&Plan{Connections: 1, Processes: 7}).processes())
	require.Equal(t, 1, (&Plan{}).processes())
}

func TestMeasuringProcesses(t *testing.T) {
	t.Parallel()
	u, err := measure([]int{os.Getpid()})
	require.NoError(t, err)
	require.Greater(t, u.rss, int64(1<<20))
	require.GreaterOrEqual(t, u.peak, u.rss)
	require.Positive(t, u.busy)
	_, err = measure([]int{1 << 30})
	require.Error(t, err)
	k := measureKernel()
	require.Positive(t, k.slab)
	require.NotEmpty(t, release())
}
