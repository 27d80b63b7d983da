package engine

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

// appendPayload appends what messages say, as the payload of a poll. They hold
// WebSocket frames, whole and unmasked, because that is how the server makes
// them: a text is a packet already, a binary is base64 here. squeeze tells
// that some message may be compressed. text asks revision 3 for its text form.
func (s *Session) appendPayload(dst []byte, msgs []*netpoll.Msg, text bool) (
	payload []byte, squeeze bool,
) {
	if s.EIO3() {
		return s.appendPayload3(dst, msgs, text)
	}
	for _, m := range msgs {
		squeeze = squeeze || !m.Plain()
		for wire := m.Wire(); len(wire) > 0; {
			op, data, rest := splitFrame(wire)
			wire = rest
			switch {
			case op != ws.OpText && op != ws.OpBinary:
				continue
			case len(dst) > 0:
				dst = append(dst, eio.Separator)
			}
			if op == ws.OpBinary {
				dst = base64.StdEncoding.AppendEncode(append(dst, 'b'), data)
			} else {
				dst = append(dst, data...)
			}
		}
	}
	return dst, squeeze
}

// splitFrame takes the first frame off wire, which the server made: RFC 6455
// section 5.2 without a mask.
func splitFrame(wire []byte) (op ws.OpCode, data, rest []byte) {
	n, at := int(wire[1]), 2
	switch n {
	case 126:
		n, at = int(binary.BigEndian.Uint16(wire[2:])), 4
	case 127:
		n, at = int(binary.BigEndian.Uint64(wire[2:])), 10
	}
	return ws.OpCode(wire[0] & 0x0f), wire[at : at+n], wire[at+n:]
}
