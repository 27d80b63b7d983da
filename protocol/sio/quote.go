package sio

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as the string literal that JSON.stringify writes. s
// may hold lone surrogates in WTF-8 form; other invalid bytes become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	if plain(s) {
		return append(append(dst, s...), '"')
	}
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || size != 1 {
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		if r = surrogate(s[i:]); r == 0 {
			dst = append(dst, "\ufffd"...)
			i++
		} else if low := surrogate(s[i+3:]); isHigh(r) && isLow(low) {
			dst = utf8.AppendRune(dst, joinSurrogates(r, low))
			i += 6
		} else {
			dst = append(dst, '\\', 'u', 'd', hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			i += 3
		}
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plain tells that s is ASCII that needs no escapes, as most strings are.
func plain(s string) bool {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; len(b) >= 8; b = b[8:] {
		if w := binary.LittleEndian.Uint64(b); (special(w)|w)&tops != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

func isHigh(r rune) bool { return 0xd800 <= r && r < 0xdc00 }
func isLow(r rune) bool  { return 0xdc00 <= r && r < 0xe000 }

func joinSurrogates(high, low rune) rune {
	return (high-0xd800)<<10 | (low - 0xdc00) + 0x10000
}

// surrogate returns the surrogate that s starts with in WTF-8 form, or 0.
func surrogate(s string) rune {
	if len(s) < 3 || s[0] != 0xed || s[1]&0xe0 != 0xa0 || s[2]&0xc0 != 0x80 {
		return 0
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f)
}

// hex4 reads the four digits of a \u escape, or returns -1. b has at least
// four bytes.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case isDigit(c):
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnquoted appends the text that the inside of a validated string
// literal stands for. Lone surrogates get their WTF-8 form, so that
// AppendString gives them back unchanged.
func appendUnquoted(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		i++
		if c != '\\' || i == len(s) {
			dst = append(dst, c)
			continue
		}
		c = s[i]
		i++
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 't':
			dst = append(dst, '\t')
		case 'n':
			dst = append(dst, '\n')
		case 'f':
			dst = append(dst, '\f')
		case 'r':
			dst = append(dst, '\r')
		case 'u':
			if i+4 > len(s) {
				return dst
			}
			r := hex4(s[i:])
			i += 4
			if isHigh(r) && i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
				if low := hex4(s[i+2:]); isLow(low) {
					r = joinSurrogates(r, low)
					i += 6
				}
			}
			if isHigh(r) || isLow(r) {
				dst = append(dst, 0xed, 0x80|byte(r>>6&0x3f), 0x80|byte(r&0x3f))
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
