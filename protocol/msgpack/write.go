package msgpack

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
	"unsafe"
)

// The writers below use the shortest form of each number and length; whole
// numbers from 0 up are in the unsigned forms, as JavaScript writes them.

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -0x20:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// maxExact is the largest number up to which a float64 holds all integers.
const maxExact = 1 << 53

// appendFloat appends f as an integer if it is a safe one, as JavaScript does.
func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) <= maxExact {
		return appendInt(dst, int64(f))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

func appendDate(dst []byte, millis int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xd7, 0), uint64(millis))
}

// head names the first bytes of a form with a length: fix is for lengths below
// most, the next for one, two and four bytes of length; 0 is no such form.
type head struct {
	fix, most, one, two, four byte
}

var (
	stringHead = head{0xa0, 0x20, 0xd9, 0xda, 0xdb}
	binaryHead = head{0, 0, 0xc4, 0xc5, 0xc6}
	arrayHead  = head{0x90, 0x10, 0, 0xdc, 0xdd}
	mapHead    = head{0x80, 0x10, 0, 0xde, 0xdf}
)

// append appends the head for length n, which is below 2^32: longer messages
// do not exist.
func (h head) append(dst []byte, n int) []byte {
	switch {
	case n < int(h.most):
		return append(dst, h.fix|byte(n))
	case n <= math.MaxUint8 && h.one != 0:
		return append(dst, h.one, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, h.two), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, h.four), uint32(n))
}

func appendBinary(dst, b []byte) []byte {
	return append(binaryHead.append(dst, len(b)), b...)
}

// appendString appends s in UTF-8. What is not UTF-8, a lone surrogate in its
// WTF-8 form included, becomes U+FFFD: some readers end the connection over it.
func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = toValid(s)
	}
	return append(stringHead.append(dst, len(s)), s...)
}

// view is b as a string, for callees that do not keep it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// toValid replaces each lone surrogate and each other byte that is not UTF-8.
func toValid(s string) string {
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 && isSurrogate(s[i:]) {
			size = 3
		}
		b = utf8.AppendRune(b, r)
		i += size
	}
	return string(b)
}

// isSurrogate reports whether s starts with a surrogate in WTF-8 form.
func isSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80
}
