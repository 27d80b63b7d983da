package eio

import "bytes"

// Separator stands between the packets of a polling payload.
const Separator = 0x1e

// AppendPayload appends p to a polling payload. dst holds the payload so far
// and nothing else: a separator goes before p unless dst is empty.
func AppendPayload(dst []byte, p Packet) []byte {
	if len(dst) > 0 {
		dst = append(dst, Separator)
	}
	return AppendPacket(dst, p)
}

// PayloadIter walks over the packets of a polling payload:
//
//	for it := eio.IterPayload(body); it.Next(); {
//		use(it.Packet())
//	}
//
// and then asks Err.
type PayloadIter struct {
	rest   []byte
	more   bool // rest is a packet, maybe an empty one
	packet Packet
	err    error
}

// IterPayload starts before the first packet of body, which must stay
// unchanged as long as packets are in use. An empty body is an error, as an
// empty packet is.
func IterPayload(body []byte) PayloadIter { return PayloadIter{rest: body, more: true} }

// Next goes to the next packet. It returns false behind the last one and at
// the first bad one; packets before a bad one count.
func (it *PayloadIter) Next() bool {
	if !it.more || it.err != nil {
		return false
	}
	var text []byte
	text, it.rest, it.more = bytes.Cut(it.rest, []byte{Separator})
	it.packet, it.err = ParseText(text)
	return it.err == nil
}

// Packet returns the packet that Next went to.
func (it *PayloadIter) Packet() Packet { return it.packet }

// Err returns ErrParse if Next stopped at a bad packet, else nil.
func (it *PayloadIter) Err() error { return it.err }
