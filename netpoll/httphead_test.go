package netpoll

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// browserHead is what Chromium sends to open a WebSocket.
const browserHead = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" +
	"Host: 127.0.0.1:5000\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: http://127.0.0.1:5000\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

func TestHeadEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     int
	}{
		{"empty", "", -1},
		{"no end", "GET / HTTP/1.1\r\nHost: a\r\n", -1},
		{"half of the end", "GET / HTTP/1.1\r\nHost: a\r\n\r", -1},
		{"end", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27},
		{"more behind", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT", 27},
		{"leading empty line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 29},
		{"two leading empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 31},
		{"only leading empty lines", "\r\n\r\n", -1},
		{"too many leading empty lines", "\r\n\r\n\r\n\r\n", 8},
		{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 24},
		{"bare LF before CRLF", "GET / HTTP/1.1\nHost: a\n\r\n", 25},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, headEnd([]byte(tc.in), 0))
			// Arriving byte by byte, the end is seen at the same place.
			got := -1
			for n := 0; n < len(tc.in) && got < 0; n++ {
				got = headEnd([]byte(tc.in[:n+1]), n)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestParseBrowserUpgrade(t *testing.T) {
	t.Parallel()
	var r Request
	require.NoError(t, r.Parse([]byte(browserHead)))
	require.Equal(t, "GET", string(r.Method))
	require.Equal(t, "/socket.io/?EIO=4&transport=websocket", string(r.Target))
	require.Equal(t, "/socket.io/", string(r.Path))
	require.Equal(t, "EIO=4&transport=websocket", string(r.Query))
	require.Equal(t, 1, r.Minor)
	require.Len(t, r.Fields, 12)
	require.Equal(t, int64(-1), r.ContentLength)
	require.True(t, r.Upgrade)
	require.False(t, r.Close)
	require.False(t, r.Chunked)
	require.False(t, r.Expect)
	require.Equal(t, browserHead, string(r.Raw))
	require.Equal(t, "http://127.0.0.1:5000", string(r.Header("ORIGIN")))
	require.Nil(t, r.Header("Cookie"))
	require.True(t, r.HasToken("accept-encoding", "BR"))
	require.False(t, r.HasToken("Accept-Encoding", "b"))
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		check    func(t *testing.T, r *Request)
	}{
		{"leading empty lines", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.True(t, strings.HasPrefix(string(r.Raw), "GET"))
			}},
		{"spaces around a value", "GET / HTTP/1.1\r\nHost: \t a \t\r\nX:\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.Equal(t, "a", string(r.Header("Host")))
				require.NotNil(t, r.Header("x"))
				require.Empty(t, r.Header("x"))
			}},
		{"HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n",
			func(t *testing.T, r *Request) { require.True(t, r.Close) }},
		{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
			func(t *testing.T, r *Request) { require.False(t, r.Close) }},
		{"HTTP/1.0 cannot upgrade or expect", "GET / HTTP/1.0\r\nConnection: upgrade\r\n" +
			"Upgrade: websocket\r\nExpect: 100-continue\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.False(t, r.Upgrade)
				require.False(t, r.Expect)
			}},
		{"Connection in two lines", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n" +
			"Connection: Upgrade , close\r\nUpgrade: h2c, WebSocket\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.True(t, r.Upgrade)
				require.True(t, r.Close)
			}},
		{"Upgrade without Connection", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
			func(t *testing.T, r *Request) { require.False(t, r.Upgrade) }},
		{"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 42\r\n" +
			"content-length: 42\r\nExpect: 100-Continue\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.Equal(t, int64(42), r.ContentLength)
				require.True(t, r.Expect)
			}},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.True(t, r.Chunked)
				require.Equal(t, int64(-1), r.ContentLength)
			}},
		{"absolute form wins over Host", "GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.Equal(t, "b:81", string(r.Header("Host")))
				require.Equal(t, "/x", string(r.Path))
				require.Equal(t, "y", string(r.Query))
			}},
		{"absolute form without path or Host", "GET HTTPS://[::1]?y HTTP/1.0\r\n\r\n",
			func(t *testing.T, r *Request) {
				require.Equal(t, "[::1]", string(r.Header("Host")))
				require.Equal(t, "/", string(r.Path))
				require.Equal(t, "y", string(r.Query))
			}},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
			func(t *testing.T, r *Request) { require.Equal(t, "*", string(r.Path)) }},
		{"IPv6 host", "GET / HTTP/1.1\r\nHost: [2001:db8::192.0.2.1]:80\r\n\r\n", nil},
		{"escapes and UTF-8", "GET /%C3%a9\xc3\xa9?%zz=% HTTP/1.1\r\nHost: a\r\n\r\n", nil},
		{"100 lines", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: b\r\n", 99) + "\r\n",
			func(t *testing.T, r *Request) { require.Len(t, r.Fields, 100) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r Request
			require.NoError(t, r.Parse([]byte(tc.in)))
			if tc.check != nil {
				tc.check(t, &r)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const get, host = "GET / HTTP/1.1\r\n", "Host: a\r\n"
	for _, tc := range []struct {
		name, in string
		status   int
		text     string // what the error must name
	}{
		{"nothing", "", 400, "ends inside"},
		{"only empty lines", "\r\n\r\n\r\n\r\n", 400, "method"},
		{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "bare LF"},
		{"bare LF in fields", get + "Host: a\nX: y\r\n\r\n", 400, "bare LF"},
		{"bare CR in a value", get + host + "X: a\rb\r\n\r\n", 400, "0x0d"},
		{"bare CR at the end", get + host + "X: a\r\r\n\r\n", 400, "0x0d"},
		{"NUL in a value", get + host + "X: a\x00b\r\n\r\n", 400, "0x00"},
		{"DEL in a value", get + host + "X: a\x7f\r\n\r\n", 400, "0x7f"},
		{"folded line", get + host + "X: a\r\n b\r\n\r\n", 400, "folded"},
		{"folded first line", get + " X: a\r\n" + host + "\r\n", 400, "folded"},
		{"space before colon", get + host + "X : a\r\n\r\n", 400, "0x20"},
		{"no colon", get + host + "X\r\n\r\n", 400, "name: value"},
		{"empty name", get + host + ": a\r\n\r\n", 400, "name: value"},
		{"name not a token", get + host + "X(y): a\r\n\r\n", 400, "0x28"},
		{"high byte in a name", get + host + "X\xe9: a\r\n\r\n", 400, "0xe9"},
		{"101 lines", get + host + strings.Repeat("a: b\r\n", 100) + "\r\n", 431, "100"},
		{"behind the end", get + host + "\r\nGET", 400, "3 bytes"},
		{"no end", get + host, 400, "ends inside"},

		{"method not a token", "G@T / HTTP/1.1\r\n" + host + "\r\n", 400, "method"},
		{"no method", " / HTTP/1.1\r\n" + host + "\r\n", 400, "method"},
		{"no version", "GET /\r\n" + host + "\r\n", 400, "version"},
		{"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400, "version"},
		{"space in target", "GET /a b HTTP/1.1\r\n" + host + "\r\n", 400, "version"},
		{"trailing space", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400, "version"},
		{"control in target", "GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400, "0x01"},
		{"tab in target", "GET /\t HTTP/1.1\r\n" + host + "\r\n", 400, "0x09"},
		{"fragment", "GET /#x HTTP/1.1\r\n" + host + "\r\n", 400, "0x23"},
		{"bad escape", "GET /%4 HTTP/1.1\r\n" + host + "\r\n", 400, "escape"},
		{"empty target", "GET  HTTP/1.1\r\n" + host + "\r\n", 400, "/path"},
		{"relative target", "GET a HTTP/1.1\r\n" + host + "\r\n", 400, "/path"},
		{"asterisk without OPTIONS", "GET * HTTP/1.1\r\n" + host + "\r\n", 400, "OPTIONS"},
		{"authority form", "CONNECT a:80 HTTP/1.1\r\n" + host + "\r\n", 400, "/path"},
		{"CONNECT absolute", "CONNECT http://a/ HTTP/1.1\r\n" + host + "\r\n", 400, "/path"},
		{"other scheme", "GET ftp://a/ HTTP/1.1\r\n" + host + "\r\n", 400, "/path"},
		{"absolute without host", "GET http:///x HTTP/1.1\r\n" + host + "\r\n", 400, "host"},
		{"user in target", "GET http://u@a/ HTTP/1.1\r\n" + host + "\r\n", 400, "host"},
		{"lower-case version", "GET / http/1.1\r\n" + host + "\r\n", 400, "version"},
		{"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n", 505, "HTTP/2.0"},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 505, "HTTP/1.2"},
		{"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505, "HTTP/0.9"},

		{"no Host", get + "\r\n", 400, "Host"},
		{"two Hosts", get + host + host + "\r\n", 400, "two Host"},
		{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" + host + host + "\r\n", 400, "two Host"},
		{"Host list", get + "Host: a, b\r\n\r\n", 400, "Host"},
		{"Host with path", get + "Host: a/b\r\n\r\n", 400, "Host"},
		{"Host with user", get + "Host: u@a\r\n\r\n", 400, "Host"},
		{"Host with bad port", get + "Host: a:8x\r\n\r\n", 400, "Host"},
		{"Host port alone", get + "Host: :80\r\n\r\n", 400, "Host"},
		{"Host IPv6 open", get + "Host: [::1\r\n\r\n", 400, "Host"},
		{"Host IPv6 bad", get + "Host: [::1::2]\r\n\r\n", 400, "Host"},

		{"empty length", get + host + "Content-Length:\r\n\r\n", 400, "Content-Length"},
		{"signed length", get + host + "Content-Length: +1\r\n\r\n", 400, "Content-Length"},
		{"negative length", get + host + "Content-Length: -1\r\n\r\n", 400, "Content-Length"},
		{"hex length", get + host + "Content-Length: 0x1\r\n\r\n", 400, "Content-Length"},
		{"length list", get + host + "Content-Length: 1, 1\r\n\r\n", 400, "Content-Length"},
		{"length too long", get + host + "Content-Length: 9999999999999999999\r\n\r\n",
			400, "Content-Length"},
		{"two lengths", get + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
			400, "differ"},
		{"same length written differently",
			get + host + "Content-Length: 1\r\nContent-Length: 01\r\n\r\n", 400, "differ"},
		{"both framings", get + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			400, "both"},
		{"both framings, other order",
			get + host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, "both"},
		{"other encoding", get + host + "Transfer-Encoding: gzip\r\n\r\n", 501, "gzip"},
		{"encoding list", get + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"},
		{"hidden encoding", get + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400, "0x0b"},
		{"two encodings", get + host + "Transfer-Encoding: chunked\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n", 400, "two Transfer"},
		{"encoding in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
			400, "HTTP/1.0"},
		{"framing in the trailer", get + host + "Trailer: a, content-length\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n", 400, "Trailer"},
		{"other expectation", get + host + "Expect: tea\r\n\r\n", 417, "tea"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var r Request
			err := r.Parse([]byte(tc.in))
			var he *headError
			require.True(t, errors.As(err, &he), "%v", err)
			require.Equal(t, tc.status, he.Status, he.Text)
			require.Contains(t, he.Text, tc.text)
			require.Less(t, len(he.Text), 300, "an error text must not carry the request")
		})
	}
}

func TestQueryValue(t *testing.T) {
	t.Parallel()
	r := Request{Query: []byte("EIO=4&sid=a&transport=polling&x&sid=b%20&e=&si=c&=n")}
	for key, want := range map[string]string{
		"EIO": "4", "sid": "b%20", "transport": "polling", "x": "", "e": "", "si": "c", "": "n",
	} {
		got, ok := r.QueryValue(key)
		require.True(t, ok, key)
		require.Equal(t, want, string(got), key)
	}
	for _, key := range []string{"s", "sids", "4", "port", "polling"} {
		_, ok := r.QueryValue(key)
		require.False(t, ok, key)
	}
	_, ok := new(Request).QueryValue("")
	require.False(t, ok)
}

func TestCloneOutlivesBuffer(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		browserHead,
		"\r\nPOST http://b/x?y=z HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
	} {
		buf := []byte(in)
		var r, want Request
		require.NoError(t, r.Parse(buf))
		require.NoError(t, want.Parse([]byte(in)))
		c := r.Clone()
		for i := range buf {
			buf[i] = 'x'
		}
		require.Equal(t, &want, c)
	}
	require.Empty(t, new(Request).Clone().Fields)
}

func TestAppendResponse(t *testing.T) {
	t.Parallel()
	body := []byte("hello")
	for _, tc := range []struct {
		status         int
		keep, headOnly bool
		extra, want    string
	}{
		{200, true, false, "", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
			"Content-Length: 5\r\n\r\nhello"},
		{404, false, false, "X: y\r\n", "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n" +
			"Content-Length: 5\r\nConnection: close\r\nX: y\r\n\r\nhello"},
		{200, true, true, "", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
			"Content-Length: 5\r\n\r\n"},
		{204, true, false, "", "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n"},
	} {
		got := AppendResponse([]byte("before"), tc.status, "text/plain", tc.extra, body,
			tc.keep, tc.headOnly)
		require.Equal(t, "before"+tc.want, string(got))
		method := http.MethodGet
		if tc.headOnly {
			method = http.MethodHead
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got[6:])),
			&http.Request{Method: method})
		require.NoError(t, err)
		require.Equal(t, tc.status, res.StatusCode)
		require.NoError(t, res.Body.Close())
	}
}

func BenchmarkRequestParse(b *testing.B) {
	head := []byte(browserHead)
	r := Request{Fields: make([]HeaderField, 0, 16)}
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if headEnd(head, 0) != len(head) || r.Parse(head) != nil {
			b.Fatal("not parsed")
		}
	}
}

func BenchmarkRequestClone(b *testing.B) {
	var r Request
	if err := r.Parse([]byte(browserHead)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Clone()
	}
}
