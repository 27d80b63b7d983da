package msgpack

import (
	"encoding/binary"
	"math"
)

type kind uint8

const (
	kindBad kind = iota // truncated, or the byte 0xc1
	kindNil
	kindFalse
	kindTrue
	kindInt    // bits is an int64
	kindUint   // bits is a uint64 above the largest int64
	kindFloat  // bits is a float64
	kindString // body
	kindBinary // body; also ArrayBuffer and typed arrays
	kindArray  // bits is the number of elements
	kindMap    // bits is the number of pairs
	kindUndefined
	kindDate // bits is an int64, milliseconds
	kindPair // body and ext: an extension that JavaScript shows as an array
)

// token is a value without what containers hold.
type token struct {
	kind kind
	ext  int8
	bits uint64
	body []byte // aliases the message
}

func (t token) length() int { return int(t.bits) }

// number returns a numeric token's value as JavaScript sees it.
func (t token) number() (f float64, ok bool) {
	switch t.kind {
	case kindInt:
		return float64(int64(t.bits)), true
	case kindUint:
		return float64(t.bits), true
	case kindFloat:
		return math.Float64frombits(t.bits), true
	}
	return 0, false
}

// read reads the token at b[i] and returns the index behind it. A container's
// count is checked against the bytes that are left, so that nobody can be made
// to believe in elements that are not there.
func read(b []byte, i int) (token, int) {
	if i >= len(b) {
		return token{}, i
	}
	c := b[i]
	i++
	switch {
	case c < 0x80:
		return token{kind: kindInt, bits: uint64(c)}, i
	case c < 0x90:
		return container(b, i, kindMap, uint64(c&0x0f))
	case c < 0xa0:
		return container(b, i, kindArray, uint64(c&0x0f))
	case c < 0xc0:
		return bytesOf(b, i, kindString, uint64(c&0x1f))
	case c >= 0xe0:
		return token{kind: kindInt, bits: uint64(int64(int8(c)))}, i
	}
	switch c {
	case 0xc0:
		return token{kind: kindNil}, i
	case 0xc2:
		return token{kind: kindFalse}, i
	case 0xc3:
		return token{kind: kindTrue}, i
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return fixExtension(b, i, 1<<(c-0xd4))
	}
	// The rest starts with a number of 1, 2, 4 or 8 bytes.
	size := sizes[c-0xc0]
	if size == 0 || int(size) > len(b)-i {
		return token{}, i
	}
	n := bigEndian(b[i : i+int(size)])
	i += int(size)
	switch c {
	case 0xca:
		f := math.Float32frombits(uint32(n))
		return token{kind: kindFloat, bits: math.Float64bits(float64(f))}, i
	case 0xcb:
		return token{kind: kindFloat, bits: n}, i
	case 0xcc, 0xcd, 0xce, 0xcf:
		if n > math.MaxInt64 {
			return token{kind: kindUint, bits: n}, i
		}
		return token{kind: kindInt, bits: n}, i
	case 0xd0:
		return token{kind: kindInt, bits: uint64(int64(int8(n)))}, i
	case 0xd1:
		return token{kind: kindInt, bits: uint64(int64(int16(n)))}, i
	case 0xd2:
		return token{kind: kindInt, bits: uint64(int64(int32(n)))}, i
	case 0xd3:
		return token{kind: kindInt, bits: n}, i
	case 0xd9, 0xda, 0xdb:
		return bytesOf(b, i, kindString, n)
	case 0xc4, 0xc5, 0xc6:
		return bytesOf(b, i, kindBinary, n)
	case 0xdc, 0xdd:
		return container(b, i, kindArray, n)
	case 0xde, 0xdf:
		return container(b, i, kindMap, n)
	default: // 0xc7, 0xc8, 0xc9
		return extension(b, i, n)
	}
}

// sizes of the numbers behind the bytes 0xc0 to 0xdf; 0 for those without.
var sizes = [32]uint8{
	0x04: 1, 0x05: 2, 0x06: 4, // bin
	0x07: 1, 0x08: 2, 0x09: 4, // ext
	0x0a: 4, 0x0b: 8, // float
	0x0c: 1, 0x0d: 2, 0x0e: 4, 0x0f: 8, // uint
	0x10: 1, 0x11: 2, 0x12: 4, 0x13: 8, // int
	0x19: 1, 0x1a: 2, 0x1b: 4, // str
	0x1c: 2, 0x1d: 4, // array
	0x1e: 2, 0x1f: 4, // map
}

func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func container(b []byte, i int, k kind, n uint64) (token, int) {
	least := n // bytes
	if k == kindMap {
		least *= 2
	}
	if least > uint64(len(b)-i) {
		return token{}, i
	}
	return token{kind: k, bits: n}, i
}

func bytesOf(b []byte, i int, k kind, n uint64) (token, int) {
	if n > uint64(len(b)-i) {
		return token{}, i
	}
	end := i + int(n)
	return token{kind: k, body: b[i:end:end]}, end
}

// fixExtension reads the type and the n bytes of a fixed-size extension. Of
// type 0 are undefined and Date, told apart by their size.
func fixExtension(b []byte, i, n int) (token, int) {
	if n+1 > len(b)-i {
		return token{}, i
	}
	t, end := bytesOf(b, i+1, kindPair, uint64(n))
	t.ext = int8(b[i])
	switch {
	case t.ext == 0 && n == 1:
		return token{kind: kindUndefined}, end
	case t.ext == 0 && n == 8:
		return token{kind: kindDate, bits: binary.BigEndian.Uint64(t.body)}, end
	case t.ext == -1:
		return timestamp(t), end
	}
	return t, end
}

// extension reads the type and the n bytes of an extension that states its
// size. Type 0 is binary here, whatever the size.
func extension(b []byte, i int, n uint64) (token, int) {
	if i >= len(b) {
		return token{}, i
	}
	t, end := bytesOf(b, i+1, kindPair, n)
	if t.kind == kindBad {
		return t, end
	}
	t.ext = int8(b[i])
	switch t.ext {
	case 0:
		t.kind = kindBinary
	case -1:
		return timestamp(t), end
	}
	return t, end
}

// timestamp reads the standard's own date (MessagePack specification, type
// -1), which stays a pair if its size is none of the three.
func timestamp(t token) token {
	var seconds int64
	var nanos uint64
	switch len(t.body) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(t.body))
	case 8:
		n := binary.BigEndian.Uint64(t.body)
		seconds, nanos = int64(n&(1<<34-1)), n>>34
	case 12:
		nanos = uint64(binary.BigEndian.Uint32(t.body))
		seconds = int64(binary.BigEndian.Uint64(t.body[4:]))
	default:
		return t
	}
	const most = 1e13 // beyond every JavaScript Date, far from overflow
	seconds = max(min(seconds, most), -most)
	return token{kind: kindDate, bits: uint64(seconds*1000 + int64(nanos/1e6))}
}
