//go:build !race

package netpoll

import (
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

func TestRequestParseDoesNotAllocate(t *testing.T) {
	head := []byte(browserHead)
	ipv6 := []byte("GET http://[::1]:80/a%20b?c=d HTTP/1.1\r\nHost: [::1]\r\n" +
		"Content-Length: 2\r\nTrailer: x\r\n\r\n")
	r := Request{Fields: make([]HeaderField, 0, 16)}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if headEnd(head, 0) < 0 || r.Parse(head) != nil || r.Parse(ipv6) != nil {
			panic("not parsed")
		}
		r.Header("Host")
		r.HasToken("Connection", "upgrade")
		r.QueryValue("c")
	}))
}

func TestRequestCloneIsOneCopy(t *testing.T) {
	var r Request
	require.NoError(t, r.Parse([]byte(browserHead)))
	// The struct, the head, the fields.
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { r.Clone() }), 3.0)
}

func TestAppendResponseDoesNotAllocate(t *testing.T) {
	buf, body := make([]byte, 0, 512), []byte("ok")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		AppendResponse(buf, 400, "text/plain", "X: y\r\n", body, false, false)
	}))
}

func TestFrameHeadersDoNotAllocate(t *testing.T) {
	in := appendMasked(nil, true, ws.OpText, 70000)
	buf := make([]byte, 0, 16)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if checkFirstBytes(in[0], in[1], ws.StateServerSide) != nil {
			panic("refused")
		}
		if _, n, err := parseHeader(in); n != len(in) || err != nil {
			panic("not parsed")
		}
		appendHeader(buf, ws.OpBinary, true, 70000)
		putHeaderBefore(buf[:10], 10, ws.OpBinary, 70000)
	}))
}

func TestUTF8CheckDoesNotAllocate(t *testing.T) {
	text := []byte("plain, κόσμε, 🌍, plain")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var u utf8Check
		for i := range text {
			u.Write(text[i : i+1])
		}
		if !u.Write(text) || !u.Done() {
			panic("invalid")
		}
	}))
}

func TestWheelDoesNotAllocate(t *testing.T) {
	w, _ := newTestWheel(64)
	fire := func(slot uint32) { w.set(slot, slot%7+1) }
	for s := range uint32(64) {
		w.set(s, s+1)
	}
	now := uint32(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		now++
		w.advance(now, 100, 100, fire)
	}))
}
