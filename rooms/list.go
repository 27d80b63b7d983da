package rooms

// Chunks are the unit in which slabs grow: small enough that an almost empty
// shard stays small, large enough that their bookkeeping does not show.
const (
	chunkBits = 10
	chunkLen  = 1 << chunkBits
	chunkMask = chunkLen - 1
)

// Blocks have 2, 4, ... 1,024 words; their class is 0 ... topClass.
const topClass = chunkBits - 1

// word is what a list holds.
type word interface{ ~uint32 | ~uint64 }

// list is a stack of words in a slab that never move. It consists of segments:
// one block of 2 words, then two blocks of each further class, then whole
// chunks. Such a list has about 20 % of slack, grows without copying, and
// leaves no outgrown blocks behind. The zero list is empty.
type list struct {
	tail uint32 // address of the first word of the newest segment
	n    uint32
}

func (l list) len() uint32 { return l.n }

// Segment k > 0 loses one word to the address of segment k-1.
func segClass(k uint32) uint32 { return min((k+1)/2, topClass) }

func segLen(k uint32) uint32 {
	if k == 0 {
		return 2
	}
	return 2<<segClass(k) - 1
}

const firstWhole = 2*topClass - 1 // first segment of a whole chunk

// before[k] is the number of words in segments below k.
var before = func() (c [firstWhole + 1]uint32) {
	for k := range uint32(firstWhole) {
		c[k+1] = c[k] + segLen(k)
	}
	return c
}()

// locate returns the newest segment of a list of n > 0 words, and how many
// words are in it.
func locate(n uint32) (k, used uint32) {
	if over := n - before[firstWhole]; n > before[firstWhole] {
		k = (over - 1) / (chunkLen - 1)
		return firstWhole + k, over - k*(chunkLen-1)
	}
	for before[k+1] < n {
		k++
	}
	return k, n - before[k]
}

// slab owns the words of many lists. An address is chunk number << chunkBits |
// index; a block never crosses a chunk.
type slab[T word] struct {
	chunks []*[chunkLen]T
	// free heads the free blocks of each class, as address + 1; the first word
	// of each holds the next.
	free [topClass + 1]uint32
}

// word returns the word at an address.
func (s *slab[T]) word(at uint32) *T {
	return &s.chunks[at>>chunkBits][at&chunkMask]
}

// last returns the address of the newest word of a list that has one.
func (s *slab[T]) last(l list) uint32 {
	_, used := locate(l.n)
	return l.tail + used - 1
}

// push appends v to l and returns its address, which is its own until popped.
func (s *slab[T]) push(l *list, v T) (at uint32) {
	l.n++
	k, used := locate(l.n)
	if used == 1 {
		at = s.alloc(segClass(k))
		if k > 0 {
			*s.word(at) = T(l.tail)
			at++
		}
		l.tail = at
	} else {
		at = l.tail + used - 1
	}
	*s.word(at) = v
	return at
}

// pop removes the newest word of a list that has one.
func (s *slab[T]) pop(l *list) {
	k, used := locate(l.n)
	l.n--
	if used > 1 {
		return
	}
	at := l.tail
	l.tail = 0
	if k > 0 {
		at--
		l.tail = uint32(*s.word(at))
	}
	s.release(at, segClass(k))
}

// cursor is a segment of a list: words at ... at+n-1 are in it.
type cursor struct{ at, n, k uint32 }

// newest returns the newest segment; n is 0 when l is empty. A walk is
//
//	for c := s.newest(l); c.n > 0; c = s.older(c) { run := s.run(c) ... }
func (s *slab[T]) newest(l list) cursor {
	if l.n == 0 {
		return cursor{}
	}
	k, used := locate(l.n)
	return cursor{l.tail, used, k}
}

func (s *slab[T]) older(c cursor) cursor {
	if c.k == 0 {
		return cursor{}
	}
	return cursor{uint32(*s.word(c.at - 1)), segLen(c.k - 1), c.k - 1}
}

// run returns the words of a segment.
func (s *slab[T]) run(c cursor) []T {
	at := c.at & chunkMask
	return s.chunks[c.at>>chunkBits][at : at+c.n]
}

// alloc returns a block, if need be a half of a larger one.
func (s *slab[T]) alloc(class uint32) uint32 {
	from := class
	for from <= topClass && s.free[from] == 0 {
		from++
	}
	var at uint32
	if from > topClass {
		from = topClass
		at = uint32(len(s.chunks)) << chunkBits
		s.chunks = append(s.chunks, new([chunkLen]T))
	} else {
		at = s.free[from] - 1
		s.free[from] = uint32(*s.word(at))
	}
	for from > class {
		from--
		s.release(at+2<<from, from)
	}
	return at
}

func (s *slab[T]) release(at, class uint32) {
	*s.word(at) = T(s.free[class])
	s.free[class] = at + 1
}
