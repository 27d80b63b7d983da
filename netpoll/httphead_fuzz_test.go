package netpoll

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRequestParse holds the parser against net/http: what it accepts, net/http
// must accept too and read the same way, since connections change hands
// between the two.
func FuzzRequestParse(f *testing.F) {
	for _, s := range []string{
		browserHead,
		"POST /x?a=b&c HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 3\r\n\r\n",
		"GET http://h.example:80?x HTTP/1.0\r\nHost: other\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nX:\ty \r\nX: z\r\n\r\n",
		"GET /%41 HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\nContent-Length: 0\r\n" +
			"Content-Length: 0\r\n\r\n",
		"GET http://[1::2:3.4.5.6]/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		end := headEnd(in, 0)
		for n := range in {
			if got := headEnd(in[:n+1], n); got >= 0 {
				require.Equal(t, end, got)
				break
			}
		}
		if end < 0 {
			return
		}
		r := Request{Fields: []HeaderField{}}
		if err := r.Parse(in[:end]); err != nil {
			var he *headError
			require.ErrorAs(t, err, &he)
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.Raw)))
		require.NoError(t, err)
		require.Equal(t, want.Method, string(r.Method))
		require.Equal(t, want.RequestURI, string(r.Target))
		require.Equal(t, want.ProtoMinor, r.Minor)
		require.Equal(t, want.Host, string(r.Header("Host")))
		require.Equal(t, want.URL.RawQuery, string(r.Query))
		require.Equal(t, want.Close, r.Close)
		if want.URL.Path != "" {
			path := want.URL.EscapedPath()
			if string(r.Path) != path {
				require.Equal(t, want.URL.Path, unescape(string(r.Path)))
			}
		}
		require.Equal(t, len(want.TransferEncoding) > 0, r.Chunked)
		if !r.Chunked {
			require.Equal(t, want.ContentLength, max(r.ContentLength, 0))
		}
		require.Equal(t, sortedFields(want), ownFields(&r))
		require.Equal(t, &r, r.Clone())
	})
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		hex := func(c byte) byte {
			if c <= '9' {
				return c - '0'
			}
			return c&0xdf - 'A' + 10
		}
		b.WriteByte(hex(s[i+1])<<4 | hex(s[i+2]))
		i += 2
	}
	return b.String()
}

// moved are the fields that net/http takes out of Header, merges or adds.
var moved = []string{"Host", "Transfer-Encoding", "Content-Length", "Trailer", "Cache-Control"}

func sortedFields(r *http.Request) []string {
	fields := []string{}
	for name, values := range r.Header {
		for i, v := range values {
			if !slices.Contains(moved, name) {
				fields = append(fields, name+"="+string(rune('0'+i))+v)
			}
		}
	}
	slices.Sort(fields)
	return fields
}

func ownFields(r *Request) []string {
	fields, seen := []string{}, map[string]int{}
	for _, f := range r.Fields {
		name := http.CanonicalHeaderKey(string(f.Name))
		if !slices.Contains(moved, name) {
			fields = append(fields, name+"="+string(rune('0'+seen[name]))+string(f.Value))
			seen[name]++
		}
	}
	slices.Sort(fields)
	return fields
}
