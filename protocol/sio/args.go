package sio

// ArgIter walks over the top-level elements of a packet's raw arguments
// without allocating. The zero value is empty.
type ArgIter struct{ rest []byte }

// IterArgs starts at the first of args, which Parse has validated.
func IterArgs(args []byte) ArgIter { return ArgIter{rest: args} }

// Next returns the raw JSON of the next argument, without surrounding blanks,
// or false behind the last. The slice aliases the arguments.
func (it *ArgIter) Next() (arg []byte, ok bool) {
	b := it.rest
	start := skipBlanks(b, 0)
	if start == len(b) {
		it.rest = nil
		return nil, false
	}
	end := skipValue(b, start)
	next := skipBlanks(b, end)
	if next < len(b) {
		next++ // the comma
	}
	it.rest = b[next:]
	return b[start:end:end], true
}

// SplitArgs appends the top-level elements of args, which Parse has validated,
// to dst. The elements alias args.
func SplitArgs(dst [][]byte, args []byte) [][]byte {
	it := IterArgs(args)
	for arg, ok := it.Next(); ok; arg, ok = it.Next() {
		dst = append(dst, arg)
	}
	return dst
}
