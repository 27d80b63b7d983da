package loadgen

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

var errFrame = errors.New("masked, fragmented or reserved frame from the server")

// maskKey is the key of all frames: a client must mask (RFC 6455 section 5.3),
// and a key that varies would cost the generator, not the server.
var maskKey = [4]byte{0x5a, 0xc3, 0x96, 0x3c}

// appendFrame appends p as one whole masked frame. p is not part of b.
func appendFrame(b []byte, op byte, p []byte) []byte {
	b = append(b, 0x80|op)
	switch {
	case len(p) < 126:
		b = append(b, 0x80|byte(len(p)))
	case len(p) <= 0xffff:
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
	}
	b = append(b, maskKey[:]...)
	for i, c := range p {
		b = append(b, c^maskKey[i&3])
	}
	return b
}

// parseFrame reads one frame of a server from the start of b. n is its length,
// 0 if it is not whole; payload is part of b.
func parseFrame(b []byte) (op byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 || b[0]&0x0f == 0 {
		return 0, nil, 0, errFrame
	}
	head, size := 2, uint64(b[1])
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxInput {
		return 0, nil, 0, errTooLong
	}
	n = head + int(size)
	if len(b) < n {
		return 0, nil, 0, nil
	}
	return b[0] & 0x0f, b[head:n], n, nil
}
