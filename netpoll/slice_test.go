package netpoll

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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

// The thread that gets the slack is none that runs goroutines: those would
// sleep too long.
func TestLazyMonitor(t *testing.T) {
	t.Parallel()
	const want = 123 * time.Microsecond
	monitor, err := monitorThread()
	require.NoError(t, err)
	if err := LazyMonitor(want); err != nil {
		require.ErrorIs(t, err, unix.EPERM)
		require.NotZero(t, os.Geteuid(), "the root user may")
	} else {
		b, err := os.ReadFile("/proc/" + monitor + "/timerslack_ns")
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(int(want)), strings.TrimSpace(string(b)))
	}
	var wg sync.WaitGroup
	for range 64 { // more than there are threads
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			assert.NotEqual(t, monitor, strconv.Itoa(unix.Gettid()))
			time.Sleep(20 * time.Millisecond) // all at a time
		})
	}
	wg.Wait()
}
