package harness

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Machine is where a measurement ran.
type Machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	MemoryGiB  int    `json:"memory_gib"`
	Kernel     string `json:"kernel"`
	Congestion string `json:"congestion_control"`
	Go         string `json:"go"`
}

// ThisMachine describes the one that runs this.
func ThisMachine() Machine {
	kb, _ := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"))
	return Machine{
		CPU: field("/proc/cpuinfo", "model name"), Processors: runtime.NumCPU(),
		MemoryGiB: (kb + 1<<19) >> 20, Kernel: line("/proc/sys/kernel/osrelease"),
		Congestion: line("/proc/sys/net/ipv4/tcp_congestion_control"), Go: runtime.Version(),
	}
}

func (m Machine) String() string {
	return fmt.Sprintf("%d processors (%s), %d GiB, Linux %s, TCP %s, %s, loopback",
		m.Processors, m.CPU, m.MemoryGiB, m.Kernel, m.Congestion, m.Go)
}

func line(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// field is the first value of a key in a file of lines "key: value".
func field(path, key string) string {
	b, _ := os.ReadFile(path)
	for l := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Spread is the middle of some values, and the outer ones.
type Spread struct{ Median, Low, High float64 }

// SpreadOf sorts a copy of v; false if there is none.
func SpreadOf(v []float64) (Spread, bool) {
	if len(v) == 0 {
		return Spread{}, false
	}
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return Spread{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}, true
}
