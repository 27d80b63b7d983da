package sio

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest, both ways. JavaScript has
// no such limit; nobody's events come near this one.
const MaxDepth = 512

// Validate checks that b is exactly one JSON value (RFC 8259, blanks around it
// allowed) in UTF-8, at most MaxDepth deep. It allocates nothing.
func Validate(b []byte) error { return validate(b, MaxDepth) }

func validate(b []byte, depth int) error {
	end, _, err := scanValue(b, skipBlanks(b, 0), depth)
	if err != nil {
		return err
	}
	if skipBlanks(b, end) != len(b) {
		return ErrBadJSON
	}
	if !utf8.Valid(b) {
		return ErrNotUTF8
	}
	return nil
}

func isDigit(c byte) bool { return c-'0' < 10 }

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func skipBlanks(b []byte, i int) int {
	for i < len(b) && isBlank(b[i]) {
		i++
	}
	return i
}

func trimBlanks(b []byte) []byte {
	b = b[skipBlanks(b, 0):]
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b[:len(b):len(b)]
}

// scanValue validates the JSON value at b[i] and returns the index behind it,
// and how many commas it has that are not inside of another value.
// It is a loop with one bit per open bracket (set: object), not a recursion:
// a client chooses the nesting, and a loop's stack must not follow it.
func scanValue(b []byte, i, maxDepth int) (end, commas int, err error) {
	var stack [MaxDepth / 64]uint64
	depth := 0
	object := false
	for {
		// A value starts here.
		i = skipBlanks(b, i)
		if i >= len(b) {
			return 0, 0, ErrBadJSON
		}
		switch c := b[i]; {
		case c == '"':
			if i = scanString(b, i+1); i < 0 {
				return 0, 0, ErrBadJSON
			}
		case c == '{' || c == '[':
			if depth >= maxDepth {
				return 0, 0, ErrTooDeep
			}
			object = c == '{'
			setBit(&stack, depth, object)
			depth++
			i = skipBlanks(b, i+1)
			if i < len(b) && b[i] == c+2 { // the closing bracket, in ASCII
				break // an empty one: closed below
			}
			if object {
				if i = scanKey(b, i); i < 0 {
					return 0, 0, ErrBadJSON
				}
			}
			continue
		case c == '-' || isDigit(c):
			if i = scanNumber(b, i); i < 0 {
				return 0, 0, ErrBadJSON
			}
		default:
			if i = scanLiteral(b, i); i < 0 {
				return 0, 0, ErrBadJSON
			}
		}
		// A value ended; close brackets until another one starts.
		for {
			if depth == 0 {
				return i, commas, nil
			}
			i = skipBlanks(b, i)
			if i >= len(b) {
				return 0, 0, ErrBadJSON
			}
			c := b[i]
			i++
			if c == ',' {
				if depth == 1 {
					commas++
				}
				if object {
					if i = scanKey(b, skipBlanks(b, i)); i < 0 {
						return 0, 0, ErrBadJSON
					}
				}
				break
			}
			if (object && c != '}') || (!object && c != ']') {
				return 0, 0, ErrBadJSON
			}
			depth--
			object = depth > 0 && stack[(depth-1)/64]>>((depth-1)%64)&1 != 0
		}
	}
}

func setBit(stack *[MaxDepth / 64]uint64, n int, on bool) {
	mask := uint64(1) << (n % 64)
	if on {
		stack[n/64] |= mask
	} else {
		stack[n/64] &^= mask
	}
}

// scanKey passes `"key" :` and returns the index behind the colon, or -1.
func scanKey(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = scanString(b, i+1); i < 0 {
		return -1
	}
	i = skipBlanks(b, i)
	if i >= len(b) || b[i] != ':' {
		return -1
	}
	return i + 1
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// special marks, in the top bit of each byte of w, the bytes that end a run of
// plain string characters: quote, backslash and controls. Borrows can mark a
// wrong byte only above a right one, so the lowest mark is exact.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops
}

// plainRun returns the index of the first special byte at or behind i, or
// len(b).
func plainRun(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] >= 0x20 && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// scanString validates a string whose opening quote is at i-1 and returns the
// index behind the closing one, or -1.
func scanString(b []byte, i int) int {
	for {
		i = plainRun(b, i)
		if i >= len(b) {
			return -1
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			if i+1 >= len(b) {
				return -1
			}
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if i+6 > len(b) || hex4(b[i+2:]) < 0 {
					return -1
				}
				i += 6
			default:
				return -1
			}
		default:
			return -1
		}
	}
}

// scanNumber validates a number and returns the index behind it, or -1.
func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	first := i
	if i = skipDigits(b, i); i == first || (b[first] == '0' && i > first+1) {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start := i + 1
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start := i
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// scanLiteral passes true, false or null and returns the index behind it, or -1.
func scanLiteral(b []byte, i int) int {
	if i+4 > len(b) {
		return -1
	}
	switch string(b[i : i+4]) {
	case "true", "null":
		return i + 4
	case "fals":
		if i+4 < len(b) && b[i+4] == 'e' {
			return i + 5
		}
	}
	return -1
}

// The skip functions below pass over text that scanValue has accepted. On any
// other text they stay within bounds but find nonsense.

// skipString returns the index behind the string that opens at b[i].
func skipString(b []byte, i int) int {
	for i++; ; {
		i = plainRun(b, i)
		switch {
		case i >= len(b):
			return len(b)
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			i += 2
		default:
			i++
		}
	}
}

// skipValue returns the index behind the value that starts at b[i].
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default:
			for i < len(b) && !endsScalar(b[i]) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return len(b)
}

func endsScalar(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ':' || c == '"' || isBlank(c)
}
