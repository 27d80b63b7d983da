package sio

import (
	"math"
	"strconv"
	"time"
)

// MarkKind says what a Mark holds.
type MarkKind uint8

// The kinds of marks.
const (
	MarkBinary MarkKind = iota + 1 // Binary
	MarkDate                       // Millis
	MarkNumber                     // Number
)

// Mark is a value that JSON cannot hold as it is. It stands beside text that is
// on its way into another form.
type Mark struct {
	Start, End int // the part of the text that stands in for it
	Kind       MarkKind
	Binary     []byte  // aliases the caller's slice
	Millis     int64   // since 1970, within the range of a JavaScript Date
	Number     float64 // NaN or an infinity
}

// MaxRepeated is how many bytes of attachments one argument, or one packet,
// may name again: whoever has no placeholders must copy them each time, and a
// client could make gigabytes of a few bytes of JSON.
const MaxRepeated = 1 << 20

// AppendMarked appends args as AppendEvent writes them behind the name, "a,b",
// and appends to *marks, in the order of the text, each []byte, each time.Time
// and each float that is not finite. Placeholders of a Raw become marks;
// objects of that form anywhere else are plain data.
//
// The error is an *ArgError around the causes AppendEvent knows, or around
// ErrAttachmentReused for a Raw that names attachments again beyond
// MaxRepeated bytes. Then the buffer is what dst was and *marks is unchanged.
func AppendMarked(dst []byte, args []any, marks *[]Mark) ([]byte, error) {
	start, had := len(dst), len(*marks)
	e := newEncoder(nil)
	e.marks = marks
	defer e.release()
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.any(dst, arg, 1); err != nil {
			clear((*marks)[had:])
			*marks = (*marks)[:had]
			return dst[:start], &ArgError{Index: i + 1, Err: err}
		}
	}
	return dst, nil
}

// AppendPlaceholders appends a mark for each placeholder in data, the payload
// of a binary packet from Parse, whose attachments are atts. The error is
// ErrIllegalAttachments or, beyond MaxRepeated, ErrAttachmentReused.
func AppendPlaceholders(marks []Mark, data []byte, atts [][]byte) ([]Mark, error) {
	var room [8]placeholder
	list, err := findPlaceholders(data, room[:0])
	if err != nil {
		return marks, err
	}
	if err := checkRepeats(list, atts); err != nil {
		return marks, err
	}
	for _, p := range list {
		m := Mark{Start: p.start, End: p.end, Kind: MarkBinary, Binary: atts[p.num]}
		marks = append(marks, m)
	}
	return marks, nil
}

// checkRepeats checks that list can be replaced by copies of atts.
func checkRepeats(list []placeholder, atts [][]byte) error {
	left := MaxRepeated
	for _, b := range atts {
		left += len(b)
	}
	for _, p := range list {
		if p.num < 0 || p.num >= len(atts) {
			return ErrIllegalAttachments
		}
		if left -= len(atts[p.num]); left < 0 {
			return ErrAttachmentReused
		}
	}
	return nil
}

func (e *encoder) mark(m Mark) { *e.marks = append(*e.marks, m) }

// float appends f, and marks what JSON has no number for.
func (e *encoder) float(dst []byte, f float64, bitSize int) []byte {
	start := len(dst)
	dst = appendFloat(dst, f, bitSize)
	if e.marks != nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
		e.mark(Mark{Start: start, End: len(dst), Kind: MarkNumber, Number: f})
	}
	return dst
}

// time appends t, and marks it unless it is no JavaScript Date.
func (e *encoder) time(dst []byte, t time.Time) []byte {
	start := len(dst)
	dst = appendTime(dst, t)
	if e.marks != nil && isDate(t) {
		e.mark(Mark{Start: start, End: len(dst), Kind: MarkDate, Millis: t.UnixMilli()})
	}
	return dst
}

// attachMarked marks an attachment; null stands in for it.
func (e *encoder) attachMarked(dst, b []byte) []byte {
	e.mark(Mark{Start: len(dst), End: len(dst) + 4, Kind: MarkBinary, Binary: b})
	return append(dst, "null"...)
}

// AppendPlaceholder appends the object that stands for attachment n.
func AppendPlaceholder(dst []byte, n int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '}')
}

// AppendBase64 appends b as the string that packets without attachments have.
func AppendBase64(dst, b []byte) []byte { return appendBase64(dst, b) }

// AppendNumber appends f as JavaScript writes numbers: null for NaN and the
// infinities, 0 for -0.
func AppendNumber(dst []byte, f float64) []byte { return appendFloat(dst, f, 64) }

// AppendDate appends the Date of millis since 1970 as JSON.stringify writes
// it: "2026-11-20T20:43:16.000Z", or null outside the range of a Date.
func AppendDate(dst []byte, millis int64) []byte {
	return appendTime(dst, time.UnixMilli(millis))
}

// AppendUnquoted appends the text that the inside of a string literal stands
// for, which Parse or Validate has accepted. Lone surrogates get their WTF-8
// form (see the package doc).
func AppendUnquoted(dst, literal []byte) []byte { return appendUnquoted(dst, literal) }
