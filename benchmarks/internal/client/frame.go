package client

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

var errFrame = errors.New("client: masked, fragmented or reserved frame from the server")

// Frame returns packet as a masked text frame, ready for Write and Send, which
// may send it any number of times.
func Frame(packet string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(packet))))
}

var pong = Frame("3")

// parse reads one frame of a server (RFC 6455 section 5.2) from the start of
// b. n is its length, 0 if it is not whole; payload is part of b.
func parse(b []byte) (op ws.OpCode, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, 0, errFrame
	}
	head, size := 2, uint64(b[1])
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if uint64(len(b)-head) < size {
		return 0, nil, 0, nil
	}
	n = head + int(size)
	return ws.OpCode(b[0] & 0x0f), b[head:n], n, nil
}

// kind is what a frame means to a client.
type kind int

const (
	packet    kind = iota // a Socket.IO packet
	heartbeat             // a ping, to be answered with pong
	other                 // for nobody
)

func classify(op ws.OpCode, payload []byte) (kind, error) {
	switch {
	case op == ws.OpText && len(payload) > 0 && payload[0] == '4':
		return packet, nil
	case op == ws.OpText && string(payload) == "2":
		return heartbeat, nil
	case op == ws.OpClose:
		code := ws.StatusNoStatusRcvd
		if len(payload) >= 2 {
			code = ws.StatusCode(binary.BigEndian.Uint16(payload))
		}
		return other, fmt.Errorf("client: closed by the server with %d", code)
	case op == ws.OpText:
		return other, nil
	}
	return other, fmt.Errorf("client: unexpected frame with opcode %d", op)
}
