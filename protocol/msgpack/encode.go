package msgpack

import (
	"sync"
	"unicode/utf8"

	"github.com/throng-server/throng/protocol/sio"
)

// AppendEvent appends an EVENT. nsp "" and "/" are the same; id < 0 asks for
// no ack. dst may already hold other bytes, which stay. The package doc says
// how args are written. It allocates nothing when dst is large enough and args
// hold plain values.
//
// Errors: a *sio.ReservedEventError; a *sio.ArgError around the cause. The
// buffer is then what dst was.
func AppendEvent(dst []byte, nsp string, id int64, name string, args []any) ([]byte, error) {
	if sio.IsReservedEvent(name) {
		return dst, &sio.ReservedEventError{Name: name}
	}
	start := len(dst)
	dst = appendStart(dst, sio.Event, id >= 0, uint64(id), true)
	dst = arrayHead.append(dst, 1+len(args))
	dst = appendString(dst, name)
	return appendArgs(dst, start, nsp, args)
}

// AppendAck appends an ACK for the event that came with id. The rest is as in
// AppendEvent.
func AppendAck(dst []byte, nsp string, id uint64, args []any) ([]byte, error) {
	start := len(dst)
	dst = appendStart(dst, sio.Ack, true, id, true)
	dst = arrayHead.append(dst, len(args))
	return appendArgs(dst, start, nsp, args)
}

// AppendConnect appends the CONNECT that accepts a client.
func AppendConnect(dst []byte, nsp, sid string) []byte {
	dst = appendStart(dst, sio.Connect, false, 0, true)
	dst = mapHead.append(dst, 1)
	dst = appendString(dst, "sid")
	dst = appendString(dst, sid)
	return appendNamespace(dst, nsp)
}

// AppendConnectError appends the CONNECT_ERROR that refuses a client, with a
// "data" member if hasData. After an error, which is that of encoding data,
// the buffer is what dst was.
func AppendConnectError(dst []byte, nsp, message string, data any, hasData bool) ([]byte, error) {
	start := len(dst)
	dst = appendStart(dst, sio.ConnectError, false, 0, true)
	if !hasData {
		dst = mapHead.append(dst, 1)
		dst = appendString(appendString(dst, "message"), message)
		return appendNamespace(dst, nsp), nil
	}
	dst = mapHead.append(dst, 2)
	dst = appendString(appendString(dst, "message"), message)
	dst = appendString(dst, "data")
	dst, err := appendArgs(dst, start, nsp, []any{data})
	if arg, ok := err.(*sio.ArgError); ok {
		err = arg.Err
	}
	return dst, err
}

// AppendDisconnect appends the DISCONNECT that ends a namespace.
func AppendDisconnect(dst []byte, nsp string) []byte {
	return appendNamespace(appendStart(dst, sio.Disconnect, false, 0, false), nsp)
}

// FromText turns a packet in text form and its attachments into a message,
// appended to dst. Placeholders are replaced by the attachments. dst may
// already hold other bytes, which stay.
//
// Errors are those of sio.Parse with as many attachments as there are; sio.ErrNotUTF8; sio.ErrInvalidPayload for an
// EVENT, ACK or CONNECT_ERROR without payload, which this form does not have;
// sio.ErrIllegalAttachments for more attachments than the text says;
// sio.ErrAttachmentReused beyond sio.MaxRepeated. The buffer is then what dst
// was.
func FromText(dst, text []byte, atts [][]byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, sio.ErrNotUTF8
	}
	p, err := sio.Parse(text, len(atts))
	if err != nil {
		return dst, err
	}
	t := p.Type
	s := scratches.Get().(*scratch)
	defer s.release()
	if t.Binary() {
		t -= sio.BinaryEvent - sio.Event
		s.marks, err = sio.AppendPlaceholders(s.marks, p.Data, atts)
		if err != nil {
			return dst, err
		}
	}
	switch {
	case p.Attachments != len(atts):
		return dst, sio.ErrIllegalAttachments
	case p.Data == nil && t != sio.Connect && t != sio.Disconnect:
		return dst, sio.ErrInvalidPayload
	}
	dst = appendStart(dst, t, p.HasID, p.ID, p.Data != nil)
	dst = appendJSON(dst, p.Data, s.marks)
	dst = appendString(dst, "nsp")
	return appendString(dst, view(p.Namespace)), nil
}

// appendStart opens the packet's map, up to the key of the data. Members that
// are absent are left out: readers in JavaScript refuse null.
func appendStart(dst []byte, t sio.Type, hasID bool, id uint64, hasData bool) []byte {
	members := 2
	if hasID {
		members++
	}
	if hasData {
		members++
	}
	dst = mapHead.append(dst, members)
	dst = append(appendString(dst, "type"), byte(t))
	if hasID {
		dst = appendUint(appendString(dst, "id"), id)
	}
	if hasData {
		dst = appendString(dst, "data")
	}
	return dst
}

func appendNamespace(dst []byte, nsp string) []byte {
	if nsp == "" {
		nsp = "/"
	}
	return appendString(appendString(dst, "nsp"), nsp)
}

// appendArgs appends args and completes the packet that begins at start.
func appendArgs(dst []byte, start int, nsp string, args []any) ([]byte, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	var err error
	if s.text, err = sio.AppendMarked(s.text, args, &s.marks); err != nil {
		return dst[:start], err
	}
	return appendNamespace(appendJSON(dst, s.text, s.marks), nsp), nil
}

// scratch is what values are written to on their way.
type scratch struct {
	text  []byte
	marks []sio.Mark
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// What an idle scratch may keep.
const (
	maxText  = 64 << 10
	maxMarks = 64
)

func (s *scratch) release() {
	if cap(s.text) > maxText {
		s.text = nil
	}
	clear(s.marks) // a pooled scratch must not keep attachments alive
	if cap(s.marks) > maxMarks {
		s.marks = nil
	}
	s.text, s.marks = s.text[:0], s.marks[:0]
	scratches.Put(s)
}
