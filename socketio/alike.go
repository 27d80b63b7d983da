package socketio

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/engine"
)

// alike has a bit for each tag of other nodes that the name of some room begins
// with, here or elsewhere, as ids of that node's sockets do: an id of it may
// have members on any node.
type alike [1 << 16 / 64]atomic.Uint64

func (a *alike) has(tag uint16) bool { return a[tag/64].Load()&(1<<(tag%64)) != 0 }

// set tells whether the tag is new.
func (a *alike) set(tag uint16) bool {
	bit := uint64(1) << (tag % 64)
	return a[tag/64].Or(bit)&bit == 0
}

// note remembers that a room here looks like the id of a socket elsewhere, and
// tells all: the node it belongs to, and those that would ask it alone.
func (m *mesh) note(id *engine.ID) {
	if !m.alike.set(id.Node) {
		return
	}
	if _, ok := m.t.NodeByTag(id.Node); ok {
		m.tellAlike(binary.BigEndian.AppendUint16(nil, id.Node))
	}
}

// noted takes what note of another node tells.
func (m *mesh) noted(tags []byte) error {
	if len(tags) == 0 || len(tags)%2 != 0 {
		return cluster.ErrEntry
	}
	for ; len(tags) > 0; tags = tags[2:] {
		if tag := binary.BigEndian.Uint16(tags); tag == m.tag {
			m.srv.idRooms.Store(true)
		} else {
			m.alike.set(tag)
		}
	}
	return nil
}

// greet tells a node that has joined, and the others again, of all live nodes
// that rooms are named like; it may be one of them.
func (m *mesh) greet(n *cluster.Node) {
	var tags []byte
	if m.alike.has(n.Tag) {
		tags = binary.BigEndian.AppendUint16(tags, n.Tag)
	}
	for _, x := range m.t.Nodes() {
		if x.Tag != n.Tag && m.alike.has(x.Tag) {
			tags = binary.BigEndian.AppendUint16(tags, x.Tag)
		}
	}
	if len(tags) > 0 {
		m.tellAlike(tags)
	}
}

func (m *mesh) tellAlike(tags []byte) {
	m.publish(cluster.Kept, &cluster.Op{Kind: cluster.NamedLike, Body: tags})
}
