package sio

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

type mapEntry struct {
	key   string
	value reflect.Value
}

// mapping encodes a map with its keys sorted as strings. Keys are strings,
// integers or encoding.TextMarshalers, as in encoding/json.
func (b builder) mapping(t reflect.Type) encodeFunc {
	switch t.Key().Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
	default:
		if !t.Key().Implements(textMarshalerType) {
			return func(_ *encoder, dst []byte, _ reflect.Value, _ int) ([]byte, error) {
				return dst, &UnsupportedTypeError{Type: t}
			}
		}
	}
	elem := b.of(t.Elem())
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		if depth++; depth > MaxDepth {
			return dst, ErrTooDeep
		}
		e.opaque = true
		entries := make([]mapEntry, 0, v.Len())
		for it := v.MapRange(); it.Next(); {
			key, err := keyText(it.Key())
			if err != nil {
				return dst, err
			}
			entries = append(entries, mapEntry{key, it.Value()})
		}
		slices.SortFunc(entries, func(a, b mapEntry) int { return strings.Compare(a.key, b.key) })
		dst = append(dst, '{')
		for i, entry := range entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, entry.key), ':')
			var err error
			if dst, err = elem(e, dst, entry.value, depth); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
}

// keyText returns a map key's name. A string is itself even if it is also a
// TextMarshaler.
func keyText(k reflect.Value) (string, error) {
	if k.Kind() == reflect.String {
		return k.String(), nil
	}
	if m, ok := k.Interface().(encoding.TextMarshaler); ok {
		if isNilReceiver(k) {
			return "", nil
		}
		b, err := m.MarshalText()
		return string(b), err
	}
	if k.CanInt() {
		return strconv.FormatInt(k.Int(), 10), nil
	}
	return strconv.FormatUint(k.Uint(), 10), nil
}
