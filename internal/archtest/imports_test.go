package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/throng-server/throng"

// Modules from outside, by the name they have in the rules.
const (
	gnet   = "github.com/panjf2000/gnet/v2"
	ws     = "github.com/gobwas/ws"
	xsys   = "golang.org/x/sys"
	valkey = "github.com/valkey-io/valkey-go"
	cobra  = "github.com/spf13/cobra"
	hdr    = "github.com/HdrHistogram/hdrhistogram-go"
	pflag  = "github.com/spf13/pflag"
	toml   = "github.com/pelletier/go-toml/v2"
	prom   = "github.com/prometheus/client_golang"

	testify = "github.com/stretchr/testify"
)

// rule says what the package at path, and all below it, may import besides
// the standard library. Entries are prefixes: of packages of this module
// when they start with a dot-free word, of other modules otherwise.
type rule struct {
	path string
	may  []string
}

// rules: the first whose path fits counts, so narrow ones stand first. A
// package that fits none is a violation: give it a rule.
var rules = []rule{
	// Its messages are packets of sio in another form.
	{"protocol/msgpack", []string{"protocol/sio"}},
	{"protocol", nil},
	{"netpoll", []string{gnet, ws, xsys}},
	{"rooms", nil},
	{"cluster/valkey", []string{"cluster", "protocol", valkey}},
	{"cluster/queue", []string{"cluster", "protocol", valkey}},
	{"cluster", []string{"cluster", "protocol"}},
	// ws, here and in socketio: netpoll speaks of ws.OpCode and ws.StatusCode.
	{"internal/engine", []string{"netpoll", "protocol", ws}},
	{"internal/archtest", nil},
	// ws: its client side, to try what browsers do.
	{"internal/doctor", []string{ws, xsys}},
	{"internal/systemd", []string{xsys}},
	{"internal/lastport", []string{xsys}},
	{"internal/blackbox", []string{"cluster", "internal/brokertest", ws, testify}},
	{"internal/fed", []string{"netpoll"}},
	// Only tests import it.
	{"internal/brokertest", []string{testify}},
	{"socketio", []string{"internal/engine", "internal/fed", "netpoll", "protocol", "rooms",
		"cluster", ws}},
	// xsys: whether there is a terminal.
	{"internal/cli", []string{"socketio", "cluster", "protocol", "internal", cobra, pflag, xsys}},
	{"internal/loadgen", []string{hdr, xsys}},
	{"internal/config", []string{"socketio", toml}},
	{"internal/logs", nil},
	// Only tests import it.
	{"internal/logtest", nil},
	{"internal/metrics", []string{"socketio", prom}},
	{"internal/health", []string{"socketio"}},
	{"internal/httpapi", []string{"socketio", "internal/metrics"}},
	{"internal/demo", []string{"socketio", "internal/clientjs"}},
	{"internal/clientjs", []string{"github.com/andybalholm/brotli"}},
	// Only tests import it.
	{"internal/clustertest", []string{"socketio", "cluster", "internal/brokertest", ws, testify}},
	{"internal/feed", []string{"socketio", "cluster"}},
	{"internal/app/stream", []string{valkey}},
	// valkey: the workers of its tests.
	{"internal/app", []string{"socketio", "protocol/sio", "internal/app/stream", valkey}},
	// What is beside Socket.IO knows nothing of it.
	{"internal/beside", nil},
	{"cmd", []string{"internal/cli"}},
	{"e2e/suiteserver", []string{"socketio", "netpoll", "protocol", "internal/engine", ws}},
	{"e2e", []string{"socketio", "netpoll", "protocol", "cluster", ws}},
	{"benchmarks/contractserver", []string{"socketio", "cluster"}},
	// xsys: thousands of clients in one process need epoll of their own.
	{"benchmarks", []string{"benchmarks/internal", "internal/app", "internal/fed", "socketio",
		"netpoll", "protocol", "rooms", "cluster", ws, xsys}},
}

// testModules are for tests alone.
var testModules = []string{
	testify,
	"go.uber.org/goleak",
	"pgregory.net/rapid",
	"github.com/santhosh-tekuri/jsonschema/v6",
	ws, // its client side
}

type pkg struct {
	ImportPath  string
	Standard    bool
	Imports     []string
	TestImports []string

	XTestImports []string
	Deps         []string
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	require.NoError(t, err)
	pkgs := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else {
			require.NoError(t, err)
		}
		pkgs[p.ImportPath] = p
	}
}

// local is the path inside this module.
func local(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// under reports whether path is prefix or lies below it.
func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func ruleFor(path string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return under(path, r.path) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// standard: the standard library's paths have no dot in their first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func (r rule) allows(imp string) bool {
	path, ours := local(imp)
	if !ours {
		path = imp
	}
	return !ours && standard(imp) ||
		slices.ContainsFunc(r.may, func(m string) bool { return under(path, m) })
}

func TestImportDirections(t *testing.T) {
	t.Parallel()
	for path, p := range list(t) {
		name, ours := local(path)
		if !ours {
			continue
		}
		r, ok := ruleFor(name)
		if !ok {
			t.Errorf("%s: no rule says what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if !r.allows(imp) {
				t.Errorf("%s imports %s: not allowed", name, imp)
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			_, in := local(imp)
			known := slices.ContainsFunc(testModules, func(m string) bool { return under(imp, m) })
			if !in && !known && !r.allows(imp) {
				t.Errorf("a test of %s imports %s: not allowed", name, imp)
			}
		}
	}
}

// What a program that imports socketio links, all the way down.
func TestLibraryUsersLinkOnlyTheEngine(t *testing.T) {
	t.Parallel()
	pkgs := list(t)
	p, ok := pkgs[module+"/socketio"]
	require.True(t, ok)
	// The four after x/sys are gnet's own and its logger's.
	allowed := []string{
		module, gnet, ws, xsys,
		"github.com/gobwas/httphead", "github.com/gobwas/pool",
		"github.com/panjf2000/ants/v2", "github.com/valyala/bytebufferpool",
		"go.uber.org/zap", "go.uber.org/multierr", "gopkg.in/natefinch/lumberjack.v2",
		"golang.org/x/sync",
	}
	for _, dep := range p.Deps {
		if pkgs[dep].Standard || standard(dep) {
			continue
		}
		require.True(t, slices.ContainsFunc(allowed, func(a string) bool { return under(dep, a) }),
			"socketio links %s", dep)
	}
}

func TestRulesAreEnforced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, imp string
		want      bool
	}{
		{"protocol/eio", "bytes", true},
		{"protocol/eio", module + "/netpoll", false},
		{"netpoll", gnet, true},
		{"netpoll", module + "/protocol/sio", false},
		{"rooms", "github.com/anything/else", false},
		{"socketio", module + "/internal/engine", true},
		{"socketio", module + "/internal/clientjs", false},
		{"socketio", cobra, false},
		{"cluster", valkey, false},
		{"cluster/memory", valkey, false},
		{"socketio", valkey, false},
		{"cluster/valkey", valkey, true},
		{"cluster/valkey", module + "/socketio", false},
		{"cmd/throng", module + "/socketio", false},
		{"benchmarks/contractserver", module + "/netpoll", false},
		{"e2e/testserver", module + "/internal/engine", false},
		{"e2e/suiteserver", module + "/internal/engine", true},
	} {
		r, ok := ruleFor(c.path)
		require.True(t, ok, c.path)
		require.Equal(t, c.want, r.allows(c.imp), "%s -> %s", c.path, c.imp)
	}
	_, ok := ruleFor("somewhere/new")
	require.False(t, ok, "an unknown package has no rule")
}
