package sio

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is a struct member as its JSON sees it.
type field struct {
	name   string
	tagged bool  // the name comes from a tag
	path   []int // index sequence through embedded structs
	typ    reflect.Type

	omitEmpty, omitZero, quoted bool

	label  []byte // "name":
	encode encodeFunc
	isZero func(reflect.Value) bool
}

// structure encodes a struct's visible fields in the order of declaration.
func (b builder) structure(t reflect.Type) encodeFunc {
	fields := fieldsOf(t)
	for i := range fields {
		f := &fields[i]
		f.label = append(AppendString(nil, f.name), ':')
		f.encode = b.of(f.typ)
		if f.quoted {
			f.encode = quoted(f.encode)
		}
		if f.omitZero {
			f.isZero = zeroTest(f.typ)
		}
	}
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if depth++; depth > MaxDepth {
			return dst, ErrTooDeep
		}
		e.opaque = true
		dst = append(dst, '{')
		first := true
		for i := range fields {
			f := &fields[i]
			fv, ok := follow(v, f.path)
			if !ok || (f.omitEmpty && isEmpty(fv)) || (f.omitZero && f.isZero(fv)) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(dst, f.label...)
			var err error
			if dst, err = f.encode(e, dst, fv, depth); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
}

// follow goes down path; a nil embedded pointer on the way has no fields.
func follow(v reflect.Value, path []int) (reflect.Value, bool) {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

type zeroer interface{ IsZero() bool }

var zeroerType = reflect.TypeFor[zeroer]()

// zeroTest returns what omitzero asks: the type's own IsZero method if it has
// one, else reflection.
func zeroTest(t reflect.Type) func(reflect.Value) bool {
	switch {
	case t.Implements(zeroerType):
		return func(v reflect.Value) bool {
			return isNilReceiver(v) || v.Interface().(zeroer).IsZero()
		}
	case reflect.PointerTo(t).Implements(zeroerType):
		return func(v reflect.Value) bool {
			if !v.CanAddr() {
				addressable := reflect.New(t).Elem()
				addressable.Set(v)
				v = addressable
			}
			return v.Addr().Interface().(zeroer).IsZero()
		}
	}
	return reflect.Value.IsZero
}

// quoted puts what encode writes into a string literal: the ",string" option.
// null stays null.
func quoted(encode encodeFunc) encodeFunc {
	return func(e *encoder, dst []byte, v reflect.Value, depth int) ([]byte, error) {
		start := len(dst)
		dst, err := encode(e, dst, v, depth)
		if err != nil || string(dst[start:]) == "null" {
			return dst, err
		}
		return AppendString(dst[:start], string(dst[start:])), nil
	}
}

// fieldsOf lists the fields of t that JSON shows, by Go's promotion rules as
// encoding/json amends them: of the fields with one name the least nested
// wins; among those the one whose name comes from a tag; otherwise none.
func fieldsOf(t reflect.Type) []field {
	var all []field
	type embedded struct {
		typ  reflect.Type
		path []int
	}
	level := []embedded{{typ: t}}
	visited := map[reflect.Type]bool{t: true}
	for len(level) > 0 {
		var next []embedded
		met := map[reflect.Type]int{}
		for _, s := range level {
			for i := range s.typ.NumField() {
				sf := s.typ.Field(i)
				f, inner, ok := readField(sf)
				if !ok {
					continue
				}
				path := append(slices.Clip(slices.Clone(s.path)), i)
				if inner == nil {
					f.path = path
					all = append(all, f)
				} else if !visited[inner] {
					// Twice on a level: its fields must hide each
					// other, for which two of them are enough.
					if met[inner]++; met[inner] <= 2 {
						next = append(next, embedded{inner, path})
					}
				}
			}
		}
		for _, s := range next {
			visited[s.typ] = true
		}
		level = next
	}
	return dominant(all)
}

// readField looks at one field. inner is set instead of f when it is an
// embedded struct whose own fields stand in its place.
func readField(sf reflect.StructField) (f field, inner reflect.Type, ok bool) {
	elem := sf.Type
	if elem.Name() == "" && elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	isStruct := elem.Kind() == reflect.Struct
	if !sf.IsExported() && !(sf.Anonymous && isStruct) {
		return f, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return f, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	if name == "" && sf.Anonymous && isStruct {
		return f, elem, true
	}
	f = field{name: name, tagged: name != "", typ: sf.Type}
	if name == "" {
		f.name = sf.Name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			k := elem.Kind()
			scalar := (k >= reflect.Bool && k <= reflect.Float64) || k == reflect.String
			f.quoted = scalar && !marshals(elem)
		}
	}
	// An unexported embedded struct with a tag is a member like others, but
	// reflection does not let its marshaler be called.
	return f, nil, sf.IsExported() || !marshals(elem)
}

// marshals reports whether values of type t write their own JSON.
func marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) || p.Implements(textMarshalerType)
}

// validName reports whether a tag's name counts; encoding/json ignores others.
func validName(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) &&
			!unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// dominant drops hidden fields and sorts the rest by declaration.
func dominant(all []field) []field {
	byName := map[string][]field{}
	for _, f := range all {
		byName[f.name] = append(byName[f.name], f)
	}
	var out []field
	for _, same := range byName {
		slices.SortStableFunc(same, func(a, b field) int {
			if c := cmp.Compare(len(a.path), len(b.path)); c != 0 {
				return c
			}
			if a.tagged != b.tagged {
				if a.tagged {
					return -1
				}
				return 1
			}
			return 0
		})
		if len(same) > 1 && len(same[0].path) == len(same[1].path) &&
			same[0].tagged == same[1].tagged {
			continue
		}
		out = append(out, same[0])
	}
	slices.SortFunc(out, func(a, b field) int { return slices.Compare(a.path, b.path) })
	return out
}
