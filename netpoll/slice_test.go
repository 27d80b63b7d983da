package netpoll

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Threads that are there and those that come get the slice, where the kernel
// knows of slices.
func TestShortSlices(t *testing.T) {
	t.Parallel()
	const want = 300 * time.Microsecond
	require.NoError(t, ShortSlices(want))
	tid := make(chan int)
	for range 4 {
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			tid <- unix.Gettid()
		}()
	}
	for range 4 {
		a, err := unix.SchedGetAttr(<-tid, 0)
		if err == nil && a.Runtime != 0 { // 0: an older kernel, or the thread has ended
			require.EqualValues(t, want, a.Runtime)
		}
	}
	list, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	for _, e := range list {
		id, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		if a, err := unix.SchedGetAttr(id, 0); err == nil && a.Runtime != 0 {
			require.EqualValues(t, want, a.Runtime, e.Name())
		}
	}
}
