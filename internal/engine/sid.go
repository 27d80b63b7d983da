package engine

import "crypto/rand"

const (
	// IDLen is the length of a session or socket id.
	IDLen = 20
	// RandLen is the number of unguessable bytes in an id.
	RandLen = 9

	idBytes = 15
	// MaxSlot is the largest slot an id can name.
	MaxSlot = 1<<24 - 1
)

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

var idValues = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(idAlphabet) {
		t[idAlphabet[i]] = byte(i)
	}
	return t
}()

// ID is what an id says: the node, the loop and the slot where its owner
// lives, and 72 random bits that prove that the bearer was told.
type ID struct {
	Node uint16
	Loop uint8
	Slot uint32 // at most MaxSlot
	Rand [RandLen]byte
}

// Append appends the 20 characters of the id, URL-safe base64. Any goroutine.
func (id *ID) Append(dst []byte) []byte {
	b := [idBytes]byte{
		byte(id.Node >> 8), byte(id.Node), id.Loop,
		byte(id.Slot >> 16), byte(id.Slot >> 8), byte(id.Slot),
	}
	copy(b[6:], id.Rand[:])
	for i := 0; i < idBytes; i += 3 {
		v := uint(b[i])<<16 | uint(b[i+1])<<8 | uint(b[i+2])
		dst = append(dst, idAlphabet[v>>18], idAlphabet[v>>12&63], idAlphabet[v>>6&63],
			idAlphabet[v&63])
	}
	return dst
}

// String returns the 20 characters of the id.
func (id *ID) String() string {
	var b [IDLen]byte
	return string(id.Append(b[:0]))
}

// ParseID decodes the 20 characters of an id. Any goroutine.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != IDLen {
		return id, false
	}
	var b [idBytes]byte
	for i, j := 0, 0; i < IDLen; i, j = i+4, j+3 {
		v0, v1 := idValues[s[i]], idValues[s[i+1]]
		v2, v3 := idValues[s[i+2]], idValues[s[i+3]]
		if (v0|v1|v2|v3)&0x80 != 0 {
			return ID{}, false
		}
		v := uint(v0)<<18 | uint(v1)<<12 | uint(v2)<<6 | uint(v3)
		b[j], b[j+1], b[j+2] = byte(v>>16), byte(v>>8), byte(v)
	}
	id.Node = uint16(b[0])<<8 | uint16(b[1])
	id.Loop = b[2]
	id.Slot = uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
	copy(id.Rand[:], b[6:])
	return id, true
}

// Entropy hands out random bytes for ids from a buffer filled by crypto/rand,
// because a system call for each id is felt when thousands connect. It
// belongs to one goroutine.
type Entropy struct {
	buf  [112 * RandLen]byte
	left int
}

// Take fills dst with random bytes that are not handed out again.
func (e *Entropy) Take(dst *[RandLen]byte) {
	if e.left == 0 {
		_, _ = rand.Read(e.buf[:]) // never fails; see crypto/rand
		e.left = len(e.buf)
	}
	b := e.buf[e.left-RandLen : e.left]
	copy(dst[:], b)
	clear(b)
	e.left -= RandLen
}
