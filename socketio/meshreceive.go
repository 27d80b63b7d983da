package socketio

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// Receive implements cluster.Receiver: it checks an entry and hands it to the
// loops or to workers. It waits for neither, but see pacer.
func (m *mesh) Receive(from cluster.Node, entry []byte) {
	m.pace(len(entry))
	op, err := cluster.Parse(entry)
	if err == nil {
		err = m.apply(from, &op)
	}
	if err != nil {
		m.srv.drop(dropEntry)
		m.srv.warn(noteEntry, "an entry of another node was refused",
			"node", from.ID, "kind", op.Kind, "namespace", op.NS, "error", err)
	}
}

// apply does what an entry says with the sockets of this server. A namespace
// that is not here has none.
func (m *mesh) apply(from cluster.Node, op *cluster.Op) error {
	switch op.Kind {
	case cluster.Answer:
		m.answered(from, op)
		return nil
	case cluster.NamedLike:
		return m.noted(op.Body)
	}
	if op.Request != 0 {
		return m.asks(from, op)
	}
	switch op.Kind {
	case cluster.Emit:
		p, err := checkEvent(op)
		if err == nil {
			m.each(op, func(b Broadcast) { m.deliver(b, op, p) })
		}
		return err
	case cluster.Join:
		m.each(op, func(b Broadcast) { b.SocketsJoin(op.Names...) })
	case cluster.Leave:
		m.each(op, func(b Broadcast) { b.SocketsLeave(op.Names...) })
	case cluster.Disconnect:
		m.each(op, func(b Broadcast) { b.DisconnectSockets(op.Flags&cluster.Close != 0) })
	case cluster.CloseRoom:
		m.each(op, func(b Broadcast) {
			for _, room := range op.Names {
				m.srv.postAll(&closeRoom{ns: b.ns, room: room})
			}
		})
	case cluster.ServerEvent:
		return m.serverEvent(from, op)
	default:
		return fmt.Errorf("kind %d without a request", op.Kind)
	}
	return nil
}

// each calls f with the entry's selection in the namespace it names, or in
// each child of the parent it names.
func (m *mesh) each(op *cluster.Op, f func(b Broadcast)) {
	if ns := m.namespace(op.NS); ns != nil {
		selected(ns, op).each(f)
	}
}

// namespace returns the one of a name, parents included, or nil. It makes none.
func (m *mesh) namespace(name string) *Namespace {
	if strings.HasPrefix(name, "/") {
		return m.srv.namespaces.find([]byte(name))
	}
	for _, p := range m.srv.namespaces.parentList() {
		if p.name == name {
			return p
		}
	}
	return nil
}

// deliver is an emit of another node, with the frames as they came wherever
// they fit.
func (m *mesh) deliver(b Broadcast, op *cluster.Op, p *received) {
	f := m.fanout(b, op, p)
	if m.srv.recovery != nil && b.flags&volatileFlag == 0 {
		m.srv.recovery.post(f)
		return
	}
	m.srv.postTo(&b, f)
}

// fanout makes the message of an entry.
func (m *mesh) fanout(b Broadcast, op *cluster.Op, p *received) *fanout {
	b.event = m.srv.names[string(p.Name)]
	f := &fanout{b: b}
	f.measure(m.srv)
	wire := op.Body
	r := m.srv.recovery
	keep := r != nil && b.flags&volatileFlag == 0
	if tail := ""; keep || b.ns.name != string(p.Namespace) {
		if keep {
			tail = `,"` + r.blank + `"`
		}
		wire = p.reframe(b.ns.name, -1, tail)
		m.srv.encodes.Add(1)
	}
	f.Init(wire, 1+p.Attachments)
	if b.flags&plainFlag != 0 {
		f.SetPlain()
	}
	return f
}

// received is the packet of an entry and the frames of its attachments.
type received struct {
	sio.Packet
	attachments []byte
}

var (
	errFrames = errors.New("the body is not a text frame and its attachments")
	errPacket = errors.New("the body is not an event of the namespace")
)

// checkEvent reads the packet of an emit. Whatever it accepts may go to clients
// as it is.
func checkEvent(op *cluster.Op) (*received, error) {
	text, rest := payload(op.Body)
	if len(text) < 2 || op.Body[0] != finText || text[0] != '4' || !utf8.Valid(text) {
		return nil, errFrames
	}
	p := &received{attachments: rest}
	var err error
	if p.Packet, err = sio.Parse(text[1:], len(rest)); err != nil {
		return nil, err
	}
	ns := op.NS
	if !strings.HasPrefix(ns, "/") {
		ns = "/" // a parent's event is named for its children here
	}
	if p.Type != sio.Event && p.Type != sio.BinaryEvent || len(p.Data) == 0 ||
		string(p.Namespace) != ns || p.HasID != (op.Request != 0) {
		return nil, errPacket
	}
	for range p.Attachments {
		if len(rest) == 0 || rest[0] != finBinary {
			return nil, errFrames
		}
		var att []byte
		if att, rest = payload(rest); att == nil {
			return nil, errFrames
		}
	}
	if len(rest) > 0 {
		return nil, errFrames
	}
	return p, nil
}

// First bytes of final frames (RFC 6455, section 5.2).
const (
	finText   = 0x80 | byte(ws.OpText)
	finBinary = 0x80 | byte(ws.OpBinary)
)

// reframe makes the frames of the packet for another namespace, with an
// acknowledgement id unless that is negative, and with tail behind the last
// argument.
func (p *received) reframe(ns string, id int64, tail string) []byte {
	room := netpoll.FrameRoom + 32 + len(ns) + len(p.Data) + len(tail)
	buf := newFrame(make([]byte, 0, room+len(p.attachments)))
	buf = append(buf, '0'+byte(p.Type))
	if p.Type == sio.BinaryEvent {
		buf = append(strconv.AppendInt(buf, int64(p.Attachments), 10), '-')
	}
	if ns != "/" {
		buf = append(append(buf, ns...), ',')
	}
	if id >= 0 {
		buf = strconv.AppendInt(buf, id, 10)
	}
	end := len(p.Data) - 1
	buf = append(append(append(buf, p.Data[:end]...), tail...), p.Data[end])
	return append(netpoll.FinishFrame(ws.OpText, buf), p.attachments...)
}

// withoutBlank takes the offset off the end of an event's text, for nodes that
// have offsets of their own.
func withoutBlank(wire []byte) []byte {
	const tail = len(`,""`) + offsetLen
	text, rest := payload(wire)
	buf := newFrame(make([]byte, 0, len(wire)))
	end := len(text) - 1
	buf = append(append(buf, text[1:end-tail]...), text[end])
	return append(netpoll.FinishFrame(ws.OpText, buf), rest...)
}
