package eio

import (
	"bytes"
	"net/url"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendJSONP wraps a text payload for a client that polls with script tags:
//
//	___eio[<index>]("<payload>");
//
// index is the query parameter j, of which only the digits count: the rest
// would be code in the page. The payload is a JSON string that is JavaScript,
// too: U+2028 and U+2029 are escaped. So is '<', which JSON.stringify leaves:
// the text means the same and cannot be taken for HTML. Bytes that are not
// UTF-8 become U+FFFD.
func AppendJSONP(dst []byte, index string, payload []byte) []byte {
	dst = append(dst, "___eio["...)
	for i := range len(index) {
		if c := index[i]; c >= '0' && c <= '9' {
			dst = append(dst, c)
		}
	}
	dst = append(dst, `]("`...)
	for i := 0; i < len(payload); {
		c := payload[i]
		if c < utf8.RuneSelf {
			dst = appendEscaped(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(payload[i:])
		switch r {
		case '\u2028':
			dst = append(dst, `\u2028`...)
		case '\u2029':
			dst = append(dst, `\u2029`...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
		i += size
	}
	return append(dst, `");`...)
}

func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	case c == '\b':
		return append(dst, '\\', 'b')
	case c == '\f':
		return append(dst, '\\', 'f')
	case c < 0x20 || c == '<':
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}

// DecodeJSONP returns the payload in the body of a POST by such a client, the
// form field d. Forms turn newlines into others, so the client sends them as
// backslash and n, and doubles the backslash of those that were there. The
// error is ErrParse. The payload does not alias body.
func DecodeJSONP(body []byte) ([]byte, error) {
	for len(body) > 0 {
		var field []byte
		field, body, _ = bytes.Cut(body, []byte{'&'})
		value, ok := bytes.CutPrefix(field, []byte("d="))
		if !ok {
			continue
		}
		text, err := url.QueryUnescape(string(value))
		if err != nil {
			return nil, ErrParse
		}
		return newlines([]byte(text)), nil
	}
	return nil, ErrParse
}

// newlines makes backslash and n a newline, and two backslashes and n one
// backslash and n, in b itself.
func newlines(b []byte) []byte {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		switch rest := b[i:]; {
		case bytes.HasPrefix(rest, []byte(`\\n`)):
			out = append(out, '\\', 'n')
			i += 2
		case bytes.HasPrefix(rest, []byte(`\n`)):
			out = append(out, '\n')
			i++
		default:
			out = append(out, b[i])
		}
	}
	return out
}
