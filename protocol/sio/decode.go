package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode stores one raw argument, which Parse has validated, in what dst
// points to, as json.Unmarshal does, with the packet's attachments (nil if it
// had none):
//
//   - *[]byte, also a named type: a placeholder gives its attachment, which is
//     not copied; anything else is what encoding/json makes of it (base64).
//   - *any, *[]any, *map[string]any: replaced by nil, bool, float64, string,
//     []any, map[string]any and, for placeholders, the attachments themselves.
//   - *Raw: raw and atts themselves, not copies. *json.RawMessage: a copy of
//     raw; its placeholders mean nothing by themselves.
//   - Others: json.Unmarshal on raw with attachments as base64 strings, which
//     is what []byte fields expect. Each may be referred to once. A struct's
//     own fields of type Raw have the attachments themselves.
//
// A lone surrogate keeps its WTF-8 form in string and any targets, so that it
// survives an echo; encoding/json, for all others, makes it U+FFFD. Errors
// wrap those of encoding/json, or are constants of this package.
func Decode(raw []byte, atts [][]byte, dst any) error {
	raw = trimBlanks(raw)
	if len(raw) == 0 {
		return ErrBadJSON
	}
	switch dst := dst.(type) {
	case *string:
		if raw[0] == '"' {
			s, _, err := decodeString(raw, 0)
			if err == nil {
				*dst = s
			}
			return err
		}
	case *int:
		if n, err := strconv.Atoi(string(raw)); err == nil {
			*dst = n
			return nil
		}
	case *int64:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			*dst = n
			return nil
		}
	case *any:
		return decodeInto(dst, raw, atts)
	case *[]any:
		return decodeInto(dst, raw, atts)
	case *map[string]any:
		return decodeInto(dst, raw, atts)
	case *json.RawMessage:
		*dst = slices.Clone(raw)
		return nil
	case *Raw:
		*dst = Raw{JSON: raw, Attachments: atts}
		return nil
	default:
		if rv := reflect.ValueOf(dst); len(atts) > 0 && rv.Kind() == reflect.Pointer &&
			!rv.IsNil() && isBytes(rv.Type().Elem()) && !marshals(rv.Type().Elem()) {
			if att, ok, err := attachmentOf(raw, atts); ok || err != nil {
				if err == nil {
					rv.Elem().SetBytes(att)
				}
				return err
			}
		}
	}
	text, err := substitute(raw, atts)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, dst); err != nil {
		return describe(err, dst)
	}
	if len(atts) > 0 {
		return keepRaw(raw, atts, reflect.ValueOf(dst))
	}
	return nil
}

// keepRaw gives the fields of type Raw of the struct behind dst their
// attachments back.
func keepRaw(raw []byte, atts [][]byte, dst reflect.Value) error {
	for dst.Kind() == reflect.Pointer && !dst.IsNil() {
		dst = dst.Elem()
	}
	if dst.Kind() != reflect.Struct {
		return nil
	}
	var members map[string]json.RawMessage
	for i, t := 0, dst.Type(); i < t.NumField(); i++ {
		f := t.Field(i)
		if f.Type != rawType || !f.IsExported() {
			continue
		}
		if members == nil {
			if err := json.Unmarshal(raw, &members); err != nil {
				return err
			}
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		value, ok := members[name]
		for key := range members {
			if !ok && strings.EqualFold(key, name) {
				value, ok = members[key], true
			}
		}
		if ok && f.Tag.Get("json") != "-" {
			dst.Field(i).Set(reflect.ValueOf(Raw{JSON: value, Attachments: atts}))
		}
	}
	return nil
}

// DecodeArgs decodes a packet's raw arguments into dst in order. A nil target
// skips its argument; targets without an argument stay as they are; surplus
// arguments are ignored. The error is an *ArgError.
func DecodeArgs(args []byte, atts [][]byte, dst ...any) error {
	it := IterArgs(args)
	for i, target := range dst {
		arg, ok := it.Next()
		if !ok {
			return nil
		}
		if target == nil {
			continue
		}
		if err := Decode(arg, atts, target); err != nil {
			return &ArgError{Index: i + 1, Err: err}
		}
	}
	return nil
}

// describe says what was expected, in front of what encoding/json says.
func describe(err error, dst any) error {
	t := reflect.TypeOf(dst)
	if t == nil || t.Kind() != reflect.Pointer {
		return err
	}
	return fmt.Errorf("expected %v: %w", t.Elem(), err)
}

// attachmentOf returns the attachment that raw, if it is a placeholder, stands
// for.
func attachmentOf(raw []byte, atts [][]byte) (att []byte, ok bool, err error) {
	if raw[0] != '{' {
		return nil, false, nil
	}
	var room [4]placeholder
	list, err := findPlaceholders(raw, room[:0])
	if err != nil || len(list) == 0 || list[0].start != 0 {
		return nil, false, err
	}
	if n := list[0].num; n >= 0 && n < len(atts) {
		return atts[n], true, nil
	}
	return nil, false, ErrIllegalAttachments
}

// decodeInto fills the untyped targets without a second pass by encoding/json.
func decodeInto[T any](dst *T, raw []byte, atts [][]byte) error {
	d := decoder{b: raw, atts: atts}
	v, end, err := d.value(0, 0)
	if err == nil && end != len(raw) {
		err = ErrBadJSON
	}
	if err != nil {
		return err
	}
	if v == nil {
		*dst = *new(T)
		return nil
	}
	typed, ok := v.(T)
	if !ok {
		return fmt.Errorf("expected %v, not %s", reflect.TypeFor[T](), kindOf(v))
	}
	*dst = typed
	return nil
}

func kindOf(v any) string {
	switch v.(type) {
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []byte:
		return "an attachment"
	case []any:
		return "an array"
	}
	return "an object"
}

// decoder turns validated JSON into untyped Go values. Other text gives an
// error or nonsense, never a panic.
type decoder struct {
	b    []byte
	atts [][]byte
}

func (d *decoder) value(i, depth int) (any, int, error) {
	if i >= len(d.b) {
		return nil, i, ErrBadJSON
	}
	switch c := d.b[i]; c {
	case '"':
		return boxed(decodeString(d.b, i))
	case '{':
		return d.object(i, depth+1)
	case '[':
		return d.array(i, depth+1)
	case 't':
		return true, min(i+4, len(d.b)), nil
	case 'f':
		return false, min(i+5, len(d.b)), nil
	case 'n':
		return nil, min(i+4, len(d.b)), nil
	default:
		end := i
		for end < len(d.b) && !endsScalar(d.b[end]) {
			end++
		}
		f, err := strconv.ParseFloat(string(d.b[i:end]), 64)
		if errors.Is(err, strconv.ErrRange) {
			return nil, end, fmt.Errorf("number %s does not fit a float64", d.b[i:end])
		} else if err != nil {
			return nil, end, ErrBadJSON
		}
		return f, end, nil
	}
}

func boxed(s string, end int, err error) (any, int, error) { return s, end, err }

// decodeString decodes the string literal at b[i] and returns the index behind
// it.
func decodeString(b []byte, i int) (string, int, error) {
	end := skipString(b, i)
	if end-i < 2 || b[end-1] != '"' {
		return "", end, ErrBadJSON
	}
	inside := b[i+1 : end-1]
	if slices.Contains(inside, '\\') {
		inside = appendUnquoted(make([]byte, 0, len(inside)), inside)
	}
	return string(inside), end, nil
}

func (d *decoder) array(i, depth int) (any, int, error) {
	if depth > MaxDepth {
		return nil, i, ErrTooDeep
	}
	list := []any{}
	i = skipBlanks(d.b, i+1)
	if i < len(d.b) && d.b[i] == ']' {
		return list, i + 1, nil
	}
	for {
		v, end, err := d.value(skipBlanks(d.b, i), depth)
		if err != nil {
			return nil, end, err
		}
		list = append(list, v)
		i = skipBlanks(d.b, end)
		switch {
		case i < len(d.b) && d.b[i] == ',':
			i++
		case i < len(d.b) && d.b[i] == ']':
			return list, i + 1, nil
		default:
			return nil, i, ErrBadJSON
		}
	}
}

// object decodes an object, or gives the attachment if it is a placeholder.
func (d *decoder) object(i, depth int) (any, int, error) {
	if depth > MaxDepth {
		return nil, i, ErrTooDeep
	}
	m := map[string]any{}
	i = skipBlanks(d.b, i+1)
	if i < len(d.b) && d.b[i] == '}' {
		return m, i + 1, nil
	}
	for {
		i = skipBlanks(d.b, i)
		if i >= len(d.b) || d.b[i] != '"' {
			return nil, i, ErrBadJSON
		}
		key, end, err := decodeString(d.b, i)
		if err != nil {
			return nil, end, err
		}
		i = skipBlanks(d.b, end)
		if i >= len(d.b) || d.b[i] != ':' {
			return nil, i, ErrBadJSON
		}
		v, end, err := d.value(skipBlanks(d.b, i+1), depth)
		if err != nil {
			return nil, end, err
		}
		m[key] = v
		i = skipBlanks(d.b, end)
		switch {
		case i < len(d.b) && d.b[i] == ',':
			i++
		case i < len(d.b) && d.b[i] == '}':
			return d.resolve(m, i+1)
		default:
			return nil, i, ErrBadJSON
		}
	}
}

func (d *decoder) resolve(m map[string]any, end int) (any, int, error) {
	if len(d.atts) == 0 || m["_placeholder"] != true {
		return m, end, nil
	}
	n, ok := m["num"].(float64)
	if !ok || !(n >= 0 && n < float64(len(d.atts))) || n != float64(int(n)) {
		return nil, end, ErrIllegalAttachments
	}
	return d.atts[int(n)], end, nil
}
