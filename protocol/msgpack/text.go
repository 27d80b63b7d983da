package msgpack

import (
	"bytes"
	"math"
	"strconv"

	"github.com/throng-server/throng/protocol/sio"
)

// ToText turns a message into the same packet in text form, appended to dst,
// and the attachments to send right behind it (see the package doc for what
// becomes of values that JSON does not have). dst may already hold other
// bytes, which stay. The attachments alias b.
//
// Errors are those of Parse; ErrIllegalNamespace for a namespace that has no
// text form; sio.ErrForgedPlaceholder. The buffer is then what dst was.
func ToText(dst, b []byte, l Limits) (text []byte, atts [][]byte, err error) {
	p, err := Parse(b, l)
	if err != nil {
		return dst, nil, err
	}
	nsp := p.Namespace
	if len(nsp) == 0 || nsp[0] != '/' || bytes.IndexByte(nsp, ',') >= 0 {
		return dst, nil, ErrIllegalNamespace
	}
	return p.appendText(dst, nsp)
}

// Decode reads a message into the form that package sio gives to packets that
// came as text, so that handlers need not know which parser the client has.
// The JSON is appended to dst[:0], which may be nil; the packet aliases that
// buffer and its Namespace b. The attachments alias b. Namespace is what the
// client wrote, which need not start with '/'.
//
// Errors are those of Parse, and sio.ErrForgedPlaceholder.
func Decode(dst, b []byte, l Limits) (p sio.Packet, atts [][]byte, err error) {
	m, err := Parse(b, l)
	if err != nil {
		return p, nil, err
	}
	text, atts, err := m.appendText(dst[:0], nil)
	if err != nil {
		return p, nil, err
	}
	if p, err = sio.Parse(text, len(atts)); err != nil {
		return p, nil, err
	}
	p.Namespace = m.Namespace
	return p, atts, nil
}

// appendText writes the packet's text; nsp nil leaves the namespace out.
func (p *Packet) appendText(dst, nsp []byte) ([]byte, [][]byte, error) {
	w := textWriter{}
	start := len(dst)
	t := p.Type
	if p.Attachments > 0 {
		switch t {
		case sio.Event, sio.Ack:
			t += sio.BinaryEvent - sio.Event
			w.atts = make([][]byte, 0, p.Attachments)
		default:
			w.base64 = true // these have no attachments in text form
		}
	}
	dst = append(dst, '0'+byte(t))
	if t.Binary() {
		dst = append(strconv.AppendInt(dst, int64(p.Attachments), 10), '-')
	}
	if len(nsp) > 1 {
		dst = append(append(dst, nsp...), ',')
	}
	if p.HasID {
		dst = strconv.AppendUint(dst, p.ID, 10)
	}
	if p.Data == nil {
		return dst, nil, nil
	}
	dst, err := w.value(dst, p.Data)
	if err != nil {
		return dst[:start], nil, err
	}
	return dst, w.atts, nil
}

// textWriter turns MessagePack that the scanner has accepted into JSON.
type textWriter struct {
	atts   [][]byte // capacity: the number of binary values; nil: none, or
	base64 bool     // write them as strings
}

// value appends the one value in b.
func (w *textWriter) value(dst, b []byte) ([]byte, error) {
	var room [32]open
	stack := room[:0]
	comma := false
	for i := 0; ; {
		skip := false
		if n := len(stack); n > 0 {
			top := &stack[n-1]
			top.left--
			if top.object {
				key, end := read(b, i)
				value, after := read(b, end)
				i = end
				switch {
				case value.kind == kindUndefined:
					// JSON.stringify drops such members.
					skip = true
					i = after
				case value.kind == kindTrue && cap(w.atts) > 0 &&
					string(key.body) == "_placeholder":
					return dst, sio.ErrForgedPlaceholder
				default:
					dst = appendKey(appendComma(dst, comma), key)
				}
			} else {
				dst = appendComma(dst, comma)
			}
		}
		if !skip {
			t, end := read(b, i)
			i = end
			comma = true
			switch t.kind {
			case kindArray:
				dst = append(dst, '[')
				stack = append(stack, open{left: t.length()})
				comma = false
			case kindMap:
				dst = append(dst, '{')
				stack = append(stack, open{left: t.length(), object: true})
				comma = false
			default:
				dst = w.scalar(dst, t)
			}
		}
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			if stack[len(stack)-1].object {
				dst = append(dst, '}')
			} else {
				dst = append(dst, ']')
			}
			stack = stack[:len(stack)-1]
			comma = true
		}
		if len(stack) == 0 {
			return dst, nil
		}
	}
}

func appendComma(dst []byte, comma bool) []byte {
	if comma {
		dst = append(dst, ',')
	}
	return dst
}

func appendKey(dst []byte, key token) []byte {
	switch key.kind {
	case kindString:
		dst = sio.AppendString(dst, view(key.body))
	case kindInt:
		dst = append(strconv.AppendInt(append(dst, '"'), int64(key.bits), 10), '"')
	default:
		dst = append(strconv.AppendUint(append(dst, '"'), key.bits, 10), '"')
	}
	return append(dst, ':')
}

// scalar appends what is no container. undefined is null in an array.
func (w *textWriter) scalar(dst []byte, t token) []byte {
	switch t.kind {
	case kindFalse:
		return append(dst, "false"...)
	case kindTrue:
		return append(dst, "true"...)
	case kindInt:
		return strconv.AppendInt(dst, int64(t.bits), 10)
	case kindUint:
		return strconv.AppendUint(dst, t.bits, 10)
	case kindFloat:
		return sio.AppendNumber(dst, math.Float64frombits(t.bits))
	case kindString:
		return sio.AppendString(dst, view(t.body))
	case kindBinary:
		return w.attach(dst, t.body)
	case kindDate:
		return sio.AppendDate(dst, int64(t.bits))
	case kindPair:
		dst = strconv.AppendInt(append(dst, '['), int64(t.ext), 10)
		return append(w.attach(append(dst, ','), t.body), ']')
	}
	return append(dst, "null"...)
}

func (w *textWriter) attach(dst, b []byte) []byte {
	if w.base64 {
		return sio.AppendBase64(dst, b)
	}
	dst = sio.AppendPlaceholder(dst, len(w.atts))
	w.atts = append(w.atts, b)
	return dst
}
