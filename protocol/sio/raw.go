package sio

import (
	"encoding/base64"
	"slices"
	"unsafe"
)

// Raw is a received argument on its way to other clients: its JSON as the
// client wrote it, with placeholders that number the entries of Attachments.
// Encoding it renumbers them for the new packet; attachments that the JSON
// does not refer to are left out, and one that several Raw values of a packet
// share is sent once.
//
// Whoever changes the bytes of JSON in place answers for what becomes of them:
// those of a received event are not looked at again.
type Raw struct {
	JSON        []byte
	Attachments [][]byte

	// checked is where JSON begins if it is as Receive got it: an argument
	// that only goes on is not worth a second look.
	checked *byte
}

// Receive sets r to an argument of a packet that Parse has validated, without
// blanks around it, so that encoding need not do it again.
func Receive(r *Raw, text []byte, attachments [][]byte) {
	r.JSON = text[:len(text):len(text)]
	r.Attachments = attachments
	r.checked = unsafe.SliceData(text)
}

// asReceived tells that JSON is what Receive got, all of it.
func (r *Raw) asReceived() bool {
	return r.checked != nil && r.checked == unsafe.SliceData(r.JSON) && len(r.JSON) == cap(r.JSON)
}

// MarshalJSON serves encoding/json, for logs and stores: attachments become
// base64 strings. This package's encoder does not use it.
func (r Raw) MarshalJSON() ([]byte, error) {
	if len(r.JSON) == 0 {
		return []byte("null"), nil
	}
	return substitute(r.JSON, r.Attachments)
}

// UnmarshalJSON keeps a copy of b.
func (r *Raw) UnmarshalJSON(b []byte) error {
	*r = Raw{JSON: slices.Clone(b)}
	return nil
}

// raw appends r with its placeholders renumbered.
func (e *encoder) raw(dst []byte, r *Raw, depth int) ([]byte, error) {
	if r == nil || len(r.JSON) == 0 {
		return append(dst, "null"...), nil
	}
	// At another depth than where it came from it may be too deep.
	if depth > 1 || !r.asReceived() {
		if err := validate(r.JSON, MaxDepth-depth); err != nil {
			return dst, err
		}
	}
	e.opaque = true
	if len(r.Attachments) == 0 {
		return append(dst, r.JSON...), nil
	}
	if e.atts == nil && e.marks == nil {
		text, err := substitute(r.JSON, r.Attachments)
		return append(dst, text...), err
	}
	var room [8]placeholder
	list, err := findPlaceholders(r.JSON, room[:0])
	if err != nil {
		return dst, err
	}
	if e.marks != nil {
		if err := checkRepeats(list, r.Attachments); err != nil {
			return dst, err
		}
	}
	last := 0
	for _, p := range list {
		if p.num < 0 || p.num >= len(r.Attachments) {
			return dst, ErrIllegalAttachments
		}
		dst = append(dst, r.JSON[last:p.start]...)
		dst = e.attachShared(dst, r.Attachments[p.num])
		last = p.end
	}
	return append(dst, r.JSON[last:]...), nil
}

// maxShared bounds the search for an attachment that is already in the packet.
const maxShared = 64

// attachShared is attach for a slice that another argument may have brought.
// Without it a client could blow up a relayed packet beyond the attachment
// limit by naming one attachment in many arguments.
func (e *encoder) attachShared(dst, b []byte) []byte {
	if e.marks != nil {
		return e.attachMarked(dst, b)
	}
	for n, have := range (*e.atts)[:min(len(*e.atts), maxShared)] {
		if len(have) == len(b) && unsafe.SliceData(have) == unsafe.SliceData(b) {
			return e.placeholder(dst, n)
		}
	}
	return e.attach(dst, b)
}

// substitute returns the validated JSON raw with each placeholder replaced by
// its attachment in base64, for code that knows nothing of attachments. It
// returns raw itself if there is none. An attachment may be used once: a
// client could otherwise make megabytes of a few bytes of JSON.
func substitute(raw []byte, atts [][]byte) ([]byte, error) {
	if len(atts) == 0 {
		return raw, nil
	}
	var room [8]placeholder
	list, err := findPlaceholders(raw, room[:0])
	if err != nil || len(list) == 0 {
		return raw, err
	}
	used := make([]bool, len(atts))
	size := len(raw)
	for _, p := range list {
		switch {
		case p.num < 0 || p.num >= len(atts):
			return nil, ErrIllegalAttachments
		case used[p.num]:
			return nil, ErrAttachmentReused
		}
		used[p.num] = true
		size += base64.StdEncoding.EncodedLen(len(atts[p.num]))
	}
	out := make([]byte, 0, size)
	last := 0
	for _, p := range list {
		out = append(out, raw[last:p.start]...)
		out = appendBase64(out, atts[p.num])
		last = p.end
	}
	return append(out, raw[last:]...), nil
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
