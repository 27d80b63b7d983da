package sio

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"sync"
	"time"
)

// encodeFunc appends a value of the one type it was made for.
type encodeFunc func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error)

// encodeFuncs caches an encodeFunc per reflect.Type. A program has finitely
// many types, so it does not grow for ever.
var encodeFuncs sync.Map

var (
	rawType           = reflect.TypeFor[Raw]()
	rawMessageType    = reflect.TypeFor[json.RawMessage]()
	timeType          = reflect.TypeFor[time.Time]()
	numberType        = reflect.TypeFor[json.Number]()
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

func encoderOf(t reflect.Type) encodeFunc {
	if f, ok := encodeFuncs.Load(t); ok {
		return f.(encodeFunc)
	}
	b := builder{}
	f := b.of(t)
	// Published only now: while building, inner functions of a recursive
	// type refer to entries that are not there yet.
	for t, entry := range b {
		encodeFuncs.Store(t, entry.f)
	}
	return f
}

// builder holds the types that one encoderOf call has met.
type builder map[reflect.Type]*builtType

type builtType struct{ f encodeFunc }

func (b builder) of(t reflect.Type) encodeFunc {
	if f, ok := encodeFuncs.Load(t); ok {
		return f.(encodeFunc)
	}
	if known := b[t]; known != nil {
		if known.f != nil {
			return known.f
		}
		return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
			return known.f(e, dst, v, depth)
		}
	}
	entry := &builtType{}
	b[t] = entry
	entry.f = b.build(t, true)
	return entry.f
}

// build makes the function for t. A marshaler with a pointer receiver is used
// for values that have an address, as in encoding/json; byAddr is false in the
// second attempt, for those that have none.
func (b builder) build(t reflect.Type, byAddr bool) encodeFunc {
	switch t {
	case rawType:
		return encodeRaw
	case rawMessageType:
		return encodeRawMessage
	case timeType:
		return encodeTime
	case numberType:
		return encodeNumber
	}
	if t.Kind() == reflect.Interface {
		return b.byKind(t) // what counts is the type inside
	}
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		// Types of ours keep their own form behind a pointer.
		switch t.Elem() {
		case rawType, rawMessageType, timeType, numberType:
			return b.pointer(t)
		}
	}
	if byAddr && !pointer && reflect.PointerTo(t).Implements(marshalerType) &&
		!t.Implements(marshalerType) {
		return addressed(encodeAddrMarshaler, b.build(t, false))
	}
	if t.Implements(marshalerType) {
		return encodeMarshaler
	}
	if byAddr && !pointer && reflect.PointerTo(t).Implements(textMarshalerType) &&
		!t.Implements(textMarshalerType) {
		return addressed(encodeAddrText, b.build(t, false))
	}
	if t.Implements(textMarshalerType) {
		return encodeText
	}
	return b.byKind(t)
}

func (b builder) byKind(t reflect.Type) encodeFunc {
	switch t.Kind() {
	case reflect.Bool:
		return func(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
			return strconv.AppendBool(dst, v.Bool()), nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
			return strconv.AppendInt(dst, v.Int(), 10), nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		return func(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
			return strconv.AppendUint(dst, v.Uint(), 10), nil
		}
	case reflect.Float32, reflect.Float64:
		bits := t.Bits()
		return func(e *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
			return e.float(dst, v.Float(), bits), nil
		}
	case reflect.String:
		return func(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
			return AppendString(dst, v.String()), nil
		}
	case reflect.Interface:
		return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
			if v.IsNil() {
				return append(dst, "null"...), nil
			}
			return e.any(dst, v.Elem().Interface(), depth)
		}
	case reflect.Pointer:
		return b.pointer(t)
	case reflect.Struct:
		return b.structure(t)
	case reflect.Map:
		return b.mapping(t)
	case reflect.Slice:
		if isBytes(t) {
			return func(e *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
				return e.attach(dst, v.Bytes()), nil
			}
		}
		return b.list(t)
	case reflect.Array:
		return b.list(t)
	}
	return func(_ *encoder, dst []byte, _ reflect.Value, _ int) ([]byte, error) {
		return dst, &UnsupportedTypeError{Type: t}
	}
}

// isBytes reports whether a slice type is binary: its elements are bytes that
// have no JSON form of their own.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !marshals(t.Elem())
}

func (b builder) pointer(t reflect.Type) encodeFunc {
	elem := b.of(t.Elem())
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		if depth++; depth > MaxDepth {
			return dst, ErrTooDeep
		}
		return elem(e, dst, v.Elem(), depth)
	}
}

func (b builder) list(t reflect.Type) encodeFunc {
	elem := b.of(t.Elem())
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth++; depth > MaxDepth {
			return dst, ErrTooDeep
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = elem(e, dst, v.Index(i), depth); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
}

// addressed picks withAddr for values whose address can be taken.
func addressed(withAddr, without encodeFunc) encodeFunc {
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.CanAddr() {
			return withAddr(e, dst, v, depth)
		}
		return without(e, dst, v, depth)
	}
}

func encodeRaw(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	r := v.Interface().(Raw)
	return e.raw(dst, &r, depth)
}

func encodeRawMessage(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	return e.rawMessage(dst, v.Bytes(), depth)
}

func encodeTime(e *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
	return e.time(dst, v.Interface().(time.Time)), nil
}

// encodeNumber keeps a json.Number's own digits; the empty one is 0.
func encodeNumber(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
	s := v.String()
	if s == "" {
		s = "0"
	}
	if (s[0] != '-' && !isDigit(s[0])) || scanNumber([]byte(s), 0) != len(s) {
		return dst, ErrBadJSON
	}
	return append(dst, s...), nil
}

func encodeMarshaler(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if isNilReceiver(v) {
		return append(dst, "null"...), nil
	}
	b, err := v.Interface().(json.Marshaler).MarshalJSON()
	if err != nil {
		return dst, err
	}
	return e.marshaled(dst, b, depth)
}

func encodeAddrMarshaler(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	return encodeMarshaler(e, dst, v.Addr(), depth)
}

func encodeText(_ *encoder, dst []byte, v reflect.Value, _ int) ([]byte, error) {
	if isNilReceiver(v) {
		return append(dst, "null"...), nil
	}
	b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return dst, err
	}
	return AppendString(dst, string(b)), nil
}

func encodeAddrText(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
	return encodeText(e, dst, v.Addr(), depth)
}

func isNilReceiver(v reflect.Value) bool {
	return v.Kind() == reflect.Pointer && v.IsNil()
}
