package blackbox

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The service manager hears that the server serves, is alive, and ends; a
// client is sent away in between.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.SetDeadline(time.Now().Add(20*time.Second)))
	hear := func() string {
		b := make([]byte, 1024)
		n, err := l.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	p := start(t, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000"},
		"serve", "--listen", "127.0.0.1:0", "--loops", "1")
	addr := p.listening()
	ready := hear()
	require.Contains(t, ready, fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=serving %s", p.cmd.Process.Pid, addr))
	for range 3 {
		require.Equal(t, "WATCHDOG=1", hear())
	}
	c, err := join(addr)
	require.NoError(t, err)
	defer c.Close()
	until := func(state string) {
		for s := hear(); !strings.HasPrefix(s, state); s = hear() {
			require.Equal(t, "WATCHDOG=1", s)
		}
	}
	p.signal(syscall.SIGHUP)
	until("RELOADING=1\nMONOTONIC_USEC=")
	until("READY=1")
	p.signal(syscall.SIGTERM)
	until("STOPPING=1")
	require.Equal(t, 0, p.code())
}

// The codes of internal/cli's package documentation and of the man page.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "throng.toml")
	require.NoError(t, os.WriteFile(file, []byte("loops = 2\nlisten_ = \"x\"\n"), 0o600))
	for args, want := range map[string]int{
		"serve --config " + file:                    78,
		"version":                                   0,
		"help serve":                                0,
		"serve --nonsense":                          2,
		"serve --loops 1000":                        2,
		"doctor --url ftp://":                       2,
		"serve --listen " + taken.Addr().String():   1,
		"emit --valkey valkey://127.0.0.1:1 e":      1,
		"doctor --idle 0s --url http://127.0.0.1:1": 1,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, start(t, nil, strings.Fields(args)...).code())
		})
	}
}

// The first line of a server says what bounds it; a second signal ends it at
// once.
func TestBootLineAndSecondSignal(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--loops", "2", "--reuse-port",
		"--drain-time", "30s")
	addr := p.listening()
	for _, word := range []string{"version", "loops", "gomaxprocs", "open_files", "max_connections"} {
		require.Regexp(t, word+`"?[=:]`, p.String())
	}
	c, err := join(addr)
	require.NoError(t, err)
	defer c.Close()
	p.signal(syscall.SIGTERM)
	p.find(`(shutting down)`)
	begun := time.Now()
	p.signal(syscall.SIGTERM)
	require.Equal(t, 1, p.code())
	require.Less(t, time.Since(begun), 5*time.Second)
}
