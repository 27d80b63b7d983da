package blackbox

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Clients that close their sockets without a word: their descriptors are free
// when the FIN has come, not when a heartbeat is missed.
func TestFINFreesDescriptor(t *testing.T) {
	t.Parallel()
	const clients = 100
	p := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--loops", "2", "--ping-interval", "1h")
	addr := p.listening()
	descriptors := func() int {
		list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
		require.NoError(t, err)
		return len(list)
	}
	first, err := join(addr) // what a server opens once is open then
	require.NoError(t, err)
	defer first.Close()
	before := descriptors()
	var open []interface{ Close() error }
	for range clients {
		c, err := join(addr)
		require.NoError(t, err)
		open = append(open, c)
	}
	require.GreaterOrEqual(t, descriptors(), before+clients)
	for _, c := range open {
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return descriptors() <= before }, 5*time.Second, time.Millisecond)
}
