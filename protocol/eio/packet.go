package eio

import (
	"encoding/base64"
	"errors"
	"strconv"
	"time"
)

// PacketType is a packet's first character.
type PacketType byte

// The packet types.
const (
	Open    PacketType = '0'
	Close   PacketType = '1'
	Ping    PacketType = '2'
	Pong    PacketType = '3'
	Message PacketType = '4'
	Upgrade PacketType = '5'
	Noop    PacketType = '6'
)

// ErrParse is a packet that is empty, of unknown type or not base64 where it
// should be. It ends the session with ReasonParseError.
var ErrParse = errors.New("engine.io: parse error")

// Packet is a parsed packet.
type Packet struct {
	Type   PacketType
	Binary bool   // a binary message; Type is Message
	Data   []byte // without the type; aliases the input unless it was base64
}

// ParseText reads the packet in a WebSocket text message. It allocates only
// for base64. The error is ErrParse.
func ParseText(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrParse
	}
	switch t := PacketType(b[0]); {
	case t >= Open && t <= Noop:
		return Packet{Type: t, Data: b[1:]}, nil
	case t == 'b':
		data, err := decodeBase64(b[1:])
		if err != nil {
			return Packet{}, ErrParse
		}
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	return Packet{}, ErrParse
}

// ParseBinary reads the packet in a WebSocket binary message, which cannot
// fail: it is always a message. Data is b.
func ParseBinary(b []byte) Packet {
	return Packet{Type: Message, Binary: true, Data: b}
}

// decodeBase64 accepts the standard alphabet with padding, as the protocol
// says, or without, as some clients do.
func decodeBase64(b []byte) ([]byte, error) {
	encoding := base64.StdEncoding
	if len(b)%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	return encoding.AppendDecode(make([]byte, 0, encoding.DecodedLen(len(b))), b)
}

// AppendPacket appends p in its text form: type and data, or "b" and base64.
func AppendPacket(dst []byte, p Packet) []byte {
	if p.Binary {
		return base64.StdEncoding.AppendEncode(append(dst, 'b'), p.Data)
	}
	return append(append(dst, byte(p.Type)), p.Data...)
}

// OpenInfo is what the open packet tells the client.
type OpenInfo struct {
	SID          string        // [A-Za-z0-9_-]: written without escaping
	Upgrades     []string      // transport names; none on a WebSocket
	PingInterval time.Duration // whole milliseconds
	PingTimeout  time.Duration // whole milliseconds
	MaxPayload   int           // bytes a message or polling body may have
}

// AppendOpen appends the open packet with its five keys in the order of the
// JavaScript server:
//
//	0{"sid":"...","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
func AppendOpen(dst []byte, o OpenInfo) []byte {
	dst = append(dst, `0{"sid":"`...)
	dst = append(dst, o.SID...)
	dst = append(dst, `","upgrades":[`...)
	for i, name := range o.Upgrades {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, name...)
		dst = append(dst, '"')
	}
	dst = append(dst, `],"pingInterval":`...)
	dst = strconv.AppendInt(dst, o.PingInterval.Milliseconds(), 10)
	dst = append(dst, `,"pingTimeout":`...)
	dst = strconv.AppendInt(dst, o.PingTimeout.Milliseconds(), 10)
	dst = append(dst, `,"maxPayload":`...)
	dst = strconv.AppendInt(dst, int64(o.MaxPayload), 10)
	return append(dst, '}')
}
