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
	if !mayNice(t) {
		require.ErrorIs(t, LazyMonitor(want), unix.EPERM)
	} else {
		require.NoError(t, LazyMonitor(want))
		b, err := os.ReadFile("/proc/" + monitor + "/timerslack_ns")
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(int(want)), strings.TrimSpace(string(b)))
	}
	var wg, all sync.WaitGroup
	const threads = 64 // more than there are
	all.Add(threads)
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			assert.NotEqual(t, monitor, strconv.Itoa(unix.Gettid()))
			all.Done()
			all.Wait() // each keeps a thread of its own until all have one
		})
	}
	wg.Wait()
}

// mayNice tells whether this process has CAP_SYS_NICE; the root user of a
// container often has not.
func mayNice(t *testing.T) bool {
	var data [2]unix.CapUserData
	require.NoError(t, unix.Capget(
		&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]))
	return data[0].Effective&(1<<unix.CAP_SYS_NICE) != 0
}
