package msgpack

import "github.com/throng-server/throng/protocol/sio"

// ValueToText turns one value of any kind, which need not be a packet, into
// the JSON that JSON.stringify writes for what JavaScript sees (see the package
// doc), appended to dst. A binary value is a placeholder that numbers the
// attachments, which alias b. It is for messages between servers, which hold
// packets among other things.
//
// Errors: ErrMalformed, also for bytes behind the value; ErrIllegalKey;
// ErrTooManyElements; sio.ErrTooDeep; sio.ErrTooManyAttachments;
// sio.ErrForgedPlaceholder. The buffer is then what dst was.
func ValueToText(dst, b []byte, l Limits) (text []byte, atts [][]byte, err error) {
	l = l.withDefaults()
	s := scanner{b: b, elements: l.Elements}
	end, err := s.value(0)
	switch {
	case err != nil:
		return dst, nil, err
	case end != len(b):
		return dst, nil, ErrMalformed
	case s.attachments > l.Attachments:
		return dst, nil, sio.ErrTooManyAttachments
	}
	w := textWriter{}
	if s.attachments > 0 {
		w.atts = make([][]byte, 0, s.attachments)
	}
	if text, err = w.value(dst, b); err != nil {
		return dst, nil, err
	}
	return text, w.atts, nil
}
