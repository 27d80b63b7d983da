package blackbox

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// root is the repository.
const root = "../.."

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "throng-blackbox")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "throng")
		build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/throng")
		build.Dir, build.Stderr = root, os.Stderr
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "go build:", err)
			return 1
		}
		return m.Run()
	}())
}

// process is a running program.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	gone chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// start runs the binary; it ends with the test.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(append(os.Environ(), "THRONG_INTERNAL_LISTEN=off"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return launch(t, cmd)
}

// launch starts a command; it ends with the test.
func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, gone: make(chan struct{}), more: make(chan struct{}, 1)}
	p.cmd.Stdout, p.cmd.Stderr = io.Writer(p), io.Writer(p)
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.gone
		if t.Failed() {
			t.Logf("%v:\n%s", cmd.Args, p)
		}
	})
	return p
}

// find waits for output that fits the pattern, and returns its first group.
func (p *process) find(pattern string) string {
	p.t.Helper()
	late := time.After(20 * time.Second)
	re := regexp.MustCompile(pattern)
	for {
		if m := re.FindStringSubmatch(p.String()); m != nil {
			return m[1]
		}
		select {
		case <-p.more:
		case <-p.gone:
			if m := re.FindStringSubmatch(p.String()); m != nil {
				return m[1]
			}
			require.FailNow(p.t, "ended", "without %s: %s", pattern, p)
		case <-late:
			require.FailNow(p.t, "late", "no %s in: %s", pattern, p)
		}
	}
}

// listening waits until it serves, and returns where.
func (p *process) listening() string {
	p.t.Helper()
	return p.find(`listening.*listen"?[=:]"?(127[.\d]+:\d+)`)
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// code waits for the end and returns the exit code.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(30 * time.Second):
		require.FailNow(p.t, "does not end", p)
	}
	return p.cmd.ProcessState.ExitCode()
}
