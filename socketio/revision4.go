package socketio

import (
	"strings"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// Clients 1.x and 2.x speak revision 4 of Socket.IO. They are in "/" without
// asking for it, give namespaces their auth as a query, and know their socket
// by the id of the connection: in "/" it is that, elsewhere the namespace, '#'
// and that. Such an id leads to the connection, not to a slot of a socket.

// parse4 reads a packet in the form of revision 4.
func (c *client) parse4(p []byte) (sio.Packet, error) {
	pk, query, err := sio.Parse4(p, c.server().opt.MaxAttachments)
	if err == nil && pk.Type == sio.Connect {
		switch {
		case string(pk.Namespace) == "/":
			return pk, sio.ErrInvalidPayload // it was there from the start
		case len(query) > 0:
			pk.Data = sio.AppendQuery(nil, query)
		default:
			pk.Data = nil
		}
	}
	return pk, err
}

// oldID is the id of a socket as a client of revision 4 knows it.
func (s *Socket) oldID() string {
	id := s.c.SID()
	if s.ns.name == "/" {
		return id.String()
	}
	return s.ns.name + "#" + id.String()
}

// named tells whether name is the socket's id.
func (s *Socket) named(name string) bool {
	if s.c.EIO3() {
		return name == s.oldID()
	}
	id, ok := engine.ParseID(name)
	return ok && id == s.id()
}

// parseOld reads an id of revision 4: the connection's and the namespace.
func parseOld(name string) (ns string, id engine.ID, ok bool) {
	at := len(name) - engine.IDLen
	ns = "/"
	switch {
	case at < 0:
		return "", id, false
	case at > 0:
		if at < 3 || name[at-1] != '#' || !strings.HasPrefix(name, "/") {
			return "", id, false
		}
		ns = name[:at-1]
	}
	id, ok = engine.ParseID(name[at:])
	return ns, id, ok
}

// byName finds the connected socket of this loop with an id, of whichever
// revision, in ns or, if that is a parent, its children. Loop only.
func (lp *loop) byName(ns *Namespace, name string) *Socket {
	of, id, ok := parseOld(name)
	if !ok || id.Node != lp.srv.opt.NodeTag {
		return nil
	}
	if len(name) == engine.IDLen {
		if s := lp.lookup(ns, &id); s != nil {
			return s // restored ones may be on another loop than the id says
		}
	}
	if !lp.srv.opt.AllowEIO3 || int(id.Loop) != lp.Index() {
		return nil
	}
	c, ok := lp.Find(&id).(*client)
	if !ok || !c.EIO3() {
		return nil // the id of a connection of revision 5 is nobody's name
	}
	s := c.socket([]byte(of))
	if s == nil || s.ns != ns && s.ns.parent != ns || !s.is(stConnected) {
		return nil
	}
	return s
}

// bare returns the events of m, each of which ends in an offset, without it:
// clients of revision 4 cannot come back to a session and would take it for an
// argument. The result is kept for the other members of a broadcast. Loop only.
func (lp *loop) bare(m *netpoll.Msg) *netpoll.Msg {
	if lp.bared.from == m {
		return lp.bared.to
	}
	lp.m.encodes.Add(1)
	const tail = len(`,""]`) + offsetLen
	out := make([]byte, 0, m.Len())
	var text []byte
	for wire := m.Wire(); len(wire) > 0; {
		data, rest := payload(wire)
		if ws.OpCode(wire[0]&0x0f) == ws.OpText && len(data) > tail {
			text = append(append(text[:0], data[:len(data)-tail]...), ']')
			out = netpoll.AppendFrame(out, ws.OpText, text)
		} else { // an attachment
			out = append(out, wire[:len(wire)-len(rest)]...)
		}
		wire = rest
	}
	to := netpoll.NewMsgWire(out, m.Frames())
	if m.Plain() {
		to.SetPlain()
	}
	lp.bared = repacked{m, to}
	return to
}
