package netpoll

import (
	"bytes"
	"fmt"
	"net/http"
)

// maxFields bounds the header lines of a request: a head of 8 KiB could hold
// 2,000 of them, and every look-up walks them all.
const maxFields = 100

// maxLeadingLines is how many empty lines may precede a request. RFC 9112
// section 2.2 asks for at least one: old clients end a body with a stray CRLF.
const maxLeadingLines = 2

// headError says why a request head is refused: the status to answer with and
// what was found where, and what was expected, in plain text. Bytes of the
// client appear quoted and cut.
type headError struct {
	Status int
	Text   string
}

// Error implements error.
func (e *headError) Error() string { return e.Text }

// headErr builds a headError; only refused requests pay for the formatting.
func headErr(status int, format string, args ...any) error {
	return &headError{Status: status, Text: fmt.Sprintf(format, args...)}
}

// clip quotes bytes of the client for an error text.
func clip(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%q...", b[:40])
	}
	return fmt.Sprintf("%q", b)
}

// Classes of characters in a request head.
const (
	isToken  = 1 << iota // RFC 9110 section 5.6.2
	isValue              // RFC 9110 section 5.5: no controls but HTAB
	isTarget             // printable, no '#'; raw bytes above 0x7f pass
	isHost               // RFC 3986 unreserved and sub-delims
	isHex
)

var charClass = func() (t [256]uint8) {
	for c := range t {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= isValue
		}
		if c > ' ' && c != 0x7f && c != '#' {
			t[c] |= isTarget
		}
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			t[c] |= isToken | isHost
		}
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' {
			t[c] |= isHex
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= isToken
	}
	for _, c := range []byte("-._~!$&'()*+,;=") {
		t[c] |= isHost
	}
	return t
}()

// firstNot returns the index of the first byte of b outside class, or -1.
func firstNot(b []byte, class uint8) int {
	for i, c := range b {
		if charClass[c]&class == 0 {
			return i
		}
	}
	return -1
}

// skipEmptyLines returns where the request line starts: behind at most
// maxLeadingLines empty lines.
func skipEmptyLines(b []byte) int {
	n := 0
	for n < 2*maxLeadingLines && len(b) >= n+2 && b[n] == '\r' && b[n+1] == '\n' {
		n += 2
	}
	return n
}

// headEnd returns the index just after the empty line that ends the request
// head at the start of b, or -1 while it has not arrived. from is how much of
// b earlier calls have seen already, so that a head that trickles in is
// scanned once.
//
// Up to two empty lines before the request line are skipped. A head whose
// lines end in a bare LF is found too, so that Parse can refuse it at once
// instead of leaving the client to the head deadline.
func headEnd(b []byte, from int) int {
	i := max(skipEmptyLines(b), from-2)
	for {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return -1
		}
		i += lf + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// Parse fills r from a whole request head as headEnd delimits it. All slices
// of r alias head and are valid as long as it is unchanged; r.Fields is reused.
// Nothing is allocated once r.Fields has room. Any goroutine that owns r.
//
// The error is a *headError with the status to answer. Where RFC 9112 leaves a
// choice the strict reading is taken, because a proxy in front that reads a
// request otherwise than its server is how requests are smuggled: no folded
// lines, no bare LF, no space before a colon, one Host, one framing.
//
// For a target in absolute form the value of the Host field becomes the
// target's authority, as RFC 9112 section 3.2.2 demands. Path and Query are
// still percent-encoded.
func (r *Request) Parse(head []byte) error {
	head = head[skipEmptyLines(head):]
	*r = Request{Fields: r.Fields[:0], ContentLength: -1, Raw: head}
	line, pos, err := nextLine(head, 0)
	if err != nil {
		return err
	}
	authority, err := r.parseRequestLine(line)
	if err != nil {
		return err
	}
	p := fieldParser{r: r, host: -1}
	for {
		line, pos, err = nextLine(head, pos)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if err = p.field(line); err != nil {
			return err
		}
	}
	if pos != len(head) {
		return headErr(http.StatusBadRequest,
			"%d bytes behind the empty line that ends the request head", len(head)-pos)
	}
	return p.finish(authority)
}

// nextLine returns the line of head that starts at pos, without its CRLF, and
// where the next one starts.
func nextLine(head []byte, pos int) (line []byte, next int, err error) {
	lf := bytes.IndexByte(head[pos:], '\n')
	if lf < 0 {
		return nil, 0, headErr(http.StatusBadRequest,
			"request head ends inside a line: %s, expected CRLF", clip(head[pos:]))
	}
	next = pos + lf + 1
	if lf == 0 || head[next-2] != '\r' {
		return nil, 0, headErr(http.StatusBadRequest,
			"line of the request head ends in a bare LF: %s, expected CRLF", clip(head[pos:next]))
	}
	return head[pos : next-2 : next-2], next, nil
}

// parseRequestLine takes "METHOD target HTTP/1.x" apart; authority is set
// for a target in absolute form.
func (r *Request) parseRequestLine(line []byte) (authority []byte, err error) {
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 || firstNot(line[:sp], isToken) >= 0 {
		return nil, headErr(http.StatusBadRequest,
			"malformed method in request line %s, expected METHOD target HTTP/1.1", clip(line))
	}
	r.Method = line[:sp:sp]
	rest := line[sp+1:]
	sp = bytes.IndexByte(rest, ' ')
	if sp < 0 {
		return nil, headErr(http.StatusBadRequest,
			"no HTTP version in request line %s, expected METHOD target HTTP/1.1", clip(line))
	}
	r.Target = rest[:sp:sp]
	if err = r.parseVersion(rest[sp+1:]); err != nil {
		return nil, err
	}
	if i := firstNot(r.Target, isTarget); i >= 0 {
		return nil, headErr(http.StatusBadRequest,
			"byte 0x%02x at %d in request target %s, expected it percent-encoded",
			r.Target[i], i, clip(r.Target))
	}
	return r.parseTarget()
}

func (r *Request) parseVersion(v []byte) error {
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[6] != '.' || !digit(v[5]) || !digit(v[7]) {
		return headErr(http.StatusBadRequest,
			"malformed HTTP version %s in request line, expected HTTP/1.1", clip(v))
	}
	if v[5] != '1' || v[7] > '1' {
		return headErr(http.StatusHTTPVersionNotSupported,
			"%s is not served, expected HTTP/1.1 or HTTP/1.0", v)
	}
	r.Minor = int(v[7] - '0')
	return nil
}

func digit(c byte) bool { return c-'0' <= 9 }

var rootPath = []byte("/")

// parseTarget splits the target into Path and Query. RFC 9112 section 3.2;
// the authority form belongs to CONNECT, which only proxies serve.
func (r *Request) parseTarget() (authority []byte, err error) {
	t := r.Target
	switch {
	case len(t) > 0 && t[0] == '/':
		r.setPath(t)
		return nil, r.checkEscapes()
	case len(t) == 1 && t[0] == '*':
		if string(r.Method) != http.MethodOptions {
			return nil, headErr(http.StatusBadRequest,
				"request target * with method %s, expected OPTIONS", clip(r.Method))
		}
		r.Path = t
		return nil, nil
	}
	scheme, rest, ok := bytes.Cut(t, []byte("://"))
	if !ok || !knownScheme(scheme) || string(r.Method) == http.MethodConnect {
		return nil, headErr(http.StatusBadRequest,
			"request target %s, expected /path or http://host/path", clip(t))
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority = rest[:end:end]
	if len(authority) == 0 || !validHost(authority) {
		return nil, headErr(http.StatusBadRequest,
			"malformed host %s in request target, expected name or name:port", clip(authority))
	}
	r.setPath(rest[end:])
	return authority, r.checkEscapes()
}

func (r *Request) setPath(t []byte) {
	if q := bytes.IndexByte(t, '?'); q >= 0 {
		r.Path, r.Query = t[:q:q], t[q+1:]
	} else {
		r.Path = t
	}
	if len(r.Path) == 0 {
		r.Path = rootPath
	}
}

// checkEscapes refuses a '%' in the path without two hex digits: what such a
// path means differs from server to server.
func (r *Request) checkEscapes() error {
	p := r.Path
	for {
		i := bytes.IndexByte(p, '%')
		if i < 0 {
			return nil
		}
		p = p[i:]
		if len(p) < 3 || charClass[p[1]]&isHex == 0 || charClass[p[2]]&isHex == 0 {
			return headErr(http.StatusBadRequest,
				"malformed escape %s in request path, expected %% and two hex digits",
				clip(p[:min(3, len(p))]))
		}
		p = p[3:]
	}
}

func knownScheme(s []byte) bool {
	switch len(s) {
	case 2:
		return equalFold(s, "ws")
	case 3:
		return equalFold(s, "wss")
	case 4:
		return equalFold(s, "http")
	case 5:
		return equalFold(s, "https")
	}
	return false
}
