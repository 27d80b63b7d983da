package memory

import (
	"container/heap"
	"context"
	"maps"
	"time"

	"github.com/throng-server/throng/cluster"
)

// Transport is a node of a bus. Fields behind opt are guarded by the mutex of
// the bus.
type Transport struct {
	bus *Bus
	opt Options

	self  cluster.Node
	state state
	cut   bool
	since time.Time
	recv  cluster.Receiver
	inbox inbox
	links map[string]*link // by the ID of the publisher

	held      []held // own entries that wait for the broker
	heldBytes int64
	lostHeld  uint64 // that went because there were too many

	published, publishedBytes uint64
	received, receivedBytes   uint64
	missed                    uint64
	dropped                   map[string]uint64
	renewals, reconnects      uint64

	healed chan struct{} // closed when the broker is back
	wake   chan struct{}
	over   chan struct{} // closed when the node is removed
	gone   chan struct{} // closed when the receiver's goroutine has ended
}

var _ cluster.Transport = (*Transport)(nil)

type state uint8

const (
	made   state = iota
	live         // started
	lapsed       // others take it for lost
	ended
)

// held is an entry that waits; to is zero for all.
type held struct {
	entry []byte
	to    cluster.Node
}

// link is what a node knows of another one's entries.
type link struct {
	due    time.Time // of the last one
	missed uint64    // since the last one
}

func (t *Transport) link(from *Transport) *link {
	l := t.links[from.opt.ID]
	if l == nil {
		l = &link{}
		t.links[from.opt.ID] = l
	}
	return l
}

// Self implements cluster.Transport.
func (t *Transport) Self() cluster.Node {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	return t.self
}

// Start implements cluster.Transport. The nodes that are there already are not
// announced to r.
func (t *Transport) Start(ctx context.Context, r cluster.Receiver) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sockets := r.Sockets()
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	if t.state != made {
		return cluster.ErrClosed
	}
	t.recv, t.state = r, live
	t.self.Sockets = sockets
	t.bus.announce(t)
	go t.run()
	return nil
}

// Publish implements cluster.Transport.
func (t *Transport) Publish(c cluster.Class, entry []byte) bool {
	return t.send(c, held{entry: entry})
}

// Send implements cluster.Transport.
func (t *Transport) Send(to cluster.Node, entry []byte) bool {
	return t.send(cluster.Fleeting, held{entry: entry, to: to})
}

func (t *Transport) send(c cluster.Class, h held) bool {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	switch {
	case t.state == ended || t.state == made:
		t.dropped["closed"]++
		return false
	case len(h.entry) > t.opt.MaxEntry:
		t.dropped["too_large"]++
		return false
	case t.cut && c != cluster.Kept:
		t.dropped["fleeting"]++
		return false
	case t.cut:
		if len(t.held) >= t.opt.MaxQueue {
			t.heldBytes -= int64(len(t.held[0].entry))
			t.held = t.held[1:]
			t.lostHeld++
			t.dropped["overflow"]++
		}
		t.held = append(t.held, h)
		t.heldBytes += int64(len(h.entry))
	default:
		t.bus.carry(t, h)
	}
	t.published++
	t.publishedBytes += uint64(len(h.entry))
	return true
}

// Nodes implements cluster.Transport.
func (t *Transport) Nodes() []cluster.Node {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	return t.peers()
}

func (t *Transport) peers() (list []cluster.Node) {
	for _, o := range t.bus.others(t) {
		if o.state == live {
			list = append(list, o.self)
		}
	}
	return list
}

// NodeByTag implements cluster.Transport.
func (t *Transport) NodeByTag(tag uint16) (cluster.Node, bool) {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	if o := t.bus.byTag(tag); o != nil && o != t && o.state == live {
		return o.self, true
	}
	return cluster.Node{}, false
}

// Status implements cluster.Transport.
func (t *Transport) Status() cluster.Status {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	st := cluster.Status{Self: t.self, Broker: "memory", Connected: !t.cut, Since: t.since,
		Degraded: t.cut, QueuedEntries: len(t.held), QueuedBytes: t.heldBytes,
		Published: t.published, PublishedBytes: t.publishedBytes,
		Received: t.received, ReceivedBytes: t.receivedBytes,
		Dropped: maps.Clone(t.dropped), Missed: t.missed,
		Incarnations: t.renewals, Reconnects: t.reconnects}
	if t.cut {
		st.Err = "cut off"
	}
	now := time.Now()
	for _, n := range t.peers() {
		st.Nodes = append(st.Nodes, cluster.NodeStatus{Node: n, Seen: now})
	}
	return st
}

// Close implements cluster.Transport. It must not be called by the receiver.
func (t *Transport) Close(ctx context.Context) error {
	t.bus.mu.Lock()
	for t.cut && t.state != ended && len(t.held) > 0 {
		healed := t.healed
		t.bus.mu.Unlock()
		select {
		case <-healed:
		case <-ctx.Done():
		}
		t.bus.mu.Lock()
		if ctx.Err() != nil {
			break
		}
	}
	unsent := len(t.held)
	started := t.recv != nil
	if t.state != ended {
		t.bus.remove(t, true)
	}
	t.bus.mu.Unlock()
	if started {
		select {
		case <-t.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if unsent > 0 {
		return ctx.Err()
	}
	return nil
}

// run calls the receiver until the node is removed.
func (t *Transport) run() {
	defer close(t.gone)
	timer := time.NewTimer(t.opt.Renew)
	defer timer.Stop()
	renew := time.Now().Add(t.opt.Renew)
	for {
		if now := time.Now(); !now.Before(renew) {
			sockets := t.recv.Sockets()
			t.bus.mu.Lock()
			t.self.Sockets = sockets
			t.bus.mu.Unlock()
			renew = now.Add(t.opt.Renew)
		}
		it, wait, ok := t.take()
		if ok {
			t.hand(&it)
			continue
		}
		timer.Reset(min(wait, time.Until(renew)))
		select {
		case <-t.wake:
		case <-timer.C:
		case <-t.over:
			return
		}
	}
}

// take removes what is due from the inbox, or tells when something will be.
func (t *Transport) take() (it item, wait time.Duration, ok bool) {
	t.bus.mu.Lock()
	defer t.bus.mu.Unlock()
	for {
		if t.state == ended || t.cut || t.inbox.Len() == 0 {
			return it, time.Hour, false
		}
		if wait = time.Until(t.inbox[0].due); wait > 0 {
			return it, wait, false
		}
		it = heap.Pop(&t.inbox).(item)
		if it.to.ID != "" && it.to.Incarnation != t.self.Incarnation {
			continue // for an earlier incarnation
		}
		t.missed += it.missed
		if it.kind == entry {
			t.received++
			t.receivedBytes += uint64(len(it.entry))
		}
		return it, 0, true
	}
}

func (t *Transport) hand(it *item) {
	if it.missed > 0 {
		t.recv.Gap(it.from, it.missed)
	}
	switch it.kind {
	case entry:
		t.recv.Receive(it.from, it.entry)
	case joined:
		t.recv.NodeJoined(it.from)
	case lost:
		t.recv.NodeLost(it.from, it.left)
	}
}

// poke wakes the goroutine.
func (t *Transport) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
