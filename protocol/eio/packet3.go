package eio

import "encoding/base64"

// The functions with a 3 in their name are for revision 3 of the protocol,
// clients 1.x and 2.x. Packets are the same but for binary ones: those carry
// their type, as a digit behind the "b" of base64 and as a byte of its value in
// front of raw bytes.

// ParseText3 is ParseText for revision 3: base64 is "b4AQID".
func ParseText3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] != 'b' {
		return ParseText(b)
	}
	if len(b) < 2 || b[1] < byte(Open) || b[1] > byte(Noop) {
		return Packet{}, ErrParse
	}
	t := PacketType(b[1])
	data, err := decodeBase64(b[2:])
	if err != nil {
		return Packet{}, ErrParse
	}
	return Packet{Type: t, Binary: t == Message, Data: data}, nil
}

// ParseBinary3 reads the packet in a WebSocket binary message of revision 3.
// Data aliases b. The error is ErrParse.
func ParseBinary3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] > byte(Noop-Open) {
		return Packet{}, ErrParse
	}
	t := Open + PacketType(b[0])
	return Packet{Type: t, Binary: t == Message, Data: b[1:]}, nil
}

// AppendPacket3 appends p in its text form of revision 3, in which binary is
// base64: what a client that asked for b64 gets on a WebSocket, too.
func AppendPacket3(dst []byte, p Packet) []byte {
	if p.Binary {
		return base64.StdEncoding.AppendEncode(append(dst, 'b', byte(p.Type)), p.Data)
	}
	return AppendPacket(dst, p)
}

// AppendBinary3 appends p, a binary message, as a WebSocket binary message of
// revision 3: the byte 4 and the data.
func AppendBinary3(dst []byte, p Packet) []byte {
	return append(append(dst, byte(p.Type-Open)), p.Data...)
}
