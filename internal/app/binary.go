package app

import (
	"bytes"
	"encoding/base64"
	"errors"

	"github.com/throng-server/throng/protocol/sio"
	"github.com/throng-server/throng/socketio"
)

// binaryKey is the only member of an object that stands for bytes, in base64.
// A member that clients or applications call so themselves has one more "$" in
// front, as has one that would then look like it, and so on.
const binaryKey = "$binary"

var errBinary = errors.New(`an object with "$binary" has one member, a string in base64`)

// plain tells that there can be no member like binaryKey in JSON text.
func plain(text []byte) bool {
	return bytes.IndexByte(text, '$') < 0 && !bytes.Contains(text, []byte(`\u0024`))
}

// appendEventArgs is appendArgs for those of an event. Without bytes they are
// what the client wrote, and were checked when they came.
func appendEventArgs(dst []byte, e *socketio.Event) ([]byte, error) {
	if len(e.Attachments()) > 0 {
		return appendArgs(dst, e.Raw())
	}
	start := len(dst)
	for i, a := range e.Args() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, a...)
	}
	if plain(dst[start:]) {
		return dst, nil
	}
	text := bytes.Clone(dst[start:])
	return appendEscaped(dst[:start], text), nil
}

// appendArgs appends arguments of a client, "a,b", with bytes as objects.
func appendArgs(dst []byte, args []any) ([]byte, error) {
	var marks []sio.Mark
	start := len(dst)
	dst, err := sio.AppendMarked(dst, args, &marks)
	if err != nil {
		return dst, err
	}
	if len(marks) == 0 && plain(dst[start:]) {
		return dst, nil
	}
	text := bytes.Clone(dst[start:])
	dst = dst[:start]
	last := 0
	for _, m := range marks {
		dst = appendEscaped(dst, text[last:m.Start-start])
		dst = append(dst, `{"`+binaryKey+`":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Binary)
		dst = append(dst, `"}`...)
		last = m.End - start
	}
	return appendEscaped(dst, text[last:]), nil
}

// appendEscaped appends a piece of valid JSON, which begins and ends between
// values, with members like binaryKey escaped.
func appendEscaped(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] != '"' {
			dst = append(dst, text[i])
			i++
			continue
		}
		end := stringEnd(text, i)
		if isMember(text, end) && dollars(text[i:end]) > 0 {
			dst = append(dst, `"$`...)
			i++
		}
		dst = append(dst, text[i:end]...)
		i = end
	}
	return dst
}

// parseArg is the way back: an argument of an application, ready to be sent.
func parseArg(text []byte) (sio.Raw, error) {
	if plain(text) {
		return sio.Raw{JSON: text}, nil
	}
	var r sio.Raw
	dst := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '"' {
			dst = append(dst, text[i])
			i++
			continue
		}
		end := stringEnd(text, i)
		n := 0
		if isMember(text, end) {
			n = dollars(text[i:end])
		}
		switch {
		case n == 1:
			b, next, err := parseBinary(text, end)
			dst = bytes.TrimRight(dst, " \t\r\n")
			if err != nil || dst[len(dst)-1] != '{' {
				return r, errBinary
			}
			dst = sio.AppendPlaceholder(dst[:len(dst)-1], len(r.Attachments))
			r.Attachments = append(r.Attachments, b)
			i = next
			continue
		case n > 1: // however the first one is written
			var name string
			if err := sio.Decode(text[i:end], nil, &name); err != nil {
				return r, err
			}
			dst = sio.AppendString(dst, name[1:])
		default:
			dst = append(dst, text[i:end]...)
		}
		i = end
	}
	r.JSON = dst
	return r, nil
}

// parseBinary reads what follows the name at end up to the closing brace.
func parseBinary(text []byte, end int) (b []byte, next int, err error) {
	i := skipBlank(text, skipBlank(text, end)+1)
	if text[i] != '"' {
		return nil, 0, errBinary
	}
	end = stringEnd(text, i)
	next = skipBlank(text, end)
	if text[next] != '}' {
		return nil, 0, errBinary
	}
	var s string
	if err := sio.Decode(text[i:end], nil, &s); err != nil {
		return nil, 0, err
	}
	b, err = base64.StdEncoding.DecodeString(s)
	return b, next + 1, err
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipBlank(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// isMember tells that the string that ends before i is a member's name.
func isMember(text []byte, i int) bool {
	i = skipBlank(text, i)
	return i < len(text) && text[i] == ':'
}

// dollars returns how many "$" a member's name has that is like binaryKey, 0
// for other names.
func dollars(literal []byte) int {
	name := literal[1 : len(literal)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		if sio.Decode(literal, nil, &s) != nil {
			return 0
		}
		name = []byte(s)
	}
	n := len(name) - len(binaryKey) + 1
	if n < 1 || string(name[n:]) != binaryKey[1:] || len(bytes.TrimLeft(name[:n], "$")) > 0 {
		return 0
	}
	return n
}
