package socketio

import (
	"slices"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

// A client whose first message is a CONNECT in msgpack uses the parser
// socket.io-msgpack-parser. Everything above sees its packets as text, and what
// is sent is made as text, too, and turned into msgpack when it is queued.

// parserKind is what a client writes and reads.
type parserKind uint8

const (
	anyParser parserKind = iota // no message yet
	textParser
	msgpackParser
)

// packed treats a message if it is one of a client with the msgpack parser;
// else it returns false.
func (c *client) packed(binary bool, p []byte, owned bool) bool {
	first := c.parser == anyParser
	if first && (!binary || c.EIO3()) { // in revision 4 the server speaks first
		c.parser = textParser
		return false
	}
	if !binary {
		c.violate()
		return true
	}
	if first {
		c.parser = textParser
		pk, err := msgpack.Parse(p, msgpack.Limits{})
		if err != nil || pk.Type != sio.Connect {
			return false
		}
		c.parser = msgpackParser
	}
	if !owned {
		p = slices.Clone(p)
	}
	pk, atts, err := msgpack.Decode(nil, p, msgpack.Limits{})
	if err != nil {
		c.violate()
		return true
	}
	c.packet(&pk, atts)
	return true
}

// Send queues m, packets in text form, for the client; see engine.Session.Send.
func (c *client) Send(m *netpoll.Msg) {
	if c.parser == msgpackParser {
		if m = c.lp().repack(m); m.Frames() == 0 {
			return
		}
	}
	c.Session.Send(m)
}

// SendBulk is Send for broadcasts.
func (c *client) SendBulk(m *netpoll.Msg) {
	if c.parser == msgpackParser {
		lp := c.lp()
		if lp.repacked.from != m {
			lp.m.encodes.Add(1)
		}
		if m = lp.repack(m); m.Frames() == 0 {
			return
		}
	}
	c.Session.SendBulk(m)
}

// repacked keeps a conversion for the other members of a broadcast.
type repacked struct{ from, to *netpoll.Msg }

// repack turns the packets of m into msgpack. What has no such form, which
// nothing that this package encodes lacks, is left out and logged.
func (lp *loop) repack(m *netpoll.Msg) *netpoll.Msg {
	if lp.repacked.from == m {
		return lp.repacked.to
	}
	out := make([]byte, 0, m.Len()+netpoll.FrameRoom)
	frames := 0
	var buf []byte
	for wire := m.Wire(); len(wire) > 0; {
		var text []byte
		if text, wire = payload(wire); len(text) == 0 {
			break
		}
		text = text[1:] // the Engine.IO type
		pk, err := sio.Parse(text, len(wire))
		var atts [][]byte
		if err == nil {
			for range pk.Attachments {
				var a []byte
				a, wire = payload(wire)
				atts = append(atts, a)
			}
			buf, err = msgpack.FromText(buf[:0], text, atts)
		}
		if err != nil {
			lp.srv.opt.Logger.Error("socketio: a packet has no form in msgpack", "error", err)
			continue
		}
		out = netpoll.AppendFrame(out, ws.OpBinary, buf)
		frames++
	}
	to := netpoll.NewMsgWire(out, frames)
	if m.Plain() {
		to.SetPlain()
	}
	lp.repacked = repacked{m, to}
	return to
}
