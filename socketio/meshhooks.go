package socketio

import (
	"sync"

	"github.com/throng-server/throng/cluster"
)

// meshHooks are the application's.
type meshHooks struct {
	mu     sync.RWMutex
	joined []func(cluster.Node)
	lost   []func(cluster.Node, bool)
	gap    []func(cluster.Node, uint64)
}

// maxNews bounds what waits for the hooks of one server.
const maxNews = 10_000

// hook registers one; a server alone is told of nothing.
func (s *Server) hook(edit func(h *meshHooks)) {
	if s.mesh == nil {
		return
	}
	s.mesh.hooks.mu.Lock()
	defer s.mesh.hooks.mu.Unlock()
	edit(&s.mesh.hooks)
}

// OnNodeJoined adds a hook for nodes that come into the cluster after this one,
// and for new incarnations of those that were lost. The hooks about nodes run
// one after the other, on a worker. Without Options.Cluster they never run.
func (s *Server) OnNodeJoined(f func(n cluster.Node)) {
	s.hook(func(h *meshHooks) { h.joined = add(h.joined, f) })
}

// OnNodeLost adds a hook for nodes that are not there any more, once for each
// incarnation: left tells that the node said goodbye. n.Sockets holds how many
// sockets it had in each namespace, as it last told; see OnNodeJoined.
func (s *Server) OnNodeLost(f func(n cluster.Node, left bool)) {
	s.hook(func(h *meshHooks) { h.lost = add(h.lost, f) })
}

// OnGap adds a hook for what another node published and this one will not
// receive: how many entries; see OnNodeJoined.
func (s *Server) OnGap(f func(from cluster.Node, missed uint64)) {
	s.hook(func(h *meshHooks) { h.gap = add(h.gap, f) })
}

// Nodes returns the other nodes of the cluster that live, by ID.
func (s *Server) Nodes() []cluster.Node {
	if s.mesh == nil {
		return nil
	}
	return s.mesh.t.Nodes()
}

// tellHooks calls hooks of one kind, on a worker.
func tellHooks[F any](m *mesh, list func(h *meshHooks) []F, call func(f F)) {
	m.hooks.mu.RLock()
	fs := list(&m.hooks)
	m.hooks.mu.RUnlock()
	if len(fs) == 0 {
		return
	}
	m.news.add(func() {
		for _, f := range fs {
			m.srv.guard("cluster hook", func() { call(f) })
		}
	}, maxNews)
}

// NodeJoined implements cluster.Receiver.
func (m *mesh) NodeJoined(n cluster.Node) {
	m.greet(&n)
	tellHooks(m, func(h *meshHooks) []func(cluster.Node) { return h.joined },
		func(f func(cluster.Node)) { f(n) })
}

// NodeLost implements cluster.Receiver: nobody waits for the node any more, and
// nothing is collected for it.
func (m *mesh) NodeLost(n cluster.Node, left bool) {
	m.mu.Lock()
	for _, q := range m.questions {
		q.lost(n)
	}
	var over []*inquiry
	for k, i := range m.inquiries {
		if k.node == n.ID && i.from.Same(&n) {
			over = append(over, i)
		}
	}
	m.mu.Unlock()
	for _, i := range over {
		i.end()
	}
	tellHooks(m, func(h *meshHooks) []func(cluster.Node, bool) { return h.lost },
		func(f func(cluster.Node, bool)) { f(n, left) })
}

// Gap implements cluster.Receiver.
func (m *mesh) Gap(from cluster.Node, missed uint64) {
	tellHooks(m, func(h *meshHooks) []func(cluster.Node, uint64) { return h.gap },
		func(f func(cluster.Node, uint64)) { f(from, missed) })
}

// Sockets implements cluster.Receiver.
func (m *mesh) Sockets() map[string]int {
	sum := make(map[string]int)
	for _, n := range m.srv.Namespaces() {
		sum[n.name] = n.Len()
	}
	return sum
}
