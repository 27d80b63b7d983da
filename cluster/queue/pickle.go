package queue

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"

	"github.com/throng-server/throng/protocol/sio"
)

// The opcodes of Python's pickle, protocols 2 to 5 (pickletools.py), that make
// nothing but data. All others are refused by what they could do: import
// modules, call functions, build objects.
const (
	opMark           = '('
	opStop           = '.'
	opNone           = 'N'
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opBinInt2        = 'M'
	opBinFloat       = 'G'
	opBinUnicode     = 'X'
	opBinBytes       = 'B'
	opShortBinBytes  = 'C'
	opEmptyDict      = '}'
	opEmptyList      = ']'
	opEmptyTuple     = ')'
	opDict           = 'd'
	opList           = 'l'
	opTuple          = 't'
	opAppend         = 'a'
	opAppends        = 'e'
	opSetItem        = 's'
	opSetItems       = 'u'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opBinGet         = 'h'
	opLongBinGet     = 'j'
	opProto          = 0x80
	opTuple1         = 0x85
	opTuple3         = 0x87
	opNewTrue        = 0x88
	opNewFalse       = 0x89
	opLong1          = 0x8a
	opLong4          = 0x8b
	opShortBinUni    = 0x8c
	opBinUnicode8    = 0x8d
	opBinBytes8      = 0x8e
	opMemoize        = 0x94
	opFrame          = 0x95
	opByteArray8     = 0x96
	lowestProtocol   = 2
	highestProtocol  = 5
	maxIntegerLength = 512 // bytes of a Python int
)

// Values of a pickle, besides nil, bool, int64, *big.Int, float64, string and
// []byte, which aliases the body.
type (
	pyList  struct{ items []any }
	pyTuple struct{ items []any }
	pyDict  struct{ keys, values []any }
)

// unpickler is a machine with a stack of values, marks in it, and a memo.
type unpickler struct {
	b      []byte
	stack  []any
	marks  []int
	memo   map[uint32]any
	next   uint32 // of opMemoize
	values int    // that may still be made
}

// unpickle reads the one value of a pickle. Whatever b says, it runs nothing
// and makes at most maxValues values, whose text and bytes alias b or have its
// size; shared and cyclic references stay what they are.
func unpickle(b []byte) (any, error) {
	if len(b) > MaxMessage {
		return nil, refuse("pickle: %d bytes, more than %d", len(b), MaxMessage)
	}
	if len(b) < 2 || b[0] != opProto {
		return nil, refuse("pickle: no protocol number")
	}
	if b[1] < lowestProtocol || b[1] > highestProtocol {
		return nil, refuse("pickle: protocol %d is not between %d and %d",
			b[1], lowestProtocol, highestProtocol)
	}
	u := unpickler{b: b[2:], memo: make(map[uint32]any), values: maxValues}
	for {
		op, ok := u.byte()
		if !ok {
			return nil, errCut
		}
		if op == opStop {
			if len(u.stack) != 1 || len(u.marks) != 0 {
				return nil, refuse("pickle: %d values at its end", len(u.stack))
			}
			if len(u.b) != 0 {
				return nil, refuse("pickle: %d bytes behind its end", len(u.b))
			}
			return u.stack[0], nil
		}
		if u.values--; u.values < 0 {
			return nil, refuse("pickle: more than %d values", maxValues)
		}
		if err := u.step(op); err != nil {
			return nil, err
		}
	}
}

var (
	errCut   = refuse("pickle: it ends too early, or a length is wrong")
	errStack = refuse("pickle: an operand is missing or of the wrong kind")
)

func (u *unpickler) byte() (byte, bool) {
	if len(u.b) == 0 {
		return 0, false
	}
	c := u.b[0]
	u.b = u.b[1:]
	return c, true
}

// number reads a little-endian number of n bytes.
func (u *unpickler) number(n int) (uint64, error) {
	if len(u.b) < n {
		return 0, errCut
	}
	var room [8]byte
	copy(room[:], u.b[:n])
	u.b = u.b[n:]
	return binary.LittleEndian.Uint64(room[:]), nil
}

// bytes reads a length of n bytes and what has that length.
func (u *unpickler) bytes(n int) ([]byte, error) {
	length, err := u.number(n)
	if err != nil || length > uint64(len(u.b)) {
		return nil, errCut
	}
	s := u.b[:length:length]
	u.b = u.b[length:]
	return s, nil
}

func (u *unpickler) push(v any) error {
	u.stack = append(u.stack, v)
	return nil
}

// base is the bottom of what opcodes may take: what the last mark separates.
func (u *unpickler) base() int {
	if n := len(u.marks); n > 0 {
		return u.marks[n-1]
	}
	return 0
}

// pop takes n values off the stack; they are valid until the next push.
func (u *unpickler) pop(n int) ([]any, error) {
	at := len(u.stack) - n
	if at < u.base() {
		return nil, errStack
	}
	taken := u.stack[at:]
	u.stack = u.stack[:at]
	return taken, nil
}

// popMark takes what is above the last mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	n := len(u.marks)
	if n == 0 {
		return nil, errStack
	}
	at := u.marks[n-1]
	u.marks = u.marks[:n-1]
	taken := u.stack[at:]
	u.stack = u.stack[:at]
	return taken, nil
}

// top is the value that stays on the stack while others are put into it.
func (u *unpickler) top() any {
	if len(u.stack) == u.base() {
		return nil
	}
	return u.stack[len(u.stack)-1]
}

func (u *unpickler) step(op byte) error {
	switch op {
	case opMark:
		u.marks = append(u.marks, len(u.stack))
		return nil
	case opNone:
		return u.push(nil)
	case opNewTrue:
		return u.push(true)
	case opNewFalse:
		return u.push(false)
	case opBinInt, opBinInt1, opBinInt2, opBinFloat, opLong1, opLong4:
		return u.pushNumber(op)
	case opBinUnicode, opShortBinUni, opBinUnicode8,
		opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return u.pushText(op)
	case opEmptyDict, opEmptyList, opEmptyTuple, opDict, opList, opTuple,
		opTuple1, opTuple1 + 1, opTuple3:
		return u.container(op)
	case opAppend, opAppends, opSetItem, opSetItems:
		return u.fill(op)
	case opBinPut, opLongBinPut, opMemoize, opBinGet, opLongBinGet:
		return u.remember(op)
	case opFrame: // the frames' sizes are hints for readers of files
		_, err := u.number(8)
		return err
	}
	return refuse("pickle: opcode %q is not data", op)
}

func (u *unpickler) pushNumber(op byte) error {
	switch op {
	case opBinFloat:
		n, err := u.number(8)
		if err != nil {
			return err
		}
		var room [8]byte
		binary.LittleEndian.PutUint64(room[:], n)
		return u.push(math.Float64frombits(binary.BigEndian.Uint64(room[:])))
	case opLong1, opLong4:
		size := 1
		if op == opLong4 {
			size = 4
		}
		digits, err := u.bytes(size)
		if err != nil {
			return err
		}
		if len(digits) > maxIntegerLength {
			return refuse("pickle: an integer of %d bytes", len(digits))
		}
		return u.push(integer(digits))
	}
	size := map[byte]int{opBinInt: 4, opBinInt1: 1, opBinInt2: 2}[op]
	n, err := u.number(size)
	if err != nil {
		return err
	}
	if op == opBinInt {
		return u.push(int64(int32(uint32(n))))
	}
	return u.push(int64(n))
}

// integer reads a little-endian two's complement of any length.
func integer(b []byte) *big.Int {
	reversed := make([]byte, len(b))
	for i, c := range b {
		reversed[len(b)-1-i] = c
	}
	n := new(big.Int).SetBytes(reversed)
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func (u *unpickler) pushText(op byte) error {
	size := 4
	switch op {
	case opShortBinUni, opShortBinBytes:
		size = 1
	case opBinUnicode8, opBinBytes8, opByteArray8:
		size = 8
	}
	b, err := u.bytes(size)
	if err != nil {
		return err
	}
	switch op {
	case opBinUnicode, opShortBinUni, opBinUnicode8:
		return u.push(string(b))
	}
	return u.push(b)
}

func (u *unpickler) container(op byte) error {
	var items []any
	var err error
	switch op {
	case opDict, opList, opTuple:
		items, err = u.popMark()
	case opTuple1, opTuple1 + 1, opTuple3:
		items, err = u.pop(int(op-opTuple1) + 1)
	}
	if err != nil {
		return err
	}
	items = append([]any(nil), items...)
	switch op {
	case opEmptyDict, opDict:
		d := &pyDict{}
		if err := d.set(items); err != nil {
			return err
		}
		return u.push(d)
	case opEmptyList, opList:
		return u.push(&pyList{items: items})
	}
	return u.push(&pyTuple{items: items})
}

func (d *pyDict) set(items []any) error {
	if len(items)%2 != 0 {
		return errStack
	}
	for i := 0; i < len(items); i += 2 {
		d.keys = append(d.keys, items[i])
		d.values = append(d.values, items[i+1])
	}
	return nil
}

// fill puts values into the container below them.
func (u *unpickler) fill(op byte) error {
	var items []any
	var err error
	switch op {
	case opAppends, opSetItems:
		items, err = u.popMark()
	case opAppend:
		items, err = u.pop(1)
	case opSetItem:
		items, err = u.pop(2)
	}
	if err != nil {
		return err
	}
	switch c := u.top().(type) {
	case *pyList:
		if op == opAppend || op == opAppends {
			c.items = append(c.items, items...)
			return nil
		}
	case *pyDict:
		if op == opSetItem || op == opSetItems {
			return c.set(items)
		}
	}
	return errStack
}

func (u *unpickler) remember(op byte) error {
	n := uint64(u.next)
	var err error
	switch op {
	case opBinPut, opBinGet:
		n, err = u.number(1)
	case opLongBinPut, opLongBinGet:
		n, err = u.number(4)
	}
	if err != nil {
		return err
	}
	switch op {
	case opBinGet, opLongBinGet:
		v, ok := u.memo[uint32(n)]
		if !ok {
			return refuse("pickle: nothing is remembered as %d", n)
		}
		return u.push(v)
	}
	if len(u.stack) == u.base() {
		return errStack
	}
	u.memo[uint32(n)] = u.stack[len(u.stack)-1]
	u.next++
	return nil
}

// unpickleMessage reads a message of python-socketio up to 5.13.
func unpickleMessage(body []byte) (message, error) {
	v, err := unpickle(body)
	if err != nil {
		return message{}, err
	}
	d, ok := v.(*pyDict)
	if !ok {
		return message{}, refuse("pickle: no dict")
	}
	m := message{object: make(object)}
	w := pyWriter{values: maxValues, bytes: MaxMessage}
	for i, k := range d.keys {
		name, ok := k.(string)
		if !ok {
			return message{}, refuse("pickle: a key of the message is no string")
		}
		if name == "data" {
			m.args, err = w.args(d.values[i])
		} else {
			var r sio.Raw
			r, err = w.raw(d.values[i])
			m.object[name] = json.RawMessage(r.JSON)
			if err == nil && len(r.Attachments) > 0 {
				err = refuse("pickle: bytes in %.40q", name)
			}
		}
		if err != nil {
			return message{}, err
		}
	}
	return m, nil
}

// args are the arguments that data stands for: a tuple has several, None none.
func (w *pyWriter) args(data any) ([]any, error) {
	var items []any
	switch v := data.(type) {
	case nil:
	case *pyTuple:
		items = v.items
	default:
		items = []any{v}
	}
	args := make([]any, len(items))
	for i, v := range items {
		r, err := w.raw(v)
		if err != nil {
			return nil, err
		}
		args[i] = r
	}
	return args, nil
}
