package demo

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// cpuTime is how long the machine's processors were busy since its start, and
// how long there were processors, in clock ticks.
type cpuTime struct{ busy, total uint64 }

// use returns the percentage of the time since before that was busy.
func (t cpuTime) use(before cpuTime) float64 {
	// The kernel corrects its idle time now and then, backwards, too.
	if t.total <= before.total || t.busy <= before.busy {
		return 0
	}
	return min(100, 100*float64(t.busy-before.busy)/float64(t.total-before.total))
}

func cpuCounters() (cpuTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTime{}, err
	}
	return parseCPU(string(text))
}

// parseCPU reads the first line of /proc/stat: cpu, then the ticks spent as
// user, nice, system, idle, iowait, irq, softirq, steal; what follows is part
// of user already.
func parseCPU(stat string) (cpuTime, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return cpuTime{}, errors.New("/proc/stat: no line about all processors")
	}
	var t cpuTime
	for i, field := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return cpuTime{}, fmt.Errorf("/proc/stat: %w", err)
		}
		t.total += n
		if i != 3 && i != 4 { // idle, and idle because of a disk
			t.busy += n
		}
	}
	return t, nil
}

// memoryUse returns the percentage of the machine's memory that is not
// available to programs.
func memoryUse() (float64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return parseMemory(string(text))
}

func parseMemory(meminfo string) (float64, error) {
	var total, available float64
	for line := range strings.Lines(meminfo) {
		// The second field is in kB.
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			total, _ = strconv.ParseFloat(fields[1], 64)
		case "MemAvailable:":
			available, _ = strconv.ParseFloat(fields[1], 64)
		}
	}
	if total <= 0 {
		return 0, errors.New("/proc/meminfo: MemTotal is missing")
	}
	return max(0, 100*(total-available)/total), nil
}

// round leaves one digit behind the point.
func round(v float64) float64 { return math.Round(v*10) / 10 }
