// Package fields owns the fields that messages between servers consist of:
// numbers as unsigned varints (encoding/binary), texts and bytes behind their
// length, and lists behind their count.
package fields

import "encoding/binary"

// Append appends one text, or bytes, behind its length.
func Append[T string | []byte](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// AppendList appends the count of list and its elements.
func AppendList[T string | []byte](dst []byte, list []T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, v := range list {
		dst = Append(dst, v)
	}
	return dst
}

// Reader reads fields from the start of Rest. One that ends too early, or whose
// length is wrong, makes it Bad: Rest is empty then, and what is read is zero.
type Reader struct {
	Rest []byte
	Bad  bool
}

// Fail makes the reader Bad.
func (r *Reader) Fail() { r.Rest, r.Bad = nil, true }

// Number reads a number.
func (r *Reader) Number() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Bytes reads one field; it shares the bytes of Rest.
func (r *Reader) Bytes() []byte {
	n := r.Number()
	if n > uint64(len(r.Rest)) {
		r.Fail()
		return nil
	}
	b := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return b
}

// List reads a list of at most that many elements, nil if it has none. Strings
// are copies, slices share the bytes of Rest.
func List[T string | []byte](r *Reader, most int) []T {
	n := r.Number()
	// Each element takes a byte at least: a count that lies allocates nothing.
	if n > uint64(most) || n > uint64(len(r.Rest)) {
		r.Fail()
	}
	if n == 0 || r.Bad {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = T(r.Bytes())
	}
	return list
}
