//go:build long

package latency

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// daemon is `throng serve` in a process of its own.
type daemon struct {
	*child
	public, internal string
}

// startDaemon builds the binary and starts it, with the internal port.
func startDaemon(t testing.TB) *daemon {
	t.Helper()
	path := filepath.Join(t.TempDir(), "throng")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/throng")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	d := &daemon{child: start(t, "daemon", daemonConfig{Path: path, Args: []string{"serve",
		"--listen", "127.0.0.1:0", "--internal-listen", "127.0.0.1:0", "--log-format", "json"}})}
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGTERM) })
	for d.public == "" || d.internal == "" {
		var line struct{ Msg, Listen, Address string }
		b := d.line()
		require.NoError(t, json.Unmarshal(b, &line), "%s", b)
		switch line.Msg {
		case "internal port":
			d.internal = line.Address
		case "listening":
			d.public = line.Listen
		}
	}
	return d
}
