package msgpack

import "github.com/throng-server/throng/protocol/sio"

// Limits bound what one message may hold. Its size is the transport's
// business; what the text form can grow to is six times that, and Attachments
// times 64 bytes.
type Limits struct {
	// Elements is how many values there may be, containers, keys and what
	// stands in ignored members included. 0: DefaultMaxElements.
	Elements int
	// Attachments is how many binary values the data may hold. Official
	// servers have no limit for this parser, but receivers of the text form
	// have one (sio.DefaultMaxAttachments). 0: DefaultMaxAttachments.
	Attachments int
}

// The limits that zero stands for.
const (
	DefaultMaxElements    = 1 << 20
	DefaultMaxAttachments = 1000
)

func (l Limits) withDefaults() Limits {
	if l.Elements == 0 {
		l.Elements = DefaultMaxElements
	}
	if l.Attachments == 0 {
		l.Attachments = DefaultMaxAttachments
	}
	return l
}

// open is a container that is not complete.
type open struct {
	left   int // elements; of a map, keys and values
	object bool
}

// scanner validates a message. It is a loop with a stack of its own, not a
// recursion: a client chooses the nesting.
type scanner struct {
	b           []byte
	elements    int // that may still come
	attachments int // binary values seen in the last value
}

// value validates the value at b[i] and returns the index behind it.
func (s *scanner) value(i int) (int, error) {
	var room [32]open
	stack := room[:0]
	s.attachments = 0
	for {
		if s.elements--; s.elements < 0 {
			return 0, ErrTooManyElements
		}
		t, end := read(s.b, i)
		if t.kind == kindBad {
			return 0, ErrMalformed
		}
		i = end
		if n := len(stack); n > 0 {
			top := &stack[n-1]
			if top.object && top.left%2 == 0 && !isKey(t) {
				return 0, ErrIllegalKey
			}
			top.left--
		}
		// Binary values and pairs nest in the text form.
		nests := 0
		switch t.kind {
		case kindArray:
			stack = append(stack, open{left: t.length()})
		case kindMap:
			stack = append(stack, open{left: 2 * t.length(), object: true})
		case kindBinary:
			nests = len(stack) + 1
			s.attachments++
		case kindPair:
			nests = len(stack) + 2
			s.attachments++
		}
		if nests > sio.MaxDepth || len(stack) > sio.MaxDepth {
			return 0, sio.ErrTooDeep
		}
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			stack = stack[:len(stack)-1]
		}
		if len(stack) == 0 {
			return i, nil
		}
	}
}

// isKey reports whether a map may have this key: a string, or an integer,
// which JavaScript turns into its digits.
func isKey(t token) bool {
	return t.kind == kindString || t.kind == kindInt || t.kind == kindUint
}
