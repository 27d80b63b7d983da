package harness

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSectionsAreReplacedInPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "R.md")
	require.NoError(t, os.WriteFile(path, []byte("# Title\n\nby hand\n"), 0o644))
	require.NoError(t, WriteSection(path, "a", "one\n"))
	require.NoError(t, WriteSection(path, "b", "two"))
	require.NoError(t, WriteSection(path, "a", "three\n\n"))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "# Title\n\nby hand\n\n<!-- a: begin -->\nthree\n<!-- a: end -->\n\n"+
		"<!-- b: begin -->\ntwo\n<!-- b: end -->\n", string(b))
}

func TestSpread(t *testing.T) {
	t.Parallel()
	_, ok := SpreadOf(nil)
	require.False(t, ok)
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{3, 1, 2}, Spread{2, 1, 3}},
		{[]float64{4, 1, 3, 2}, Spread{2.5, 1, 4}},
	} {
		got, ok := SpreadOf(c.in)
		require.True(t, ok)
		require.Equal(t, c.want, got)
	}
}

func TestServerThatEndsIsTold(t *testing.T) {
	t.Parallel()
	addr, err := FreeAddr("127.0.0.1")
	require.NoError(t, err)
	_, err = Start("", addr, nil, []string{"false", "{host}", "{port}"})
	require.ErrorContains(t, err, "ended at once")
	require.ErrorContains(t, err, strings.Replace(addr, ":", " ", 1))
}

func TestSharingServerIsHeard(t *testing.T) {
	t.Parallel()
	s, err := StartSharing("", "127.0.0.1:1", nil,
		[]string{"sh", "-c", "echo listening on {addr}; exec sleep 60"})
	require.NoError(t, err)
	require.False(t, s.Ended())
	s.Stop()
	require.True(t, s.Ended())
}

func TestLoadCommand(t *testing.T) {
	t.Parallel()
	l := Load{Program: "bin/throng", CPUs: "1", URL: "http://h:1", PIDs: []int{3, 4},
		Args: []string{"echo", "--size", "64"}}
	require.Equal(t, "taskset -c 1 bin/throng bench echo --size 64 --url http://h:1 --pid 3,4 "+
		"--progress never", l.String())
}

// A run that leaves no result says what the program said.
func TestLoadThatFailsIsTold(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	script := []byte("#!/bin/sh\necho no such server; exit 1\n")
	require.NoError(t, os.WriteFile(program, script, 0o755))
	_, err := Load{Program: program, Timeout: startTime}.Run()
	require.ErrorContains(t, err, "no such server")
}

func TestResultOfARun(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"+
		`while [ $# -gt 1 ]; do [ "$1" = --json ] && file=$2; shift; done`+"\n"+
		`echo '{"ok":true,"messages":{"lost":3},"latency_ms":{"p99":1.5}}' >"$file"`+"\n"), 0o755))
	r, err := Load{Program: program, Timeout: startTime}.Run()
	require.NoError(t, err)
	want := new(Result)
	require.NoError(t, json.Unmarshal([]byte(
		`{"ok":true,"messages":{"lost":3},"latency_ms":{"p99":1.5}}`), want))
	require.Equal(t, want, r)
	require.EqualValues(t, 3, r.Messages.Lost)
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]float64{
		"0": 0, "0.123": 0.1234, "99.9": 99.9, "100": 100.4, "1,000": 1000, "12,345": 12345.4,
		"1,234,568": 1234567.8, "-2,021": -2021,
	} {
		require.Equal(t, want, Number(v))
	}
}
