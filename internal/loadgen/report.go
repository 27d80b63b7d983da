package loadgen

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report ends a command.
func (w *worker) report(do string, err error, began int64) {
	r := report{Kind: done, Do: do, Counts: w.counts}
	if err != nil {
		r.Error = err.Error()
		w.say(r)
		return
	}
	a := &account{Latency: w.latency, Handshake: w.handshake, Lag: w.lag, Back: w.backTime,
		Errors: w.errors, Overdue: w.overdue(), PingInterval: w.pingInterval,
		CPU: ownCPU(), Turn: time.Duration(w.longest), Took: time.Duration(now() - began),
		Memory: ownMemory(), Sent: map[uint32]uint32{}}
	for _, s := range w.senders {
		if s.seq > 0 {
			a.Sent[s.stream] = s.seq
		}
	}
	if do == doFinish {
		a.Expected, a.Lost, a.Missed = w.settled.expected, w.settled.lost, w.settled.missed
		a.Last = w.last.bytes()
	}
	r.Full = a
	w.say(r)
}

// overdue counts connections that should have had a ping by now.
func (w *worker) overdue() (n int) {
	if w.pingInterval == 0 {
		return 0
	}
	before := now() - int64(w.pingInterval+w.pingTimeout)
	for i := range w.conns {
		if c := &w.conns[i]; c.state == ready && c.heard < before {
			n++
		}
	}
	return n
}

func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ownMemory is this process's resident memory in bytes.
func ownMemory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if f := strings.Fields(string(b)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}
