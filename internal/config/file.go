package config

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where something stands in a file, counted from 1.
type place struct{ line, column int }

// places of the keys and of their values, by key.
type places struct{ keys, values map[string]place }

// readFile reads a TOML document into a layer. Everything that is wrong with
// it is in the problems.
func readFile(name string, data []byte) (layer, []Problem) {
	var doc map[string]any
	if err := toml.Unmarshal(data, &doc); err != nil {
		p := Problem{File: name, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		if bad := (*toml.DecodeError)(nil); errors.As(err, &bad) {
			p.Line, p.Column = bad.Position()
		}
		return nil, []Problem{p}
	}
	r := fileReader{name: name, at: locate(data), layer: layer{}}
	r.table("", doc)
	return r.layer, r.problems
}

type fileReader struct {
	name     string
	at       places
	layer    layer
	problems []Problem
}

// table treats the keys of a table.
func (r *fileReader) table(prefix string, t map[string]any) {
	for k, v := range t {
		key := join(prefix, k)
		f, known := byKey[key]
		sub, isTable := v.(map[string]any)
		switch {
		case known:
			r.set(f, v)
		case isTable && isSection(key):
			r.table(key, sub)
		case isSection(key):
			r.problem(r.at.keys[key], key+" is a table: write ["+key+"]")
		default:
			r.problem(r.at.keys[key], unknown("key", key, hint(key, isTable)))
		}
	}
}

func (r *fileReader) set(f *Field, v any) {
	value, err := f.convert(v)
	at := r.at.keys[f.Key]
	if err != nil {
		if p, ok := r.at.values[f.Key]; ok {
			at = p
		}
		r.problem(at, f.Key+": "+err.Error())
		return
	}
	r.layer[f] = setting{value, Origin{Source: FromFile, Name: r.name, Line: at.line}}
}

func (r *fileReader) problem(at place, text string) {
	r.problems = append(r.problems,
		Problem{File: r.name, Line: at.line, Column: at.column, Text: text})
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

func isSection(key string) bool {
	for _, t := range tables {
		if t.Key == key {
			return true
		}
	}
	return false
}

// locate finds out where each key and value stands.
func locate(data []byte) places {
	l := locator{places: places{map[string]place{}, map[string]place{}}}
	l.p.Reset(data)
	table := ""
	for l.p.NextExpression() {
		switch e := l.p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = l.key("", e.Key())
		case unstable.KeyValue:
			l.pair(table, e)
		}
	}
	return l.places // Unmarshal has seen the errors
}

type locator struct {
	p unstable.Parser
	places
}

// key notes the place of a key, and of the tables it names on its way.
func (l *locator) key(prefix string, it unstable.Iterator) string {
	for it.Next() {
		n := it.Node()
		prefix = join(prefix, string(n.Data))
		if _, ok := l.keys[prefix]; !ok {
			l.keys[prefix] = l.place(n.Raw)
		}
	}
	return prefix
}

func (l *locator) pair(table string, e *unstable.Node) {
	key := l.key(table, e.Key())
	v := e.Value()
	switch v.Kind {
	case unstable.InlineTable:
		it := v.Children()
		for it.Next() {
			l.pair(key, it.Node())
		}
	case unstable.Array:
		if first := v.Child(); first.Valid() && first.Raw.Length > 0 {
			l.values[key] = l.place(first.Raw)
		}
	default:
		if v.Raw.Length > 0 {
			l.values[key] = l.place(v.Raw)
		}
	}
}

func (l *locator) place(r unstable.Range) place {
	p := l.p.Shape(r).Start
	return place{p.Line, p.Column}
}
