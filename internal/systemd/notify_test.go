package systemd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manager listens as the service manager does, and sets the environment.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	t.Setenv("NOTIFY_SOCKET", name)
	return c
}

func hear(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := c.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func TestStates(t *testing.T) {
	for _, name := range []string{
		filepath.Join(t.TempDir(), "notify"),
		fmt.Sprintf("@throng-test-%d", os.Getpid()),
	} {
		c := manager(t, name)
		m := FromEnv()
		require.Empty(t, os.Getenv("NOTIFY_SOCKET"), "not for children")
		m.Ready("serving\nwell")
		require.Equal(t, fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=serving well", os.Getpid()), hear(t, c))
		m.Reloading()
		require.Regexp(t, `^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+\nSTATUS=reloading$`, hear(t, c))
		m.Status("3 clients")
		require.Equal(t, "STATUS=3 clients", hear(t, c))
		m.Stopping("")
		require.Equal(t, "STOPPING=1", hear(t, c))
	}
}

func TestWatchdog(t *testing.T) {
	c := manager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	m := FromEnv()
	done := make(chan struct{})
	ended := make(chan struct{})
	var alive atomic.Bool
	alive.Store(true)
	go func() {
		defer close(ended)
		m.Watch(done, alive.Load)
	}()
	for range 3 {
		require.Equal(t, "WATCHDOG=1", hear(t, c))
	}
	alive.Store(false)
	time.Sleep(30 * time.Millisecond) // one may be under way
	require.NoError(t, c.SetDeadline(time.Now().Add(100*time.Millisecond)))
	b := make([]byte, 64)
	for n, err := 0, error(nil); ; n++ {
		require.Less(t, n, 8, "nobody is alive")
		if _, err = c.Read(b); err != nil {
			break
		}
	}
	close(done)
	<-ended
}

// Another process's watchdog, nonsense, and nobody who listens.
func TestNobody(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{"WATCHDOG_USEC": "x"},
		{"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": "/nowhere/at/all"},
	} {
		for k, v := range env {
			t.Setenv(k, v)
		}
		m := FromEnv()
		m.Ready("x")
		require.Zero(t, m.watchdog)
		m.Watch(nil, func() bool { t.Error("asked"); return true })
	}
}
