package engine

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/throng-server/throng/netpoll"
)

// query holds the parameters of a request that decide where it goes. The last
// of several equal keys wins, as it does in Node.
type query struct {
	transport, eio, sid, j, b64, t []byte

	id ID // sid decoded, by route
}

// v4 tells whether the request is of revision 4.
func (q *query) v4() bool { return len(q.eio) == 1 && q.eio[0] == '4' }

// rev3 returns what the session will be that the request opens.
func (q *query) rev3() rev3Flags {
	switch {
	case q.v4():
		return 0
	case len(q.b64) > 0:
		return isRev3 | wantsBase64
	case datedByCounter(q.t):
		return isRev3 | wantsOctets
	}
	return isRev3
}

// datedByCounter tells a client of Engine.IO 1.5, or not much later, by its
// cache buster: the time in milliseconds, a hyphen and a counter, where others
// write the time in base 64. In a browser that can read binary it expects the
// answers to polls to be binary and loses text, as does the client of Socket.IO
// 1.3. All others of revision 3 read both forms.
func datedByCounter(t []byte) bool {
	time, counter, ok := bytes.Cut(t, []byte("-"))
	return ok && len(time) == 13 && digits(time) && len(counter) > 0 && digits(counter)
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func parseQuery(raw []byte) query {
	var q query
	for len(raw) > 0 {
		var pair []byte
		if i := bytes.IndexByte(raw, '&'); i >= 0 {
			pair, raw = raw[:i], raw[i+1:]
		} else {
			pair, raw = raw, nil
		}
		key, value, _ := bytes.Cut(pair, []byte("="))
		switch string(unescape(key)) {
		case "transport":
			q.transport = unescape(value)
		case "EIO":
			q.eio = unescape(value)
		case "sid":
			q.sid = unescape(value)
		case "j":
			q.j = unescape(value)
		case "b64":
			q.b64 = unescape(value)
		case "t":
			q.t = unescape(value)
		}
	}
	return q
}

// unescape decodes a query component; a malformed one stays as it is.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b
	}
	s, err := url.QueryUnescape(string(b))
	if err != nil {
		return b
	}
	return []byte(s)
}

// field returns the value of the first header field called name, which is
// given in lower case; nil if there is none.
func field(r *netpoll.Request, name string) []byte {
	for i := range r.Fields {
		if equalFold(r.Fields[i].Name, name) {
			return r.Fields[i].Value
		}
	}
	return nil
}

// values returns the values of all header fields called name, which is given in
// lower case, with commas between.
func values(r *netpoll.Request, name string) string {
	var list []string
	for i := range r.Fields {
		if equalFold(r.Fields[i].Name, name) {
			list = append(list, string(r.Fields[i].Value))
		}
	}
	return strings.Join(list, ",")
}

// equalFold compares ASCII text with a lower-case name.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// firstProtocol returns the first offer of Sec-WebSocket-Protocol, which the
// reference server echoes.
func firstProtocol(r *netpoll.Request) string {
	v := field(r, "sec-websocket-protocol")
	if v == nil {
		return ""
	}
	if i := bytes.IndexByte(v, ','); i >= 0 {
		v = v[:i]
	}
	return string(bytes.TrimSpace(v))
}

// ParseHead makes a net/http request of a copied head. Any goroutine.
func ParseHead(head []byte, remote string) (*http.Request, error) {
	r, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), len(head)+16))
	if err != nil {
		return nil, err
	}
	r.Body = http.NoBody
	r.RemoteAddr = remote
	return r, nil
}
