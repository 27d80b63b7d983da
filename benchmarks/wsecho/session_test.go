package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Opcodes, RFC 6455 section 11.8. The suite frames by itself: a library would
// refuse to send most of what is tested here.
const (
	opCont  = 0x0
	opText  = 0x1
	opBin   = 0x2
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// caseTimeout bounds a case; only a server that hangs meets it.
const caseTimeout = 60 * time.Second

// noCode stands for a close frame without a payload.
const noCode = 1005

// frame is one frame as it goes over the wire.
type frame struct {
	op      byte
	rsv     byte
	more    bool // FIN is not set
	payload []byte
}

func text(s string) frame      { return frame{op: opText, payload: []byte(s)} }
func binData(s string) frame   { return frame{op: opBin, payload: []byte(s)} }
func ping(s string) frame      { return frame{op: opPing, payload: []byte(s)} }
func pong(s string) frame      { return frame{op: opPong, payload: []byte(s)} }
func first(s string) frame     { return frame{op: opText, more: true, payload: []byte(s)} }
func cont(s string) frame      { return frame{op: opCont, more: true, payload: []byte(s)} }
func last(s string) frame      { return frame{op: opCont, payload: []byte(s)} }
func other(op byte) frame      { return frame{op: op} }
func rsv(n byte) frame         { return frame{op: opText, rsv: n, payload: []byte("Hello, world!")} }
func (f frame) unended() frame { f.more = true; return f }

// closing is a close frame; noCode leaves the payload out.
func closing(code uint16, reason string) frame {
	f := frame{op: opClose}
	if code != noCode {
		f.payload = append(binary.BigEndian.AppendUint16(nil, code), reason...)
	}
	return f
}

// String keeps large payloads out of messages.
func (f frame) String() string {
	p := f.payload
	if len(p) > 60 {
		p = p[:60]
	}
	return fmt.Sprintf("op %x rsv %d fin %t, %d bytes %q", f.op, f.rsv, !f.more, len(f.payload), p)
}

// wire is the frame as a client sends it: masked.
func (f frame) wire() []byte {
	return f.wireLong(len(f.payload))
}

// wireLong announces n payload bytes, whatever there is.
func (f frame) wireLong(n int) []byte {
	b := f.op | f.rsv<<4
	if !f.more {
		b |= 0x80
	}
	w := append(make([]byte, 0, len(f.payload)+14), b)
	switch {
	case n < 126:
		w = append(w, 0x80|byte(n))
	case n <= 0xffff:
		w = binary.BigEndian.AppendUint16(append(w, 0x80|126), uint16(n))
	default:
		w = binary.BigEndian.AppendUint64(append(w, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, byte(n) | 1}
	w = append(w, mask[:]...)
	for i, c := range f.payload {
		w = append(w, c^mask[i&3])
	}
	return w
}

// session is a client's connection after the opening handshake.
type session struct {
	t  testing.TB
	c  net.Conn
	br *bufio.Reader
}

// connect opens a connection and upgrades it.
func connect(t testing.TB, addr string) *session {
	t.Helper()
	s := dialRaw(t, addr)
	s.write([]byte(upgradeHead))
	s.expectUpgrade()
	return s
}

// upgradeHead is the request of RFC 6455 section 1.3, with an offer that the
// server must not take up.
const upgradeHead = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n" +
	"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"Sec-WebSocket-Version: 13\r\n\r\n"

func dialRaw(t testing.TB, addr string) *session {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(caseTimeout)))
	return &session{t: t, c: c, br: bufio.NewReaderSize(c, 64<<10)}
}

func (s *session) expectUpgrade() {
	s.t.Helper()
	res, err := http.ReadResponse(s.br, nil)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusSwitchingProtocols, res.StatusCode)
	require.Equal(s.t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", res.Header.Get("Sec-WebSocket-Accept"))
	require.Equal(s.t, "websocket", res.Header.Get("Upgrade"))
	require.Equal(s.t, "Upgrade", res.Header.Get("Connection"))
	require.Empty(s.t, res.Header.Get("Sec-WebSocket-Extensions"))
	require.Empty(s.t, res.Header.Get("Sec-WebSocket-Protocol"))
}

func (s *session) write(b []byte) {
	s.t.Helper()
	_, err := s.c.Write(b)
	require.NoError(s.t, err)
}

// read returns the server's next frame; it must be unmasked, final, without
// reserved bits and with its length in the shortest form.
func (s *session) read() (frame, error) {
	var h [10]byte
	if _, err := io.ReadFull(s.br, h[:2]); err != nil {
		return frame{}, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 != 0 {
		return frame{}, fmt.Errorf("frame starts with %x", h[:2])
	}
	n, short := uint64(h[1]), uint64(0)
	switch n {
	case 126:
		if _, err := io.ReadFull(s.br, h[2:4]); err != nil {
			return frame{}, err
		}
		n, short = uint64(binary.BigEndian.Uint16(h[2:])), 126
	case 127:
		if _, err := io.ReadFull(s.br, h[2:10]); err != nil {
			return frame{}, err
		}
		n, short = binary.BigEndian.Uint64(h[2:]), 1<<16
	}
	if n < short || n > 2*maxMessage {
		return frame{}, fmt.Errorf("frame starts with %x", h)
	}
	f := frame{op: h[0] & 0xf, payload: make([]byte, n)}
	_, err := io.ReadFull(s.br, f.payload)
	return f, err
}

// expect reads one frame and compares.
func (s *session) expect(want frame) {
	s.t.Helper()
	got, err := s.read()
	require.NoError(s.t, err, "instead of %v", want)
	if got.op != want.op || string(got.payload) != string(want.payload) {
		require.FailNow(s.t, "wrong frame", "got  %v\nwant %v", got, want)
	}
}

// expectClose reads a close frame with the code.
func (s *session) expectClose(code uint16) {
	s.t.Helper()
	got, err := s.read()
	require.NoError(s.t, err, "instead of close frame %d", code)
	require.Equal(s.t, byte(opClose), got.op, "got %v instead of close frame %d", got, code)
	if len(got.payload) == 0 {
		require.Equal(s.t, code, uint16(noCode), "empty close frame")
		return
	}
	require.GreaterOrEqual(s.t, len(got.payload), 2)
	require.Equal(s.t, int(code), int(binary.BigEndian.Uint16(got.payload)),
		"reason %q", got.payload[2:])
}

// expectEOF: the server closes TCP, first and without a reset.
func (s *session) expectEOF() {
	s.t.Helper()
	b, err := s.br.ReadByte()
	require.ErrorIs(s.t, err, io.EOF, "after the close handshake came %x", b)
}
