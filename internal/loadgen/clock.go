package loadgen

import (
	"time"

	"golang.org/x/sys/unix"
)

// The monotonic clock of the host, which all its processes share. Asked once:
// the difference to Go's clock, which costs no system call, stays the same.
var (
	clockStart = time.Now()
	clockBase  = hostClock()
)

func hostClock() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return clockStart.UnixNano() // a worker alone still measures well
	}
	return ts.Nano()
}

// now is the time on the host's monotonic clock, in ns.
func now() int64 { return clockBase + int64(time.Since(clockStart)) }
