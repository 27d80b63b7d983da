package valkey

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
)

// peer is another node. The lessee makes and changes it under the table's
// lock; pos belongs to the goroutine that reads its stream, under the lock of
// delivery.
type peer struct {
	node cluster.Node
	live bool // the receiver knows it; else only its position is known
	late bool // warned of
	head uint64
	src  *source

	seen    time.Time // when the lease was seen renewed
	expires int64     // the lease, by the server's clock
	absent  time.Time // since when it is not in the directory, or has lapsed
}

// key names an incarnation.
type key struct {
	id          string
	incarnation uint64
}

// peers is the table of the other nodes.
type peers struct {
	mu    sync.RWMutex
	byID  map[string]*peer
	lost  map[key]ended // incarnations that are over
	order []key         // of lost, oldest first
}

// ended is an incarnation that is over: which entries of it this node has seen.
type ended struct {
	node cluster.Node
	read uint64
}

// lostKept bounds the memory of incarnations that are over.
const lostKept = 4096

func newPeers() *peers {
	return &peers{byID: map[string]*peer{}, lost: map[key]ended{}}
}

func (p *peers) nodes() []cluster.Node {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]cluster.Node, 0, len(p.byID))
	for _, x := range p.byID {
		if x.live {
			out = append(out, x.node)
		}
	}
	slices.SortFunc(out, func(a, b cluster.Node) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (p *peers) byTag(tag uint16) (n cluster.Node, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, x := range p.byID {
		if x.live && x.node.Tag == tag && (!ok || x.node.ID < n.ID) {
			n, ok = x.node, true
		}
	}
	return n, ok
}

func (p *peers) has(id string, incarnation uint64) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	x := p.byID[id]
	return x != nil && x.live && x.node.Incarnation == incarnation
}

// from returns who sent something, and false if its incarnation is over. A
// node that is not known yet has only its name.
func (p *peers) from(id string, incarnation uint64) (cluster.Node, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, over := p.lost[key{id, incarnation}]; over {
		return cluster.Node{}, false
	}
	if x := p.byID[id]; x != nil && x.node.Incarnation == incarnation {
		return x.node, true
	}
	return cluster.Node{ID: id, Incarnation: incarnation}, true
}

func (p *peers) get(id string) *peer {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byID[id]
}

func (p *peers) all() []*peer {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Collect(maps.Values(p.byID))
}

func (p *peers) set(x *peer) {
	p.mu.Lock()
	p.byID[x.node.ID] = x
	p.mu.Unlock()
}

func (p *peers) change(f func()) {
	p.mu.Lock()
	f()
	p.mu.Unlock()
}

// isLost tells whether an incarnation is over for good.
func (p *peers) isLost(id string, incarnation uint64) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, over := p.lost[key{id, incarnation}]
	return over
}

// lastOf returns the last incarnation of a node that is over, if there is one.
func (p *peers) lastOf(id string) (e ended, ok bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, k := range slices.Backward(p.order) {
		if k.id == id {
			return p.lost[k], true
		}
	}
	return e, false
}

// saw notes that what an incarnation added after its end, up to number to, is
// accounted for. It returns how much that is.
func (p *peers) saw(n cluster.Node, to uint64) (missed uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{n.ID, n.Incarnation}
	if e, ok := p.lost[k]; ok && to > e.read {
		missed = to - e.read
		e.read = to
		p.lost[k] = e
	}
	return missed
}

// sawAny tells whether one of these places of a node's incarnations that are
// over has been read.
func (p *peers) sawAny(id string, places []place) bool {
	if len(places) == 0 {
		return false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.ContainsFunc(places, func(at place) bool {
		e, over := p.lost[key{id, at.incarnation}]
		return over && at.seq <= e.read
	})
}

// remove takes a peer out and remembers that its incarnation is over.
func (p *peers) remove(x *peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{x.node.ID, x.node.Incarnation}
	if p.byID[k.id] == x {
		delete(p.byID, k.id)
	}
	if _, known := p.lost[k]; known {
		return
	}
	p.lost[k] = ended{x.node, x.src.read.Load()}
	p.order = append(p.order, k)
	if len(p.order) > lostKept {
		delete(p.lost, p.order[0])
		p.order = slices.Delete(p.order, 0, 1)
	}
}

// headOf returns the node and the last number that it is known to have
// published.
func (p *peers) headOf(x *peer) (cluster.Node, uint64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return x.node, x.head
}

func (p *peers) status() []cluster.NodeStatus {
	p.mu.RLock()
	defer p.mu.RUnlock()
	out := make([]cluster.NodeStatus, 0, len(p.byID))
	for _, x := range p.byID {
		if !x.live {
			continue
		}
		s := cluster.NodeStatus{Node: x.node, Seen: x.seen}
		s.Sockets = maps.Clone(s.Sockets)
		if pos := x.src.read.Load(); x.head > pos {
			s.Lag = x.head - pos
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b cluster.NodeStatus) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
