package sio

import (
	"bytes"
	"strings"
)

// The functions with a 4 in their name are for revision 4 of the protocol,
// which clients 1.x and 2.x speak. The server connects them to "/" by itself,
// CONNECT carries no payload, and packet type 4 is called ERROR. All other
// packets are the same; so is the refusal of an unknown namespace, which is
// AppendConnectError's.

// Parse4 is Parse for revision 4, in which a namespace may carry a query:
// 0/ns?a=1&b=2,. The packet's Namespace ends before it; query, without the
// question mark, aliases b and is empty if there is none.
func Parse4(b []byte, maxAttachments int) (p Packet, query []byte, err error) {
	p, err = Parse(b, maxAttachments)
	if i := bytes.IndexByte(p.Namespace, '?'); i >= 0 {
		p.Namespace, query = p.Namespace[:i:i], p.Namespace[i+1:]
	}
	return p, query, err
}

// AppendConnect4 appends the CONNECT that accepts a client: 0 or 0/ns,.
func AppendConnect4(dst []byte, nsp string) []byte {
	return appendHead(dst, Connect, nsp)
}

// AppendConnectError4 appends the ERROR that refuses a client: data if
// hasData, else message, a bare string. The rest is as in AppendConnectError.
func AppendConnectError4(dst []byte, nsp, message string, data any, hasData bool) ([]byte, error) {
	start := len(dst)
	dst = appendHead(dst, ConnectError, nsp)
	if !hasData {
		return AppendString(dst, message), nil
	}
	dst, err := AppendJSON(dst, data, nil)
	if err != nil {
		return dst[:start], err
	}
	return dst, nil
}

// MaxQueryFields is how many fields of a query count; the JavaScript server
// has the same limit.
const MaxQueryFields = 1000

// AppendQuery appends the JSON object that a CONNECT's query stands for, which
// is the client's auth: {"a":"1"}. A field that comes more than once is an
// array of strings. "+" is a blank; a "%" that is no escape stands for itself.
func AppendQuery(dst, query []byte) []byte {
	var names []string
	values := map[string][]string{}
	fields := 0
	for field := range bytes.SplitSeq(query, []byte{'&'}) {
		if len(field) == 0 {
			continue
		}
		if fields++; fields > MaxQueryFields {
			break
		}
		name, value, _ := strings.Cut(string(field), "=")
		name = unescape(name)
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], unescape(value))
	}
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, name), ':')
		list := values[name]
		if len(list) == 1 {
			dst = AppendString(dst, list[0])
			continue
		}
		for i, value := range list {
			dst = append(dst, "[,"[min(i, 1)])
			dst = AppendString(dst, value)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// unescape decodes what it can.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexDigit(c byte) int {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return strings.IndexByte(hexDigits, c)
}
