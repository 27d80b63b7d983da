package harness

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// running are the processes that this one has started and not yet seen end.
var running = struct {
	sync.Mutex
	all map[*os.Process]struct{}
}{all: map[*os.Process]struct{}{}}

func track(p *os.Process) {
	running.Lock()
	defer running.Unlock()
	running.all[p] = struct{}{}
}

func untrack(p *os.Process) {
	running.Lock()
	defer running.Unlock()
	delete(running.all, p)
}

// StopOnSignal lets SIGINT and SIGTERM end this process with all that it has
// started.
func StopOnSignal() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-c
		running.Lock() // for good: nothing is started any more
		for p := range running.all {
			_ = p.Kill()
		}
		os.Exit(1)
	}()
}
