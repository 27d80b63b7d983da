package msgpack

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/throng-server/throng/protocol/sio"
)

// appendJSON appends the values in text, JSON that has been validated,
// separated by commas. marks, in the order of the text, replace parts of it.
//
// MessagePack wants to know how much a container holds before what it holds:
// a first pass counts. Nothing else needs to be known of the nesting.
func appendJSON(dst, text []byte, marks []sio.Mark) []byte {
	var room [32]int32
	counts := countItems(room[:0], text, marks)
	for i := 0; i < len(text); {
		if len(marks) > 0 && marks[0].Start == i {
			dst = appendMark(dst, &marks[0])
			i = marks[0].End
			marks = marks[1:]
			continue
		}
		switch text[i] {
		case '"':
			end := stringEnd(text, i)
			dst = appendLiteral(dst, text[i+1:end-1])
			i = end
		case '{':
			dst = mapHead.append(dst, int(counts[0]))
			counts = counts[1:]
			i++
		case '[':
			dst = arrayHead.append(dst, int(counts[0]))
			counts = counts[1:]
			i++
		case 't':
			dst = append(dst, 0xc3)
			i += 4
		case 'f':
			dst = append(dst, 0xc2)
			i += 5
		case 'n':
			dst = append(dst, 0xc0)
			i += 4
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := numberEnd(text, i)
			dst = appendNumber(dst, text[i:end])
			i = end
		default: // blanks and punctuation
			i++
		}
	}
	return dst
}

// countItems appends how many items the containers in text have, in the order
// in which they open.
func countItems(counts []int32, text []byte, marks []sio.Mark) []int32 {
	var room [32]int32
	stack := room[:0] // indexes of counts
	empty := false    // the innermost container, so far
	for i := 0; i < len(text); {
		if len(marks) > 0 && marks[0].Start == i {
			i = marks[0].End
			marks = marks[1:]
			empty = countItem(counts, stack, empty)
			continue
		}
		switch text[i] {
		case ' ', '\t', '\n', '\r', ':':
			i++
		case ',':
			if len(stack) > 0 {
				counts[stack[len(stack)-1]]++
			}
			i++
		case '}', ']':
			stack = stack[:len(stack)-1]
			empty = false
			i++
		case '{', '[':
			countItem(counts, stack, empty)
			stack = append(stack, int32(len(counts)))
			counts = append(counts, 0)
			empty = true
			i++
		case '"':
			i = stringEnd(text, i)
			empty = countItem(counts, stack, empty)
		default:
			i++
			empty = countItem(counts, stack, empty)
		}
	}
	return counts
}

// countItem counts the first item of a container; commas count the others.
func countItem(counts, stack []int32, empty bool) bool {
	if empty {
		counts[stack[len(stack)-1]]++
	}
	return false
}

// stringEnd returns the index behind the string that opens at b[i].
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		// A quote behind an odd number of backslashes is escaped.
		quote := i + n
		slashes := 0
		for quote-1-slashes >= i && b[quote-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return quote + 1
		}
		i = quote
	}
}

func numberEnd(b []byte, i int) int {
	for i < len(b) && strings.IndexByte("+-.0123456789Ee", b[i]) >= 0 {
		i++
	}
	return i
}

// appendLiteral appends the string whose literal has this inside.
func appendLiteral(dst, inside []byte) []byte {
	if bytes.IndexByte(inside, '\\') < 0 {
		return append(stringHead.append(dst, len(inside)), inside...)
	}
	// The text is shorter than the literal, by how much is known behind it.
	start := len(dst)
	dst = stringHead.append(dst, len(inside))
	body := len(dst)
	dst = sio.AppendUnquoted(dst, inside)
	replaceSurrogates(dst[body:])
	var room [5]byte
	short := stringHead.append(room[:0], len(dst)-body)
	return slices.Replace(dst, start, body, short...)
}

// replaceSurrogates makes lone surrogates U+FFFD, which is as long. The rest
// of b is UTF-8.
func replaceSurrogates(b []byte) {
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 0xed && b[i+1] >= 0xa0 {
			copy(b[i:], "\ufffd")
		}
	}
}

// appendNumber appends a JSON number: an integer that fits 64 bits with all
// its digits, anything else as JavaScript would read and write it.
func appendNumber(dst, text []byte) []byte {
	if len(text) <= 20 && !bytes.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return appendInt(dst, n)
		}
		if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return appendUint(dst, n)
		}
	}
	f, _ := strconv.ParseFloat(string(text), 64) // too large: an infinity
	return appendFloat(dst, f)
}

func appendMark(dst []byte, m *sio.Mark) []byte {
	switch m.Kind {
	case sio.MarkBinary:
		return appendBinary(dst, m.Binary)
	case sio.MarkDate:
		return appendDate(dst, m.Millis)
	}
	return appendFloat(dst, m.Number)
}
