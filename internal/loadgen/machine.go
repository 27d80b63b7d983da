package loadgen

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// userHz is the unit of times in /proc, the same on all of Linux.
const userHz = 100

// usage is what processes have used up to a moment.
type usage struct {
	at   int64
	cpu  time.Duration // of the processes
	rss  int64
	pss  int64 // 0 where it may not be read
	peak int64
	// busy is what the whole machine has computed.
	busy time.Duration
}

// measure looks at processes; an error names the first that is not there.
func measure(pids []int) (u usage, err error) {
	u.at = now()
	u.busy = machineBusy()
	for _, pid := range pids {
		cpu, err := processCPU(pid)
		if err != nil {
			return u, err
		}
		u.cpu += cpu
		dir := fmt.Sprintf("/proc/%d/", pid)
		u.rss += fieldKB(dir+"status", "VmRSS:")
		u.peak += fieldKB(dir+"status", "VmHWM:")
		u.pss += fieldKB(dir+"smaps_rollup", "Pss:")
	}
	return u, nil
}

// processCPU is user and system time of a process, its threads included.
func processCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may contain anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	return time.Duration(user+system) * time.Second / userHz, nil
}

// fieldKB is the number after key in a file of lines "key: n kB", in bytes, or
// 0.
func fieldKB(path, key string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == key {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// machineBusy is the time all processors have computed for anybody.
func machineBusy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	var sum int64
	for i, f := range strings.Fields(first) {
		// cpu user nice system idle iowait irq softirq steal guest...
		if i == 0 || i == 4 || i == 5 || i > 7 {
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += n
	}
	return time.Duration(sum) * time.Second / userHz
}

// kernel is what the kernel holds for sockets, and for everything.
type kernel struct {
	sockets int64 // TCP, both ends of each on this machine
	waiting int64 // of them in TIME_WAIT
	buffers int64 // bytes in sockets' queues
	slab    int64 // bytes in all of the kernel's objects
	dropped int64 // packets, since the machine was started
}

func measureKernel() (k kernel) {
	k.slab = fieldKB("/proc/meminfo", "Slab:")
	if b, err := os.ReadFile("/proc/net/softnet_stat"); err == nil {
		k.dropped = backlogDrops(string(b))
	}
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return k
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(f); i += 2 {
			n, _ := strconv.ParseInt(f[i+1], 10, 64)
			switch f[i] {
			case "inuse":
				k.sockets = n
			case "tw":
				k.waiting = n
			case "mem":
				k.buffers = n * int64(os.Getpagesize())
			}
		}
	}
	return k
}

// backlogDrops adds up the second column of softnet_stat: packets, of loopback
// too, that came when a processor's queue of net.core.netdev_max_backlog was
// full. Each comes again after 200 ms at the earliest.
func backlogDrops(stat string) (sum int64) {
	for line := range strings.Lines(stat) {
		if f := strings.Fields(line); len(f) >= 2 {
			n, _ := strconv.ParseInt(f[1], 16, 64)
			sum += n
		}
	}
	return sum
}

// release is the kernel's version.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// descriptors is how many files a worker may have open.
func descriptors() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return int(min(l.Max, 1<<30))
}
