package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
)

func TestEmitEntry(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(file, []byte{7}, 0o600))
	e := emission{namespace: "/chat", rooms: []string{"r"}, except: []string{"x"}, volatile: true,
		files: []string{file, "-"}}
	values, err := e.values([]string{`{"b": 1.50}`, `"t"`}, strings.NewReader("in"))
	require.NoError(t, err)
	entry, err := e.entry("ev", values)
	require.NoError(t, err)
	op, err := cluster.Parse(entry)
	require.NoError(t, err)
	require.Contains(t, string(op.Body),
		`452-/chat,["ev",{"b": 1.50},"t",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	op.Body = nil
	require.Equal(t, cluster.Op{Kind: cluster.Emit, Flags: cluster.Volatile, NS: "/chat",
		Rooms: []string{"r"}, Except: []string{"x"}}, op)
}

func TestWrongUseOfClusters(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"serve extra":                                  "unknown command",
		"serve --namespace chat":                       "--namespace",
		"serve --node-id a":                            "--valkey",
		"demo --advertise a:1":                         "--valkey",
		"serve --valkey http://x":                      "--valkey: the URL",
		"serve --flask-queue nonsense":                 "--flask-queue: the URL",
		"demo --node-emitter nonsense":                 "--node-emitter: the URL",
		"serve --flask-channel x":                      "--flask-queue",
		"serve --listen nowhere":                       "--listen",
		"emit ev":                                      "--valkey is needed",
		"emit --valkey redis://x ev nonsense":          "argument 1 is not JSON: nonsense",
		"emit --valkey redis://x ev 1 {":               "argument 2 is not JSON: {",
		"emit --valkey redis://x disconnect":           "reserved",
		"emit --valkey redis://x --binary /no/file ev": "--binary",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, Main(strings.Fields(args), &out, &errs), args)
		require.Contains(t, errs.String(), want, args)
	}
}

func TestEmitWithoutBroker(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitRuntime,
		Main([]string{"emit", "--valkey", "unix:///does/not/exist", "ev"}, &out, &errs))
	require.Contains(t, errs.String(), "/does/not/exist")
}

func TestOrphansAreBounded(t *testing.T) {
	t.Parallel()
	var o orphans
	told := 0
	for i := range 3 * maxOrphans {
		for range 2 {
			if o.first(strings.Repeat("x", i)) {
				told++
			}
		}
	}
	require.Equal(t, maxOrphans, told)
	require.EqualValues(t, 6*maxOrphans, o.total)
}
