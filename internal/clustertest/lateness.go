package clustertest

import (
	"slices"
	"sync"
	"time"
)

// lateness measures how long messages take to clients of the node that sent
// them, whatever the broker does.
type lateness struct {
	mu   sync.Mutex
	list []time.Duration
	// noise is the most that a goroutine was late which only sleeps: what the
	// machine, not the server, takes its time for.
	noise time.Duration
}

// listen measures the noise until stop.
func (l *lateness) listen(stop <-chan struct{}) {
	const nap = 5 * time.Millisecond
	for begun := time.Now(); ; begun = time.Now() {
		select {
		case <-stop:
			return
		case <-time.After(nap):
		}
		l.noise = max(l.noise, time.Since(begun)-nap)
	}
}

// watch watches one client of each node, before the first message.
func watch(p *Plan, publishers []*publisher, clients []*Client) *lateness {
	l := &lateness{}
	if p.Away == 0 {
		return l
	}
	for _, pb := range publishers {
		pb.sent = []time.Time{{}}
	}
	watched := make(map[int]bool)
	for _, c := range clients {
		if c.Node >= p.Nodes || watched[c.Node] {
			continue // the clock of a guest's publisher is not that of its server
		}
		watched[c.Node] = true
		f := func(text string) {
			now := time.Now()
			m, ok := parse(text)
			if !ok || m.n == 0 || publishers[m.publisher].node != c.Node {
				return
			}
			pb := publishers[m.publisher]
			pb.mu.Lock()
			sent := pb.sent[m.n]
			pb.mu.Unlock()
			l.mu.Lock()
			l.list = append(l.list, now.Sub(sent))
			l.mu.Unlock()
		}
		c.watch.Store(&f)
	}
	return l
}

// quantiles returns the median, the 99th percentile and the maximum.
func (l *lateness) quantiles() (q [3]time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.list); n > 0 {
		slices.Sort(l.list)
		q = [3]time.Duration{l.list[n/2], l.list[n*99/100], l.list[n-1]}
	}
	return q
}
