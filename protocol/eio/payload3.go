package eio

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// AppendPayload3 appends p to a text payload of revision 3:
//
//	<length>:<packet>
//
// with the length in UTF-16 code units and binary as base64. Payloads of which
// no packet prefers the binary form, and all for clients that asked for b64,
// have this form, with the content type of text.
func AppendPayload3(dst []byte, p Packet) []byte {
	n := 1 + utf16Len(p.Data)
	if p.Binary {
		n = 2 + base64.StdEncoding.EncodedLen(len(p.Data))
	}
	dst = append(strconv.AppendInt(dst, int64(n), 10), ':')
	return AppendPacket3(dst, p)
}

// binaryEnd stands behind the length in a binary payload.
const binaryEnd = 0xff

// AppendBinaryPayload3 appends p to a binary payload of revision 3, the form
// of a response with any packet that PrefersBinary3, as
// application/octet-stream:
//
//	00 or 01 (binary), a byte 0 to 9 for each digit of the length, ff, packet
//
// with the length in bytes.
func AppendBinaryPayload3(dst []byte, p Packet) []byte {
	mark := byte(0)
	if p.Binary {
		mark = 1
	}
	dst = append(dst, mark)
	digits := len(dst)
	dst = strconv.AppendInt(dst, int64(1+len(p.Data)), 10)
	for i := digits; i < len(dst); i++ {
		dst[i] -= '0'
	}
	dst = append(dst, binaryEnd)
	if p.Binary {
		return AppendBinary3(dst, p)
	}
	return AppendPacket(dst, p)
}

// PrefersBinary3 reports whether a payload with p should have the binary form
// unless the client asked for b64: binary packets need not be base64 there, and
// clients 1.x, which cannot be told from 2.x, encode text twice in the text
// form and fail on any character beyond ASCII that is encoded once. All of them
// read such characters in the binary form.
func PrefersBinary3(p Packet) bool {
	if p.Binary {
		return true
	}
	for _, c := range p.Data {
		if c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// utf16Len is how many UTF-16 code units the text b has. A byte that is not
// UTF-8 counts as the one U+FFFD that readers make of it.
func utf16Len(b []byte) int {
	n := 0
	for i := 0; i < len(b); n++ {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRune(b[i:])
		if size == 4 {
			n++ // a surrogate pair
		}
		i += size
	}
	return n
}

// utf16Cut returns the index behind the first n UTF-16 code units of b, or -1
// if b is shorter, not UTF-8, or n ends inside a surrogate pair.
func utf16Cut(b []byte, n int) int {
	i := 0
	for n > 0 {
		switch {
		case i >= len(b):
			return -1
		case b[i] < utf8.RuneSelf:
			i++
			n--
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return -1
		}
		if n--; size == 4 {
			n--
		}
		i += size
	}
	if n < 0 {
		return -1
	}
	return i
}

// Payload3Iter walks over the packets of a payload of revision 3, as
// PayloadIter does for revision 4.
type Payload3Iter struct {
	rest   []byte
	binary bool
	begun  bool
	packet Packet
	err    error
}

// IterPayload3 starts before the first packet of a text payload, which must
// stay unchanged as long as packets are in use. An empty payload is an error.
func IterPayload3(body []byte) Payload3Iter { return Payload3Iter{rest: body} }

// IterBinaryPayload3 is IterPayload3 for the binary form, which a POST with
// the content type application/octet-stream has.
func IterBinaryPayload3(body []byte) Payload3Iter { return Payload3Iter{rest: body, binary: true} }

// Next goes to the next packet. It returns false behind the last one and at
// the first bad one; packets before a bad one count.
func (it *Payload3Iter) Next() bool {
	if it.err != nil || (it.begun && len(it.rest) == 0) {
		return false
	}
	it.begun = true
	if it.binary {
		it.packet, it.rest, it.err = cutBinary3(it.rest)
	} else {
		it.packet, it.rest, it.err = cutText3(it.rest)
	}
	return it.err == nil
}

// Packet returns the packet that Next went to.
func (it *Payload3Iter) Packet() Packet { return it.packet }

// Err returns ErrParse if Next stopped at a bad packet, else nil.
func (it *Payload3Iter) Err() error { return it.err }

func cutText3(b []byte) (p Packet, rest []byte, err error) {
	n, i := length3(b, '0', ':')
	if i < 0 {
		return p, nil, ErrParse
	}
	end := utf16Cut(b[i:], n)
	if end < 0 {
		return p, nil, ErrParse
	}
	p, err = ParseText3(b[i : i+end : i+end])
	return p, b[i+end:], err
}

func cutBinary3(b []byte) (p Packet, rest []byte, err error) {
	if len(b) == 0 || b[0] > 1 {
		return p, nil, ErrParse
	}
	n, i := length3(b[1:], 0, binaryEnd)
	i++
	if i == 0 || n > len(b)-i {
		return p, nil, ErrParse
	}
	data, rest := b[i:i+n:i+n], b[i+n:]
	switch {
	case b[0] == 1:
		p, err = ParseBinary3(data)
	case !utf8.Valid(data):
		err = ErrParse
	default:
		p, err = ParseText3(data)
	}
	return p, rest, err
}

// maxDigits is more than any body that is accepted has.
const maxDigits = 10

// length3 reads a length of digits from zero up that end with a mark, and
// returns the index behind that, or -1.
func length3(b []byte, zero, end byte) (n, next int) {
	for i, c := range b[:min(len(b), maxDigits+1)] {
		switch {
		case c == end && i > 0:
			return n, i + 1
		case c-zero > 9:
			return 0, -1
		}
		n = n*10 + int(c-zero)
	}
	return 0, -1
}
