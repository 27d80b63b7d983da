package netpoll

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2 demands it
	"encoding/base64"
	"errors"

	"github.com/gobwas/ws"
)

const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	nonceSize  = 24
)

// upgrade switches the connection to WebSocket: 101 and, in the same write,
// whatever Peer.Upgraded sends.
func (c *Conn) upgrade(r *Request, reply *Reply) {
	l := c.loop
	key, err := checkHandshake(r)
	if err != nil {
		status, extra := handshakeStatus(err)
		c.respond(r, &Reply{Status: status, ContentType: "text/plain; charset=utf-8",
			Header: extra, Body: []byte(err.Error() + "\n"), Close: true})
		return
	}
	m := l.ctlMsg()
	m.wire = appendSwitch(m.wire, key, reply)
	c.push(m)
	c.state = stateWS
	c.flags |= flagWS
	l.n.websockets++
	c.setTimer(0)
	c.markDirect()
	l.srv.upgrades.Add(1)
	c.peer.Upgraded(r)
}

// appendSwitch writes the 101 response.
func appendSwitch(dst, key []byte, reply *Reply) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: "...)
	var in [nonceSize + len(acceptGUID)]byte
	copy(in[copy(in[:], key):], acceptGUID)
	sum := sha1.Sum(in[:]) //nolint:gosec // see import
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	dst = append(dst, "\r\n"...)
	if reply.Subprotocol != "" {
		dst = append(dst, "Sec-WebSocket-Protocol: "...)
		dst = append(dst, reply.Subprotocol...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, reply.Header...)
	return append(dst, "\r\n"...)
}

// checkHandshake holds a request against RFC 6455 section 4.2.1 and returns
// the client's key. Errors are those of gobwas/ws, in its Upgrader's order.
func checkHandshake(r *Request) (key []byte, err error) {
	switch {
	case r.Minor < 1:
		return nil, ws.ErrHandshakeBadProtocol
	case string(r.Method) != "GET":
		return nil, ws.ErrHandshakeBadMethod
	case !r.Upgrade:
		if !r.HasToken("Upgrade", "websocket") {
			return nil, ws.ErrHandshakeBadUpgrade
		}
		return nil, ws.ErrHandshakeBadConnection
	}
	switch v := r.Header("Sec-WebSocket-Version"); {
	case len(v) == 0:
		return nil, ws.ErrHandshakeBadSecVersion
	case string(v) != "13":
		return nil, ws.ErrHandshakeUpgradeRequired
	}
	key = r.Header("Sec-WebSocket-Key")
	if !validKey(key) {
		return nil, ws.ErrHandshakeBadSecKey
	}
	return key, nil
}

// validKey wants the base64 of 16 bytes.
func validKey(k []byte) bool {
	var raw [nonceSize]byte
	if len(k) != nonceSize {
		return false
	}
	n, err := base64.StdEncoding.Decode(raw[:], k)
	return err == nil && n == 16
}

// handshakeStatus returns the HTTP status of a refused handshake and the
// header that goes with it.
func handshakeStatus(err error) (status int, extra string) {
	var rej *ws.ConnectionRejectedError
	status = 400
	if errors.As(err, &rej) && rej.StatusCode() != 0 {
		status = rej.StatusCode()
	}
	if status == 426 {
		extra = "Sec-WebSocket-Version: 13\r\n"
	}
	return status, extra
}
