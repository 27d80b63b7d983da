package netpoll

import (
	"bytes"
	"net/http"
)

// fieldParser gathers from the header lines what framing and routing need.
type fieldParser struct {
	r         *Request
	host      int // index of the Host field, -1 before it came
	length    []byte
	encoding  bool
	trailer   bool
	close     bool
	keepAlive bool
	upgrade   bool
	websocket bool
}

// field takes one header line apart. RFC 9112 section 5.
func (p *fieldParser) field(line []byte) error {
	r := p.r
	if len(r.Fields) == maxFields {
		return headErr(http.StatusRequestHeaderFieldsTooLarge,
			"more than %d header lines", maxFields)
	}
	if line[0] == ' ' || line[0] == '\t' {
		return headErr(http.StatusBadRequest,
			"header line %s starts with a space: folded lines are obsolete, expected name: value",
			clip(line))
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return headErr(http.StatusBadRequest, "header line %s, expected name: value", clip(line))
	}
	name, value := line[:colon:colon], trimSpace(line[colon+1:])
	if i := firstNot(name, isToken); i >= 0 {
		return headErr(http.StatusBadRequest,
			"byte 0x%02x in header name %s, expected letters, digits or -, directly before the colon",
			name[i], clip(name))
	}
	if i := firstNot(value, isValue); i >= 0 {
		return headErr(http.StatusBadRequest,
			"control character 0x%02x at %d in header %s", value[i], i, clip(name))
	}
	r.Fields = append(r.Fields, HeaderField{Name: name, Value: value})
	return p.known(name, value)
}

// known notes the fields that decide about framing and routing.
func (p *fieldParser) known(name, value []byte) error {
	switch len(name) {
	case 4:
		if equalFold(name, "Host") {
			return p.setHost(value)
		}
	case 6:
		if equalFold(name, "Expect") {
			return p.setExpect(value)
		}
	case 7:
		if equalFold(name, "Upgrade") {
			p.websocket = p.websocket || listHas(value, "websocket")
		} else if equalFold(name, "Trailer") {
			p.trailer = true
		}
	case 10:
		if equalFold(name, "Connection") {
			p.close = p.close || listHas(value, "close")
			p.keepAlive = p.keepAlive || listHas(value, "keep-alive")
			p.upgrade = p.upgrade || listHas(value, "upgrade")
		}
	case 14:
		if equalFold(name, "Content-Length") {
			return p.setLength(value)
		}
	case 17:
		if equalFold(name, "Transfer-Encoding") {
			return p.setEncoding(value)
		}
	}
	return nil
}

func (p *fieldParser) setHost(value []byte) error {
	if p.host >= 0 {
		return headErr(http.StatusBadRequest, "two Host headers, expected one")
	}
	if !validHost(value) {
		return headErr(http.StatusBadRequest,
			"malformed Host header %s, expected name or name:port", clip(value))
	}
	p.host = len(p.r.Fields) - 1
	return nil
}

// setExpect: RFC 9110 section 10.1.1.
func (p *fieldParser) setExpect(value []byte) error {
	if !equalFold(value, "100-continue") {
		return headErr(http.StatusExpectationFailed,
			"Expect header %s, expected 100-continue", clip(value))
	}
	// A client of HTTP/1.0 would not understand the interim answer.
	p.r.Expect = p.r.Minor == 1
	return nil
}

// setLength: RFC 9110 section 8.6. Equal duplicates are harmless and come
// from careless proxies; a list in one line is refused.
func (p *fieldParser) setLength(value []byte) error {
	if p.length != nil {
		if !bytes.Equal(p.length, value) {
			return headErr(http.StatusBadRequest,
				"two Content-Length headers that differ: %s and %s", clip(p.length), clip(value))
		}
		return nil
	}
	var n int64
	ok := len(value) > 0 && len(value) <= 18 // 18 digits fit int64
	for _, c := range value {
		ok = ok && digit(c)
		n = n*10 + int64(c-'0')
	}
	if !ok {
		return headErr(http.StatusBadRequest,
			"Content-Length %s, expected 1 to 18 decimal digits", clip(value))
	}
	p.length, p.r.ContentLength = value, n
	return nil
}

// setEncoding: RFC 9112 section 6.1.
func (p *fieldParser) setEncoding(value []byte) error {
	switch {
	case p.r.Minor == 0:
		return headErr(http.StatusBadRequest, "Transfer-Encoding in a request of HTTP/1.0")
	case p.encoding:
		return headErr(http.StatusBadRequest, "two Transfer-Encoding headers, expected one")
	case !equalFold(value, "chunked"):
		return headErr(http.StatusNotImplemented,
			"Transfer-Encoding %s, expected chunked", clip(value))
	}
	p.encoding = true
	return nil
}

// finish checks what only the whole head shows.
func (p *fieldParser) finish(authority []byte) error {
	r := p.r
	if p.host < 0 && r.Minor == 1 {
		return headErr(http.StatusBadRequest, "no Host header, expected one with HTTP/1.1")
	}
	if authority != nil {
		if p.host < 0 {
			r.Fields = append(r.Fields, HeaderField{Name: hostName})
			p.host = len(r.Fields) - 1
		}
		r.Fields[p.host].Value = authority
	}
	if p.encoding && p.length != nil {
		return headErr(http.StatusBadRequest,
			"both Content-Length and Transfer-Encoding, expected one of them")
	}
	if p.encoding && p.trailer {
		for _, s := range [...]string{"Content-Length", "Trailer", "Transfer-Encoding"} {
			if r.HasToken("Trailer", s) {
				return headErr(http.StatusBadRequest,
					"Trailer header names %s, which must not come behind the body", s)
			}
		}
	}
	r.Chunked = p.encoding
	r.Close = p.close || r.Minor == 0 && !p.keepAlive
	// RFC 9110 section 7.8: an Upgrade in HTTP/1.0 is ignored.
	r.Upgrade = p.upgrade && p.websocket && r.Minor == 1
	return nil
}

var hostName = []byte("Host")

// Header returns the value of the first header line called name in any case,
// nil when there is none. It aliases the head.
func (r *Request) Header(name string) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; len(f.Name) == len(name) && equalFold(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// HasToken reports whether token is a member, in any case, of the
// comma-separated lists in all header lines called name.
func (r *Request) HasToken(name, token string) bool {
	for i := range r.Fields {
		f := &r.Fields[i]
		if len(f.Name) == len(name) && equalFold(f.Name, name) && listHas(f.Value, token) {
			return true
		}
	}
	return false
}

// QueryValue returns the value of key in the query string, percent-encoded as
// it came. Of duplicates the last counts. A key without '=' has an empty value.
func (r *Request) QueryValue(key string) (raw []byte, ok bool) {
	q := r.Query
	for {
		amp := bytes.LastIndexByte(q, '&')
		pair := q[amp+1:]
		if len(pair) >= len(key) && string(pair[:len(key)]) == key {
			if len(pair) == len(key) && len(pair) > 0 {
				return pair[len(pair):], true
			}
			if len(pair) > len(key) && pair[len(key)] == '=' {
				return pair[len(key)+1:], true
			}
		}
		if amp < 0 {
			return nil, false
		}
		q = q[:amp]
	}
}

// Clone returns a copy of r that outlives the buffer that r points into: one
// copy of the head, one new Fields slice.
func (r *Request) Clone() *Request {
	c := &Request{Fields: make([]HeaderField, 0, len(r.Fields))}
	if r.Raw == nil {
		c.ContentLength = r.ContentLength
		return c
	}
	// Parsing again costs less than a microsecond and leaves no slice behind
	// that might still point into the old buffer. It cannot fail: the same
	// bytes were accepted before.
	_ = c.Parse(bytes.Clone(r.Raw))
	return c
}

// trimSpace cuts optional white space, RFC 9110 section 5.6.3.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b[:len(b):len(b)]
}

// listHas reports whether a comma-separated list has the member token.
func listHas(list []byte, token string) bool {
	for len(list) > 0 {
		member := list
		if i := bytes.IndexByte(list, ','); i >= 0 {
			member, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		if equalFold(trimSpace(member), token) {
			return true
		}
	}
	return false
}

// equalFold compares as ASCII without case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		d := s[i]
		if c == d {
			continue
		}
		if c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// validHost checks host[:port] as RFC 3986 section 3.2 writes it, without
// percent escapes and IPv6 zones, which no host on a network has. An empty
// host is allowed: RFC 9112 section 3.2 asks for it where there is none.
func validHost(h []byte) bool {
	if len(h) > 0 && h[0] == '[' {
		end := bytes.IndexByte(h, ']')
		return end > 0 && validIPv6(h[1:end]) && validPort(h[end+1:])
	}
	if i := bytes.IndexByte(h, ':'); i >= 0 {
		return i > 0 && firstNot(h[:i], isHost) < 0 && validPort(h[i:])
	}
	return firstNot(h, isHost) < 0
}

// validPort accepts nothing or a colon and digits.
func validPort(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	for _, c := range p[1:] {
		if !digit(c) {
			return false
		}
	}
	return p[0] == ':'
}

// validIPv6 accepts eight groups of one to four hex digits, one run of zero
// groups as "::", and dotted decimals as the last two groups.
func validIPv6(b []byte) bool {
	groups, gap := 0, false
	if bytes.HasPrefix(b, []byte("::")) {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && charClass[b[n]]&isHex != 0 {
			n++
		}
		if n < len(b) && b[n] == '.' {
			groups += 2
			return validIPv4(b) && (groups == 8 || gap && groups < 8)
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		switch b = b[n:]; {
		case len(b) == 0:
		case b[0] != ':' || len(b) == 1:
			return false
		case b[1] == ':':
			if gap {
				return false
			}
			gap, b = true, b[2:]
		default:
			b = b[1:]
		}
	}
	return groups == 8 || gap && groups < 8
}

// validIPv4 accepts four decimals up to 255 without leading zeros.
func validIPv4(b []byte) bool {
	for part := 0; ; part++ {
		n, v := 0, 0
		for n < len(b) && n < 4 && digit(b[n]) {
			v = v*10 + int(b[n]-'0')
			n++
		}
		if n == 0 || n > 3 || v > 255 || n > 1 && b[0] == '0' {
			return false
		}
		b = b[n:]
		if part == 3 || len(b) == 0 || b[0] != '.' {
			return part == 3 && len(b) == 0
		}
		b = b[1:]
	}
}
