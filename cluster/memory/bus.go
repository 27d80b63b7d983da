package memory

import (
	"crypto/rand"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
)

// Bus joins the nodes of one process. Any goroutine may call its methods.
type Bus struct {
	mu     sync.Mutex
	nodes  map[string]*Transport // from Node until Close or Crash
	born   map[string]uint64     // the newest incarnation of each ID, ever
	faults Faults
	order  uint64 // of what was put into an inbox
}

// Faults are what goes wrong between two nodes, both named by their IDs. The
// hooks are called under the mutex of the bus, for each entry and receiver.
type Faults struct {
	// Drop loses an entry: the receiver is told of the gap in front of the next
	// one from the same node that comes.
	Drop func(from, to string, entry []byte) bool
	// Delay holds an entry back, and with it all behind it between the two.
	Delay func(from, to string, entry []byte) time.Duration
}

// Options of a node.
type Options struct {
	// ID is the node's name.
	ID string
	// Tag is the node's part of session ids. Default: one that follows from the
	// ID and is free.
	Tag uint16
	// Addr is where other nodes forward requests to; see cluster.Node.
	Addr string
	// Renew is how often the number of sockets in the lease is brought up to
	// date. Default 1 s.
	Renew time.Duration
	// MaxEntry bounds an entry in bytes. Default 64 MiB.
	MaxEntry int
	// MaxQueue bounds the entries that wait while the node is cut off, in each
	// direction; the oldest of its own go first. Default 65,536.
	MaxQueue int
}

const (
	defaultRenew    = time.Second
	defaultMaxEntry = 64 << 20
	defaultMaxQueue = 1 << 16
)

// New returns a bus without nodes.
func New() *Bus {
	return &Bus{nodes: make(map[string]*Transport), born: make(map[string]uint64)}
}

// errNoID is the error of a node without a name.
var errNoID = errors.New("memory: a node needs an ID")

// Node returns a new node. It fails with cluster.ErrTaken while another one
// has the ID or the tag; a node has them from here until Close or Crash.
func (b *Bus) Node(o Options) (*Transport, error) {
	if o.ID == "" {
		return nil, errNoID
	}
	if o.Renew <= 0 {
		o.Renew = defaultRenew
	}
	if o.MaxEntry <= 0 {
		o.MaxEntry = defaultMaxEntry
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = defaultMaxQueue
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nodes[o.ID] != nil {
		return nil, cluster.ErrTaken
	}
	if o.Tag == 0 {
		o.Tag = b.freeTag(o.ID)
	} else if b.byTag(o.Tag) != nil {
		return nil, cluster.ErrTaken
	}
	b.born[o.ID]++
	t := &Transport{bus: b, opt: o, since: time.Now(), links: make(map[string]*link),
		dropped: make(map[string]uint64), wake: make(chan struct{}, 1),
		over: make(chan struct{}), gone: make(chan struct{}),
		self: cluster.Node{ID: o.ID, Incarnation: b.born[o.ID], Tag: o.Tag, Addr: o.Addr,
			Secret: rand.Text()}}
	b.nodes[o.ID] = t
	return t, nil
}

// freeTag returns a tag for an ID: the same for the same nodes. mu is held.
func (b *Bus) freeTag(id string) uint16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	tag := uint16(h.Sum32())
	for tag == 0 || b.byTag(tag) != nil {
		tag++
	}
	return tag
}

func (b *Bus) byTag(tag uint16) *Transport {
	for _, t := range b.nodes {
		if t.self.Tag == tag {
			return t
		}
	}
	return nil
}

// SetFaults replaces the hooks; the zero value ends all faults.
func (b *Bus) SetFaults(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// Cut takes the broker away from a node: what it publishes waits, as does what
// others publish for it. Its lease goes on.
func (b *Bus) Cut(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.nodes[id]; t != nil && !t.cut {
		t.cut, t.since, t.healed = true, time.Now(), make(chan struct{})
	}
}

// Lapse lets the lease of a node end, and cuts the node off if it is not: for
// the others it is lost, and does not know.
func (b *Bus) Lapse(id string) {
	b.Cut(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.nodes[id]; t != nil && t.state == live {
		t.state = lapsed
		b.farewell(t, false)
	}
}

// Heal gives a node the broker back: what waited is delivered, its own entries
// in their order. If its lease had lapsed it is a new incarnation.
func (b *Bus) Heal(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.nodes[id]
	if t == nil || !t.cut {
		return
	}
	t.cut, t.since = false, time.Now()
	t.reconnects++
	if t.state == lapsed {
		b.born[id]++
		t.self.Incarnation, t.self.Secret = b.born[id], rand.Text()
		t.state = live
		t.renewals++
		b.announce(t)
	}
	held := t.held
	t.held = nil
	if t.lostHeld > 0 {
		for _, o := range b.others(t) {
			o.link(t).missed += t.lostHeld
		}
		t.lostHeld = 0
	}
	for _, h := range held {
		t.heldBytes -= int64(len(h.entry))
		b.carry(t, h)
	}
	close(t.healed)
	t.poke()
}

// Crash ends a node at once: nothing that waits is sent or received.
func (b *Bus) Crash(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.nodes[id]; t != nil {
		b.remove(t, false)
		t.inbox = nil
	}
}

// remove ends a node. mu is held.
func (b *Bus) remove(t *Transport, left bool) {
	was := t.state
	t.state, t.held, t.heldBytes = ended, nil, 0
	delete(b.nodes, t.opt.ID)
	if was == live {
		b.farewell(t, left)
	}
	close(t.over)
}

// others returns the live nodes besides t, by ID. mu is held.
func (b *Bus) others(t *Transport) []*Transport {
	var list []*Transport
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		if o := b.nodes[id]; o != t && (o.state == live || o.state == lapsed) {
			list = append(list, o)
		}
	}
	return list
}

// announce and farewell tell the others of an incarnation. mu is held.
func (b *Bus) announce(t *Transport) {
	for _, o := range b.others(t) {
		o.link(t).missed = 0
		b.put(o, t, item{kind: joined, from: t.self})
	}
}

func (b *Bus) farewell(t *Transport, left bool) {
	for _, o := range b.others(t) {
		b.put(o, t, item{kind: lost, from: t.self, left: left})
	}
}

// carry takes an entry to its receivers. mu is held.
func (b *Bus) carry(from *Transport, h held) {
	for _, o := range b.nodes {
		if o == from || o.state != live && o.state != lapsed {
			continue
		}
		if h.to.ID != "" && (h.to.ID != o.opt.ID || h.to.Incarnation != o.self.Incarnation) {
			continue
		}
		l := o.link(from)
		if b.faults.Drop != nil && b.faults.Drop(from.opt.ID, o.opt.ID, h.entry) ||
			o.cut && o.inbox.Len() >= o.opt.MaxQueue {
			l.missed++
			continue
		}
		b.put(o, from, item{kind: entry, from: from.self, entry: h.entry, to: h.to,
			missed: l.missed})
		l.missed = 0
	}
}
