package netpoll

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// ourAnswer is what a loop says to bytes; theirs is what gobwas/ws says.
func ourAnswer(t *testing.T, reply Reply, input ...[]byte) []byte {
	h := &echoHandler{request: func(*Conn, *Request) (Reply, bool) { return reply, true }}
	r := newRig(t, Options{}, h)
	p, f := r.open()
	for _, b := range input {
		p.traffic(bytes.Clone(b))
	}
	r.turns()
	return f.read()
}

func theirAnswer(input string, protocol string) []byte {
	var out bytes.Buffer
	u := ws.Upgrader{}
	if protocol != "" {
		u.Protocol = func(p []byte) bool { return string(p) == protocol }
	}
	_, _ = u.Upgrade(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(input), &out})
	return out.Bytes()
}

func status(t *testing.T, answer []byte) (int, http.Header) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	require.NoError(t, err, "%q", answer)
	return resp.StatusCode, resp.Header
}

// The handshake is held against the Upgrader of gobwas/ws. Where ours is
// stricter on purpose, ours says so.
func TestHandshakeAgainstGobwas(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	head := func(line string, fields ...string) string {
		return line + "\r\n" + strings.Join(fields, "") + "\r\n"
	}
	const (
		get     = "GET /ws HTTP/1.1"
		host    = "Host: example.com\r\n"
		up      = "Upgrade: websocket\r\n"
		conn    = "Connection: Upgrade\r\n"
		version = "Sec-WebSocket-Version: 13\r\n"
	)
	for name, c := range map[string]struct {
		in       string
		protocol string
		ours     int    // 0: as theirs
		why      string // of a deliberate difference
	}{
		"good":              {in: head(get, host, up, conn, version, key)},
		"another order":     {in: head(get, key, version, conn, up, host)},
		"case of names":     {in: head(get, "hOsT: a\r\n", "UPGRADE: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-version: 13\r\n", strings.ToLower("Sec-WebSocket-Key")+": dGhlIHNhbXBsZSBub25jZQ==\r\n")},
		"case of values":    {in: head(get, host, "Upgrade: WebSocket\r\n", "Connection: UPGRADE\r\n", version, key)},
		"keep-alive too":    {in: head(get, host, up, "Connection: keep-alive, Upgrade\r\n", version, key)},
		"another key":       {in: head(get, host, up, conn, version, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")},
		"spaces":            {in: head(get, "Host:  example.com  \r\n", up, conn, version, key)},
		"subprotocol":       {in: head(get, host, up, conn, version, key, "Sec-WebSocket-Protocol: a, chat\r\n"), protocol: "chat"},
		"extension offered": {in: head(get, host, up, conn, version, key, "Sec-WebSocket-Extensions: permessage-deflate\r\n")},
		"long path":         {in: head("GET /"+strings.Repeat("x", 500)+" HTTP/1.1", host, up, conn, version, key)},
		"post":              {in: head("POST /ws HTTP/1.1", host, up, conn, version, key)},
		"HTTP/1.0":          {in: head("GET /ws HTTP/1.0", host, up, conn, version, key)},
		"no host":           {in: head(get, up, conn, version, key)},
		"no upgrade":        {in: head(get, host, conn, version, key)},
		"other upgrade":     {in: head(get, host, "Upgrade: h2c\r\n", conn, version, key)},
		"no connection":     {in: head(get, host, up, version, key)},
		"other connection":  {in: head(get, host, up, "Connection: close\r\n", version, key)},
		"no version":        {in: head(get, host, up, conn, key)},
		"old version":       {in: head(get, host, up, conn, "Sec-WebSocket-Version: 8\r\n", key)},
		"no key":            {in: head(get, host, up, conn, version)},
		"short key":         {in: head(get, host, up, conn, version, "Sec-WebSocket-Key: dGhl\r\n")},
		"key of 24 no base64": {in: head(get, host, up, conn, version, "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"),
			ours: 400, why: "RFC 6455 4.2.1: a base64 value that decodes to 16 bytes"},
		"key of 17 bytes": {in: head(get, host, up, conn, version, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n"),
			ours: 400, why: "RFC 6455 4.2.1: a base64 value that decodes to 16 bytes"},
		"LF only": {in: strings.ReplaceAll(head(get, host, up, conn, version, key), "\r\n", "\n"),
			ours: 400, why: "a bare LF ends no line; proxies differ about it"},
		"folded line": {in: head(get, host, up, conn, version, key, "X-A: b\r\n c\r\n"),
			ours: 400, why: "RFC 9112 5.2: folding is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			mine, mineH := status(t, ourAnswer(t, Reply{Kind: Upgrade, Subprotocol: c.protocol}, []byte(c.in)))
			if c.ours != 0 {
				require.Equal(t, c.ours, mine, c.why)
				return
			}
			theirs, theirsH := status(t, theirAnswer(c.in, c.protocol))
			require.Equal(t, theirs, mine)
			for _, f := range []string{"Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
				"Sec-WebSocket-Extensions", "Upgrade", "Sec-WebSocket-Version"} {
				require.Equal(t, theirsH.Get(f), mineH.Get(f), f)
			}
		})
	}
}

// RFC 6455 section 1.3 gives the answer to its own key.
func TestHandshakeOfTheRFC(t *testing.T) {
	got := string(ourAnswer(t, Reply{Kind: Upgrade, Header: "X-Extra: 1\r\n"}, []byte(goodUpgrade)))
	require.Equal(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+
		"X-Extra: 1\r\n\r\n", got)
}

// Frames behind the request in the same segment are read, wherever the bytes
// are cut.
func TestFramesBehindTheRequest(t *testing.T) {
	stream := append([]byte(goodUpgrade), clientFrame(ws.OpText, true, []byte("first"))...)
	stream = append(stream, clientFrame(ws.OpPing, true, []byte("p"))...)
	stream = append(stream, clientFrame(ws.OpText, false, []byte("sec"))...)
	stream = append(stream, clientFrame(ws.OpContinuation, true, []byte("ond"))...)
	check := func(t *testing.T, parts ...[]byte) {
		t.Helper()
		h := &echoHandler{}
		r := newRig(t, Options{}, h)
		p, f := r.open()
		for _, b := range parts {
			p.traffic(bytes.Clone(b))
		}
		r.turns()
		_, rest, ok := bytes.Cut(f.read(), []byte("\r\n\r\n"))
		require.True(t, ok)
		n, got := countFrames(rest)
		require.Equal(t, 3, n)
		require.Equal(t, "first p second", string(bytes.Join(got, []byte(" "))))
		require.Nil(t, p.in, "at a message boundary nothing is kept")
	}
	t.Run("one segment", func(t *testing.T) { check(t, stream) })
	t.Run("byte by byte", func(t *testing.T) {
		var parts [][]byte
		for i := range stream {
			parts = append(parts, stream[i:i+1])
		}
		check(t, parts...)
	})
	t.Run("every cut", func(t *testing.T) {
		for i := 1; i < len(stream); i++ {
			check(t, stream[:i], stream[i:])
		}
	})
}

// What Upgraded sends is behind the 101, in the same write.
func TestUpgradedSendsInTheSameWrite(t *testing.T) {
	h := &echoHandler{upgraded: func(p *echoPeer, r *Request) {
		p.Send(NewMsg(ws.OpText, fmt.Appendf(nil, "hello %s", r.Path)))
	}}
	r := newRig(t, Options{}, h)
	p, f := r.open()
	p.traffic([]byte(goodUpgrade))
	r.turns()
	head, rest, _ := bytes.Cut(f.read(), []byte("\r\n\r\n"))
	require.Contains(t, string(head), "101")
	_, got := countFrames(rest)
	require.Equal(t, "hello /ws", string(got[0]))
	require.Equal(t, uint64(1), r.l.n.writes)
}
