package sio

import (
	"bytes"
	"strconv"
)

// placeholder is an object of the form {"_placeholder":true,"num":N}.
type placeholder struct {
	start, end int // where it stands in the JSON
	num        int // -1: num is missing or no index
}

// openValue is a bracket that findPlaceholders has not seen closed.
type openValue struct {
	start  int
	found  int // placeholders found before it
	num    int
	object bool
	marked bool // "_placeholder":true
}

// CheckPlaceholders checks what the JavaScript decoder checks when the last
// attachment arrives: every placeholder in data must have an integer num in
// 0..n-1, else ErrIllegalAttachments. Attachments that nothing refers to are
// fine. data is JSON that Parse has validated, or nil.
func CheckPlaceholders(data []byte, n int) error {
	var room [8]placeholder
	list, err := findPlaceholders(data, room[:0])
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.num < 0 || p.num >= n {
			return ErrIllegalAttachments
		}
	}
	return nil
}

// findPlaceholders appends the placeholders in the validated JSON b to list.
// As in JavaScript the last of equal keys counts, other keys do not matter,
// and what stands inside a placeholder is dropped with it. One pass: looking
// ahead at each object would be quadratic in the nesting.
func findPlaceholders(b []byte, list []placeholder) ([]placeholder, error) {
	var room [16]openValue
	stack := room[:0]
	for i := 0; i < len(b); {
		switch b[i] {
		case '{', '[':
			if len(stack) == MaxDepth {
				return list, ErrTooDeep
			}
			stack = append(stack, openValue{
				start: i, found: len(list), num: -1, object: b[i] == '{',
			})
			i++
		case '}', ']':
			if len(stack) == 0 {
				return list, ErrBadJSON
			}
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			i++
			if v.marked {
				list = append(list[:v.found], placeholder{start: v.start, end: i, num: v.num})
			}
		case '"':
			end := skipString(b, i)
			colon := skipBlanks(b, end)
			if len(stack) > 0 && stack[len(stack)-1].object && colon < len(b) && b[colon] == ':' {
				v := &stack[len(stack)-1]
				value := b[skipBlanks(b, colon+1):]
				if key := b[i+1 : end-1]; isKey(key, "_placeholder") {
					v.marked = bytes.HasPrefix(value, []byte("true"))
				} else if isKey(key, "num") {
					v.num = parseIndex(value)
				}
				end = colon + 1
			}
			i = end
		default:
			i++
		}
	}
	if len(stack) != 0 {
		return list, ErrBadJSON
	}
	return list, nil
}

// isKey compares the inside of a string literal with an ASCII key.
func isKey(literal []byte, key string) bool {
	if bytes.IndexByte(literal, '\\') < 0 {
		return string(literal) == key
	}
	if len(literal) > 6*len(key) {
		return false
	}
	var room [72]byte
	return string(appendUnquoted(room[:0], literal)) == key
}

// parseIndex reads the number that b starts with, or returns -1 if there is
// none or it is no index. JavaScript knows one type of number: 1.0 is 1.
func parseIndex(b []byte) int {
	end := 0
	n := 0
	for end < len(b) && isDigit(b[end]) && end < 9 {
		n = n*10 + int(b[end]-'0')
		end++
	}
	if end > 0 && (end == len(b) || endsScalar(b[end])) {
		return n
	}
	end = 0
	for end < len(b) && !endsScalar(b[end]) {
		end++
	}
	if end == 0 || end > 32 || (b[0] != '-' && !isDigit(b[0])) {
		return -1
	}
	f, err := strconv.ParseFloat(string(b[:end]), 64)
	if err != nil || !(f >= 0 && f < 1<<31) || f != float64(int(f)) {
		return -1
	}
	return int(f)
}
