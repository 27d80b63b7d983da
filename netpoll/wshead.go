package netpoll

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// errLengthForm: RFC 6455 section 5.2, "the minimal number of bytes MUST be
// used to encode the length".
const errLengthForm = ws.ProtocolError("payload length is not in its shortest form")

// errLengthSign: the most significant bit of a 64-bit length must be 0.
const errLengthSign = ws.ProtocolError("payload length has its most significant bit set")

// parseHeader reads the frame header at the start of b. n is its length; n = 0
// without an error means that b ends inside it. Only the form of the length is
// checked here, and as soon as its bytes are there, mask or not; everything
// else is ws.CheckHeader's part. RFC 6455 section 5.2.
func parseHeader(b []byte) (h ws.Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 0x7
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&0x80 != 0
	n = 2
	switch l := b[1] & 0x7f; l {
	default:
		h.Length = int64(l)
	case 126:
		if len(b) < 4 {
			return h, 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		if h.Length < 126 {
			return h, 0, errLengthForm
		}
		n = 4
	case 127:
		if len(b) > 2 && b[2]&0x80 != 0 {
			return h, 0, errLengthSign
		}
		if len(b) < 10 {
			return h, 0, nil
		}
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		if h.Length <= 0xffff {
			return h, 0, errLengthForm
		}
		n = 10
	}
	if h.Masked {
		if len(b) < n+4 {
			return h, 0, nil
		}
		h.Mask = [4]byte(b[n:])
		n += 4
	}
	return h, n, nil
}

// checkFirstBytes applies every rule of ws.CheckHeader to the first two bytes
// of a frame, which is all that it looks at: a length above 125 shows in them
// even if its value does not. A header that passes needs no second check.
func checkFirstBytes(b0, b1 byte, st ws.State) error {
	return ws.CheckHeader(ws.Header{
		Fin:    b0&0x80 != 0,
		Rsv:    b0 >> 4 & 0x7,
		OpCode: ws.OpCode(b0 & 0x0f),
		Masked: b1&0x80 != 0,
		Length: int64(b1 & 0x7f),
	}, st)
}

// appendHeader appends the header of an unmasked frame with n payload bytes.
func appendHeader(dst []byte, op ws.OpCode, fin bool, n int) []byte {
	b0 := byte(op)
	if fin {
		b0 |= 0x80
	}
	switch {
	case n < 126:
		return append(dst, b0, byte(n))
	case n <= 0xffff:
		return append(dst, b0, 126, byte(n>>8), byte(n))
	}
	dst = append(dst, b0, 127)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}

// putHeaderBefore writes the header of a final unmasked frame into buf so that
// it ends at room, where the payload starts, and returns where it begins. room
// must be at least 10; the payload is not touched.
func putHeaderBefore(buf []byte, room int, op ws.OpCode, payloadLen int) int {
	k := room - 2
	switch {
	case payloadLen > 0xffff:
		k = room - 10
	case payloadLen >= 126:
		k = room - 4
	}
	appendHeader(buf[k:k:room], op, true, payloadLen)
	return k
}
