package sio

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"
)

// encoder is what one call of AppendJSON, AppendEvent or AppendAck knows
// besides the buffer. It is pooled because reflection makes it escape.
type encoder struct {
	atts       *[][]byte // nil, without marks: write []byte as base64
	marks      *[]Mark   // not nil: AppendMarked
	own        [][]byte  // what atts points to in a packet
	references int       // placeholders written
	opaque     bool      // something written might contain other placeholders
	keys       []string  // stack of map keys being sorted
}

// encoders are alone in their cache lines: those of two processors would be
// in each other's way otherwise.
var encoders = sync.Pool{New: func() any {
	return &new(struct {
		encoder
		_ [128 - unsafe.Sizeof(encoder{})]byte
	}).encoder
}}

func newEncoder(atts *[][]byte) *encoder {
	e := encoders.Get().(*encoder)
	e.atts = atts
	return e
}

// maxKeys is how much key space an idle encoder may keep.
const maxKeys = 1024

func (e *encoder) release() {
	keys := e.keys
	if cap(keys) > maxKeys {
		keys = nil
	}
	*e = encoder{keys: keys[:0]}
	encoders.Put(e)
}

// any appends v. depth counts the containers and pointers around it. Common
// types are written here; the rest goes through reflection.
func (e *encoder) any(dst []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return dst, ErrTooDeep
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendString(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case float64:
		return e.float(dst, v, 64), nil
	case []byte:
		return e.attach(dst, v), nil
	case json.RawMessage:
		return e.rawMessage(dst, v, depth)
	case Raw:
		return e.raw(dst, &v, depth)
	case *Raw:
		return e.raw(dst, v, depth)
	case time.Time:
		return e.time(dst, v), nil
	case []any:
		return e.slice(dst, v, depth)
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, s)
		}
		return append(dst, ']'), nil
	case map[string]any:
		return e.anyMap(dst, v, depth)
	case map[string]string:
		return e.stringMap(dst, v), nil
	}
	rv := reflect.ValueOf(v)
	return encoderOf(rv.Type())(e, dst, rv, depth)
}

func (e *encoder) slice(dst []byte, v []any, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i, item := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.any(dst, item, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (e *encoder) anyMap(dst []byte, m map[string]any, depth int) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	e.opaque = true
	start := len(e.keys)
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys[start:])
	dst = append(dst, '{')
	var err error
	for i := start; i < start+len(m); i++ {
		key := e.keys[i]
		if i > start {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, key), ':')
		if dst, err = e.any(dst, m[key], depth+1); err != nil {
			break
		}
	}
	e.dropKeys(start)
	return append(dst, '}'), err
}

func (e *encoder) stringMap(dst []byte, m map[string]string) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	start := len(e.keys)
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys[start:])
	dst = append(dst, '{')
	for i, key := range e.keys[start:] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, key), ':')
		dst = AppendString(dst, m[key])
	}
	e.dropKeys(start)
	return append(dst, '}')
}

// dropKeys pops the key stack; a pooled encoder must not keep strings alive.
func (e *encoder) dropKeys(start int) {
	clear(e.keys[start:])
	e.keys = e.keys[:start]
}

// attach adds an attachment and writes its placeholder.
func (e *encoder) attach(dst, b []byte) []byte {
	if e.marks != nil {
		return e.attachMarked(dst, b)
	}
	if e.atts == nil {
		return appendBase64(dst, b)
	}
	*e.atts = append(*e.atts, b)
	return e.placeholder(dst, len(*e.atts)-1)
}

func (e *encoder) placeholder(dst []byte, n int) []byte {
	e.references++
	return AppendPlaceholder(dst, n)
}

// rawMessage appends m as it stands, once it is known to be JSON.
func (e *encoder) rawMessage(dst []byte, m json.RawMessage, depth int) ([]byte, error) {
	if m == nil {
		return append(dst, "null"...), nil
	}
	if err := validate(m, MaxDepth-depth); err != nil {
		return dst, err
	}
	e.opaque = true
	return append(dst, m...), nil
}

// marshaled appends what a marshaler returned, validated and compacted.
func (e *encoder) marshaled(dst, b []byte, depth int) ([]byte, error) {
	if err := validate(b, MaxDepth-depth); err != nil {
		return dst, err
	}
	e.opaque = true
	for i := 0; i < len(b); {
		switch {
		case isBlank(b[i]):
			i++
		case b[i] == '"':
			end := skipString(b, i)
			dst = append(dst, b[i:end]...)
			i = end
		default:
			dst = append(dst, b[i])
			i++
		}
	}
	return dst, nil
}
