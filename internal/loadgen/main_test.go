package loadgen

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// workerMark has the test program be a worker, so that tests have real ones.
const workerMark = "LOADGEN_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerMark) != "" {
		if err := Work(os.Stdin, os.Stdout); err != nil {
			slog.Error("worker", "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func testWorker() *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), workerMark+"=1", "GORACE=atexit_sleep_ms=0")
	return c
}

// tryRun runs a plan against a server at url.
func tryRun(t *testing.T, url string, p Plan) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	target, path, err := ParseTarget(ctx, url)
	require.NoError(t, err)
	if path != "" {
		p.Path = path
	}
	p.Targets = append(p.Targets, target)
	return Run(ctx, p, Options{PIDs: []int{os.Getpid()}, Command: testWorker, Version: "test"})
}

func mustRun(t *testing.T, url string, p Plan) *Result {
	t.Helper()
	r, err := tryRun(t, url, p)
	require.NoError(t, err)
	require.False(t, r.Interrupted)
	return r
}

// testBroken is a worker that ends at once.
func testBroken() *exec.Cmd { return exec.Command("true") }
