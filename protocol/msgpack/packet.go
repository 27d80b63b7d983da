package msgpack

import (
	"math"
	"unicode/utf8"

	"github.com/throng-server/throng/protocol/sio"
)

// Packet is a validated packet. Its slices alias the message given to Parse
// and are valid and unchanged as long as that is.
type Packet struct {
	Type        sio.Type // Connect to ConnectError; never a binary one
	Namespace   []byte   // as the client wrote it, maybe empty
	HasID       bool
	ID          uint64
	Data        []byte // the MessagePack of the data; nil if absent
	Attachments int    // binary values in Data
}

// Parse reads one packet from the binary message b and validates it
// completely. It allocates nothing unless the data nests deeply. Errors are
// constants of this package and of package sio, and final for the connection.
func Parse(b []byte, l Limits) (Packet, error) {
	l = l.withDefaults()
	var p Packet
	head, i := read(b, 0)
	if head.kind != kindMap {
		return p, ErrMalformed
	}
	s := scanner{b: b, elements: l.Elements}
	var id, typ, nsp, data token
	for range head.length() {
		if s.elements--; s.elements < 0 {
			return p, ErrTooManyElements
		}
		key, start := read(b, i)
		if key.kind == kindBad {
			return p, ErrMalformed
		} else if !isKey(key) {
			return p, ErrIllegalKey
		}
		end, err := s.value(start)
		if err != nil {
			return p, err
		}
		value, _ := read(b, start)
		switch string(key.body) { // "" for an integer
		case "type":
			typ = value
		case "nsp":
			nsp = value
		case "id":
			id = value
		case "data":
			data = value
			p.Data = b[start:end:end]
			p.Attachments = s.attachments
		}
		i = end
	}
	if i != len(b) {
		return p, ErrMalformed
	}
	t, ok := typ.number()
	if !ok || t != math.Trunc(t) || t < 0 || t > float64(sio.ConnectError) {
		return p, sio.ErrUnknownType
	}
	p.Type = sio.Type(t)
	if nsp.kind != kindString || !utf8.Valid(nsp.body) {
		return p, ErrIllegalNamespace
	}
	p.Namespace = nsp.body
	if id.kind != kindBad && id.kind != kindUndefined {
		n, ok := id.number()
		if !ok || n != math.Trunc(n) || n < 0 || n > sio.MaxID {
			return p, sio.ErrIllegalID
		}
		p.HasID, p.ID = true, uint64(n)
	}
	if p.Attachments > l.Attachments {
		return p, sio.ErrTooManyAttachments
	}
	return p, p.check(data)
}

// check looks at the data as the type says. Strings and maps in place of
// absent data are refused, null is not: clients in languages without undefined
// send it.
func (p *Packet) check(data token) error {
	switch data.kind {
	case kindBad, kindUndefined:
		p.Data = nil
	case kindNil:
		if p.Type == sio.Connect || p.Type == sio.Disconnect {
			p.Data = nil
		}
	}
	ok := false
	switch p.Type {
	case sio.Connect:
		ok = p.Data == nil || data.kind == kindMap
	case sio.Disconnect:
		ok = p.Data == nil
	case sio.ConnectError:
		ok = data.kind == kindString || data.kind == kindMap
	case sio.Event:
		if data.kind == kindArray && data.length() > 0 {
			return p.checkName()
		}
	case sio.Ack:
		ok = data.kind == kindArray
	}
	if !ok {
		return sio.ErrInvalidPayload
	}
	return nil
}

// checkName applies the rules of the text parser to an event's name. The
// reference has none here; its sockets would fire their own events.
func (p *Packet) checkName() error {
	_, i := read(p.Data, 0)
	name, _ := read(p.Data, i)
	if name.kind == kindString {
		if sio.IsReservedEvent(string(name.body)) {
			return sio.ErrReservedEvent
		}
		return nil
	}
	if f, ok := name.number(); !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return sio.ErrInvalidPayload
	}
	return nil
}
