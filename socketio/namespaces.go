package socketio

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
	"github.com/throng-server/throng/rooms"
)

// namespaceSet is the namespaces of a server. The mutex is held for a look-up
// or a change of the maps, and never while a function of the application runs.
type namespaceSet struct {
	mu      sync.RWMutex
	byName  map[string]*Namespace
	nums    map[rooms.NS]struct{}
	next    rooms.NS
	parents []*Namespace // in the order of their registration; never edited
	dynamic int          // how many of byName clients have named
	created []func(*Namespace)
}

// lease counts who needs a child that is removed when it is empty: sockets,
// pending ones included, and whoever called Of.
type lease struct {
	counts bool // set once, before anybody else sees the namespace
	pinned bool // guarded by the set's mutex
	users  atomic.Int64
}

// leaseOver is the number of users of a namespace that was removed.
const leaseOver = -1 << 62

// hold keeps a namespace from being removed; false if it was. Any goroutine.
func (n *Namespace) hold() bool {
	for n.child.counts {
		users := n.child.users.Load()
		if users < 0 {
			return false
		}
		if n.child.users.CompareAndSwap(users, users+1) {
			break
		}
	}
	return true
}

// release takes a hold back; the last one removes the namespace. Any
// goroutine.
func (n *Namespace) release() {
	if !n.child.counts || n.child.users.Add(-1) > 0 {
		return
	}
	set := &n.srv.namespaces
	set.mu.Lock()
	defer set.mu.Unlock()
	if !n.child.users.CompareAndSwap(0, leaseOver) {
		return // somebody came meanwhile, or removed it
	}
	delete(set.byName, n.name)
	delete(set.nums, n.num)
	delete(n.parent.kids, n.name)
	set.dynamic--
}

// Of returns the namespace of a name, making it. A leading slash is added. A
// new one becomes the child of the first OfPattern parent that its name fits.
// What Of returned is not removed when it is empty.
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	set := &s.namespaces
	if n := set.find([]byte(name)); n != nil && n.pin() {
		return n
	}
	parent := set.fitting(name)
	n, made := set.enter(name, func() *Namespace { return set.make(s, name, parent) })
	if made {
		s.announce(n)
	}
	n.pin()
	return n
}

// pin keeps a namespace for good; false if it was removed.
func (n *Namespace) pin() bool {
	if !n.child.counts {
		return true
	}
	set := &n.srv.namespaces
	set.mu.Lock()
	defer set.mu.Unlock()
	if !n.child.pinned && n.hold() {
		n.child.pinned = true
		set.dynamic-- // the application's now
	}
	return n.child.pinned
}

// enter returns the namespace of a name, or what make makes.
func (set *namespaceSet) enter(name string, make func() *Namespace) (n *Namespace, made bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if n := set.byName[name]; n != nil {
		return n, false
	}
	n = make()
	return n, n != nil
}

// fitting returns the first parent that a name alone belongs to, or nil.
func (set *namespaceSet) fitting(name string) *Namespace {
	for _, p := range set.parentList() {
		if p.byName && p.match(name, nil) {
			return p
		}
	}
	return nil
}

// make enters a namespace that is not ready yet. mu is held.
func (set *namespaceSet) make(s *Server, name string, parent *Namespace) *Namespace {
	for {
		_, taken := set.nums[set.next]
		if !taken {
			break
		}
		set.next++
	}
	n := &Namespace{srv: s, name: name, num: set.next, parent: parent,
		ready: make(chan struct{})}
	n.watch.ns = n
	n.goodbye = netpoll.NewMsgWire(
		netpoll.FinishFrame(ws.OpText, sio.AppendDisconnect(newFrame(nil), name)), 1)
	if set.byName == nil {
		set.byName = make(map[string]*Namespace)
		set.nums = make(map[rooms.NS]struct{})
	}
	set.next++
	set.byName[name] = n
	set.nums[n.num] = struct{}{}
	if parent != nil {
		n.reg.set.Store(parent.reg.load())
		parent.kids[name] = n
	}
	return n
}

// announce runs the OnNewNamespace hooks and lets clients in.
func (s *Server) announce(n *Namespace) {
	s.namespaces.mu.RLock()
	hooks := s.namespaces.created
	s.namespaces.mu.RUnlock()
	defer close(n.ready)
	if n.name == "/" {
		return
	}
	for _, f := range hooks {
		s.guard("OnNewNamespace", func() { f(n) })
	}
}

// OnNewNamespace adds a hook for namespaces made later, "/" and parents
// excepted. It runs before the first client is let in, on the goroutine that
// called Of or, when a client named a child of OfFunc or OfPattern, on the
// admission pool.
func (s *Server) OnNewNamespace(f func(n *Namespace)) {
	s.namespaces.mu.Lock()
	defer s.namespaces.mu.Unlock()
	s.namespaces.created = add(s.namespaces.created, f)
}

// Namespaces returns the namespaces there are, parents excepted, in no order.
func (s *Server) Namespaces() []*Namespace {
	s.namespaces.mu.RLock()
	defer s.namespaces.mu.RUnlock()
	return slices.Collect(maps.Values(s.namespaces.byName))
}

// Namespace returns the namespace of a name if there is one, parents excepted.
// Unlike Of it makes none, and does not keep it when it is empty.
func (s *Server) Namespace(name string) (n *Namespace, ok bool) {
	n = s.namespaces.find([]byte(name))
	return n, n != nil
}

// find returns the namespace of a name, ready or not, or nil.
func (set *namespaceSet) find(name []byte) *Namespace {
	set.mu.RLock()
	defer set.mu.RUnlock()
	return set.byName[string(name)] // does not allocate
}

func (set *namespaceSet) parentList() []*Namespace {
	set.mu.RLock()
	defer set.mu.RUnlock()
	return set.parents
}

// isReady tells whether clients may be let in.
func (n *Namespace) isReady() bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

// newParent enters a parent.
func (s *Server) newParent(match func(string, json.RawMessage) bool, byName bool) *Namespace {
	set := &s.namespaces
	set.mu.Lock()
	defer set.mu.Unlock()
	p := &Namespace{srv: s, match: match, byName: byName, kids: make(map[string]*Namespace),
		name: parentName(len(set.parents)), ready: make(chan struct{})}
	close(p.ready)
	set.parents = add(set.parents, p)
	return p
}
