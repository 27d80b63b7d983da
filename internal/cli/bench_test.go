package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/demo"
	"github.com/throng-server/throng/internal/loadgen"
	"github.com/throng-server/throng/socketio"
)

// A bench starts its own program as workers: here that is this test.
const workerMark = "CLI_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerMark) != "" {
		os.Exit(Main([]string{benchWorker}, os.Stdout, os.Stderr))
	}
	workerCommand = func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), workerMark+"=1", "GORACE=atexit_sleep_ms=0")
		return c
	}
	code := m.Run()
	removeBinary()
	os.Exit(code)
}

// demoServer serves the demo's events.
func demoServer(t *testing.T) string {
	t.Helper()
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	demo.Mount(srv)
	require.NoError(t, srv.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	})
	return "http://" + srv.Addr().String()
}

func bench(args string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(append([]string{"bench"}, strings.Fields(args)...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestBenchTheDemo(t *testing.T) {
	t.Parallel()
	url := demoServer(t)
	const few = " --connections 10 --duration 300ms --drain 20s --rate 50 --url "

	code, out, errs := bench("broadcast --contract demo --max-lost 0 --max-duplicate 0 " +
		"--max-p99 20s --min-share 1 --min-connected 10" + few + url)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "100.0000 % of the deliveries came")
	require.Contains(t, errs, "10 of 10 connections")

	code, out, errs = bench("rooms --contract demo-chat --rooms 2 --max-lost 0 --max-misrouted 0" +
		few + url)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "lost 0")

	code, _, errs = bench("broadcast --contract demo-chat --via room --max-lost 0" + few + url)
	require.Equal(t, exitOK, code, errs)
}

func TestBenchThresholdsChangeTheExitCode(t *testing.T) {
	t.Parallel()
	url := demoServer(t)
	for args, want := range map[string]int{
		"":                     exitOK,
		"--min-connected 5":    exitOK,
		"--min-connected 6":    exitThreshold,
		"--max-handshake 1m":   exitOK,
		"--max-handshake 1ns":  exitThreshold,
		"--max-p99 1h":         exitThreshold, // no message, no latency
		"--max-died 0":         exitOK,
		"--min-per-second 1e9": exitThreshold,
	} {
		code, out, errs := bench("idle --connections 5 --duration 10ms --url " + url + " " + args)
		require.Equal(t, want, code, "%s: %s", args, errs)
		if want == exitThreshold {
			require.Contains(t, out, "FAILED")
			require.Contains(t, errs, "a threshold was not kept")
		}
	}
}

func TestBenchWrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"", "party", "idle", "idle --url nowhere", "idle --url https://127.0.0.1:1",
		"idle --url http://127.0.0.1:1 extra", "idle --url http://127.0.0.1:1 --connections 0",
		"idle --url http://127.0.0.1:1 --rate 5", // not a flag of idle
		"echo --url http://127.0.0.1:1 --size 3", "echo --url http://127.0.0.1:1 --rate -1",
		"echo --url http://127.0.0.1:1 --contract demo", // which has no echo
		"echo --url http://127.0.0.1:1 --contract x", "idle --url http://127.0.0.1:1 --wait long",
		"idle --url http://127.0.0.1:1 --max-p99 20", "idle --url http://127.0.0.1:1 --max-lost x",
		"idle --url http://127.0.0.1:1 --pid 999999999", "idle --url http://127.0.0.1:1 --auth {",
		"idle --url http://127.0.0.1:1 --progress sometimes",
		"idle --url http://127.0.0.1:1 --source nowhere",
		"idle --url http://192.0.2.1:1", // another machine
	} {
		code, _, errs := bench(args)
		require.Equal(t, exitUsage, code, "%s: %s", args, errs)
	}
	_, _, errs := bench("idle --url http://192.0.2.1:1")
	require.Contains(t, errs, "--yes")
}

func TestBenchOfNobody(t *testing.T) {
	t.Parallel()
	code, out, errs := bench("idle --connections 3 --duration 10ms --url http://127.0.0.1:1")
	require.Equal(t, exitRuntime, code)
	require.Contains(t, out, "3 refused, the first: connect: connection refused")
	require.Contains(t, errs, "no client could connect")
}

func TestBenchJSON(t *testing.T) {
	t.Parallel()
	url := demoServer(t)
	args := "idle --connections 3 --duration 10ms --url " + url + " --json "
	code, out, errs := bench(args + "-")
	require.Equal(t, exitOK, code)
	var r loadgen.Result
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, 3, r.Connections.Connected)
	require.Contains(t, errs, "idle over websocket", "the summary goes elsewhere")

	file := filepath.Join(t.TempDir(), "r.json")
	code, out, _ = bench(args + file)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "idle over websocket")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &r))
	code, _, _ = bench(args + "/does/not/exist")
	require.Equal(t, exitRuntime, code)
}

func TestBenchProgressOnATerminal(t *testing.T) {
	t.Parallel()
	url := demoServer(t)
	code, _, errs := bench("broadcast --contract demo --rate 50 --connections 5 --duration 1s " +
		"--progress always --url " + url)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, errs, "\r[===")
	require.Greater(t, strings.Count(errs, "send"), 2)
}

// Not parallel: the signal is for the whole process.
func TestSignalEndsTheBench(t *testing.T) {
	url := demoServer(t)
	errs, out := newOutput(), newOutput()
	code := make(chan int, 1)
	go func() {
		code <- Main([]string{"bench", "broadcast", "--contract", "demo", "--rate", "50",
			"--connections", "5", "--duration", "10m", "--progress", "always", "--url", url}, out, errs)
	}()
	errs.find(t, `(delivered [1-9])`)
	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGINT))
	select {
	case c := <-code:
		require.Equal(t, exitRuntime, c)
		require.Contains(t, out.String(), "INTERRUPTED")
		require.Contains(t, out.String(), "lost 0")
	case <-time.After(30 * time.Second):
		t.Fatal("does not end")
	}
}
