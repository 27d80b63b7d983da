package netpoll

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// wsClient reads frames without gobwas's helpers, which hide them.
type wsClient struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

// connect does the handshake. rcvbuf > 0 keeps the receive buffer small, so
// that a client that does not read is noticed early.
func connect(t testing.TB, s *Server, rcvbuf int) *wsClient {
	t.Helper()
	return connectBy(t, s, &net.Dialer{}, rcvbuf)
}

func connectBy(t testing.TB, s *Server, d *net.Dialer, rcvbuf int) *wsClient {
	t.Helper()
	c, err := d.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(60*time.Second)))
	if rcvbuf > 0 {
		require.NoError(t, c.(*net.TCPConn).SetReadBuffer(rcvbuf))
	}
	_, err = c.Write([]byte(goodUpgrade))
	require.NoError(t, err)
	wc := &wsClient{Conn: c, t: t, br: bufio.NewReaderSize(c, 32<<10)}
	status, err := wc.br.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 101 Switching Protocols\r\n", status)
	for line := ""; line != "\r\n"; {
		line, err = wc.br.ReadString('\n')
		require.NoError(t, err)
	}
	return wc
}

// frame reads one frame.
func (c *wsClient) frame() (ws.OpCode, []byte, error) {
	var h [2]byte
	if _, err := io.ReadFull(c.br, h[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	if k := map[byte]int{126: 2, 127: 8}[h[1]]; k > 0 {
		var ext [8]byte
		if _, err := io.ReadFull(c.br, ext[8-k:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	}
	p := make([]byte, n)
	_, err := io.ReadFull(c.br, p)
	return ws.OpCode(h[0] & 0x0f), p, err
}

// next reads one frame that must come.
func (c *wsClient) next() (ws.OpCode, []byte) {
	c.t.Helper()
	op, p, err := c.frame()
	require.NoError(c.t, err)
	return op, p
}

func (c *wsClient) send(op ws.OpCode, payload []byte) {
	c.t.Helper()
	_, err := c.Write(clientFrame(op, true, payload))
	require.NoError(c.t, err)
}

// closeCode reads up to the close frame and returns its code.
func (c *wsClient) closeCode() int {
	c.t.Helper()
	for {
		op, p := c.next()
		if op == ws.OpClose {
			if len(p) < 2 {
				return int(ws.StatusNoStatusRcvd)
			}
			return int(binary.BigEndian.Uint16(p))
		}
	}
}

// conns is a handler that tells which connections were upgraded.
func conns() (*echoHandler, chan *echoPeer) {
	up := make(chan *echoPeer, 1024)
	return &echoHandler{upgraded: func(p *echoPeer, _ *Request) { up <- p }}, up
}

// number is a frame that carries n.
func number(n int) *Msg {
	return NewMsg(ws.OpBinary, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// eventually waits for something that has no event.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 20*time.Second, time.Millisecond, what)
}
