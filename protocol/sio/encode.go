package sio

import (
	"slices"
	"strconv"
)

// AppendEvent appends an EVENT, or a BINARY_EVENT if args hold any []byte, and
// returns the longer buffer and the attachments to send right behind the text.
// nsp "" and "/" are the same; id < 0 asks for no ack. dst may already hold
// other bytes, which stay. The attachments alias the caller's slices, which
// must not change until they are sent. Official clients close the connection
// over more than DefaultMaxAttachments; the caller compares.
//
// It allocates nothing when dst is large enough and args hold plain values.
//
// Errors: a *ReservedEventError; an *ArgError around the cause;
// ErrForgedPlaceholder. The buffer is then what dst was.
func AppendEvent(dst []byte, nsp string, id int64, name string, args []any) (
	text []byte, atts [][]byte, err error,
) {
	if IsReservedEvent(name) {
		return dst, nil, &ReservedEventError{Name: name}
	}
	start := len(dst)
	dst = appendHead(dst, Event, nsp)
	if id >= 0 {
		dst = strconv.AppendInt(dst, id, 10)
	}
	payload := len(dst)
	dst = append(dst, '[')
	dst = AppendString(dst, name)
	if len(args) > 0 {
		dst = append(dst, ',')
	}
	return appendArgs(dst, start, payload, args)
}

// AppendAck appends an ACK, or a BINARY_ACK, for the event that came with id.
// The rest is as in AppendEvent.
func AppendAck(dst []byte, nsp string, id uint64, args []any) (
	text []byte, atts [][]byte, err error,
) {
	start := len(dst)
	dst = appendHead(dst, Ack, nsp)
	dst = strconv.AppendUint(dst, id, 10)
	payload := len(dst)
	dst = append(dst, '[')
	return appendArgs(dst, start, payload, args)
}

// AppendConnect appends the CONNECT that accepts a client: 0{"sid":"..."}.
func AppendConnect(dst []byte, nsp, sid string) []byte {
	dst = appendHead(dst, Connect, nsp)
	dst = append(dst, `{"sid":`...)
	dst = AppendString(dst, sid)
	return append(dst, '}')
}

// AppendConnectSession is AppendConnect with a "pid" member, the secret name of
// a session that the client may come back to.
func AppendConnectSession(dst []byte, nsp, sid, pid string) []byte {
	dst = AppendConnect(dst, nsp, sid)
	dst = append(dst[:len(dst)-1], `,"pid":`...)
	dst = AppendString(dst, pid)
	return append(dst, '}')
}

// AppendConnectError appends the CONNECT_ERROR that refuses a client:
// 4/nsp,{"message":"..."}, with a "data" member if hasData. A []byte in data
// becomes base64: this packet has no attachments. After an error, which is
// that of encoding data, the buffer is what dst was.
func AppendConnectError(dst []byte, nsp, message string, data any, hasData bool) ([]byte, error) {
	start := len(dst)
	dst = appendHead(dst, ConnectError, nsp)
	dst = append(dst, `{"message":`...)
	dst = AppendString(dst, message)
	if hasData {
		var err error
		dst = append(dst, `,"data":`...)
		if dst, err = AppendJSON(dst, data, nil); err != nil {
			return dst[:start], err
		}
	}
	return append(dst, '}'), nil
}

// AppendDisconnect appends the DISCONNECT that ends a namespace: 1 or 1/nsp,.
func AppendDisconnect(dst []byte, nsp string) []byte {
	return appendHead(dst, Disconnect, nsp)
}

// AppendJSON appends v as JSON.stringify would write it (see the package doc).
// Each []byte is appended to *atts and leaves a placeholder numbered from
// len(*atts); with atts nil it is written as a base64 string. After an error
// the buffer is what dst was and *atts is unchanged.
func AppendJSON(dst []byte, v any, atts *[][]byte) ([]byte, error) {
	start, had := len(dst), 0
	if atts != nil {
		had = len(*atts)
	}
	e := newEncoder(atts)
	dst, err := e.any(dst, v, 0)
	e.release()
	if err != nil {
		if atts != nil {
			*atts = (*atts)[:had]
		}
		return dst[:start], err
	}
	return dst, nil
}

func appendHead(dst []byte, t Type, nsp string) []byte {
	dst = append(dst, '0'+byte(t))
	if nsp != "" && nsp != "/" {
		dst = append(dst, nsp...)
		dst = append(dst, ',')
	}
	return dst
}

// appendArgs completes a packet: its type is at start, its array opened at
// payload. The attachment count stands in front but is known last, so a binary
// packet moves its text up by a few bytes; one without attachments is written
// in one pass.
func appendArgs(dst []byte, start, payload int, args []any) ([]byte, [][]byte, error) {
	e := newEncoder(nil)
	e.atts = &e.own
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.any(dst, arg, 1); err != nil {
			e.release()
			return dst[:start], nil, &ArgError{Index: i + 1, Err: err}
		}
	}
	dst = append(dst, ']')
	atts, references, opaque := e.own, e.references, e.opaque
	e.release()
	if len(atts) == 0 {
		return dst, nil, nil
	}
	if opaque {
		// Somebody else's text is in here: every placeholder must be ours.
		list, err := findPlaceholders(dst[payload:], nil)
		if err != nil || len(list) != references {
			return dst[:start], nil, ErrForgedPlaceholder
		}
	}
	dst[start] += byte(BinaryEvent - Event) // and BinaryAck - Ack
	var room [24]byte
	count := append(strconv.AppendInt(room[:0], int64(len(atts)), 10), '-')
	return slices.Insert(dst, start+1, count...), atts, nil
}
