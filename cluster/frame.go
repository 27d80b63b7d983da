package cluster

import (
	"encoding/binary"
	"math"
)

// Opcodes of RFC 6455, section 5.2, with the bit that ends a message.
const (
	textFrame   = 0x81
	binaryFrame = 0x82
)

// appendFrame appends an unmasked frame, a whole message, as Op.Body has them.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}
