package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Reload tells what SIGHUP does with a setting that has changed.
type Reload string

// What SIGHUP does.
const (
	Live    Reload = "live"            // it counts at once
	New     Reload = "new connections" // it counts for connections from then on
	Restart Reload = "restart"         // nothing; the log names it
)

// Field describes one setting.
type Field struct {
	Key, Flag, Env string
	// Table is the key's part before the dot, "" at the top.
	Table                string
	Unit, Default, Doc   string
	Option, Node, Python string
	Reload               Reload
	// Secret is "", "url" for a URL with a password, "text", or "list".
	Secret  string
	Choices []string
	// Min and Max bound a number, or a duration's seconds, if Bounded.
	Min, Max float64
	Bounded  bool
	// FileOf is the secret whose file this one names.
	FileOf *Field

	one   bool // a list that is mostly of one: the file may have it as text
	typ   reflect.Type
	index []int
}

// Table describes a table of the file.
type Table struct{ Key, Doc string }

var (
	fields, tables = collect()
	byKey          = index(func(f *Field) string { return f.Key })
)

// Fields returns every setting, in the order of the reference. The names of the
// files of secrets stand behind them. The list must not be changed.
func Fields() []*Field { return fields }

// Lookup finds a setting by its key.
func Lookup(key string) (*Field, bool) {
	f, ok := byKey[key]
	return f, ok
}

func index(name func(*Field) string) map[string]*Field {
	m := make(map[string]*Field, len(fields))
	for _, f := range fields {
		m[name(f)] = f
	}
	return m
}

// collect reads the tags. What is wrong with them is a bug: it panics.
func collect() (list []*Field, tables []Table) {
	walk(reflect.TypeFor[Config](), "", nil, &list, &tables)
	return list, tables
}

func walk(t reflect.Type, table string, at []int, list *[]*Field, tables *[]Table) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), at...), i)
		if sf.Type.Kind() == reflect.Struct {
			*tables = append(*tables, Table{sf.Tag.Get("key"), sf.Tag.Get("doc")})
			walk(sf.Type, sf.Tag.Get("key"), index, list, tables)
			continue
		}
		f := describe(sf, table)
		f.index = index
		*list = append(*list, f)
		if f.Secret != "" {
			*list = append(*list, f.file())
		}
	}
}

func describe(sf reflect.StructField, table string) *Field {
	tag := sf.Tag
	f := &Field{Key: tag.Get("key"), Flag: tag.Get("flag"), Table: table, Unit: tag.Get("unit"),
		Default: tag.Get("default"), Doc: tag.Get("doc"), Option: tag.Get("option"),
		one: tag.Get("one") != "", Node: tag.Get("node"), Python: tag.Get("python"), Secret: tag.Get("secret"), typ: sf.Type}
	if table != "" {
		f.Key = table + "." + f.Key
	}
	f.name()
	switch tag.Get("reload") {
	case "live":
		f.Reload = Live
	case "new":
		f.Reload = New
	case "restart":
		f.Reload = Restart
	}
	if tag.Get("key") == "" || f.Doc == "" || f.Reload == "" {
		panic("config: " + f.Key + " lacks a tag")
	}
	if c := tag.Get("choices"); c != "" {
		f.Choices = strings.Split(c, "|")
	}
	if f.typ == reflect.TypeFor[time.Duration]() {
		f.Unit = "duration"
	}
	if low, high, ok := strings.Cut(tag.Get("range"), ","); ok {
		var err, err2 error
		f.Min, err = strconv.ParseFloat(low, 64)
		f.Max, err2 = strconv.ParseFloat(high, 64)
		if err != nil || err2 != nil {
			panic("config: range of " + f.Key)
		}
		f.Bounded = true
	}
	return f
}

// name makes the names of the environment's variable and the flag.
func (f *Field) name() {
	f.Env = "THRONG_" + strings.ToUpper(strings.ReplaceAll(f.Key, ".", "_"))
	if f.Flag == "" {
		f.Flag = strings.NewReplacer(".", "-", "_", "-").Replace(f.Key)
	}
}

// file is the setting that names the file of a secret.
func (f *Field) file() *Field {
	n := &Field{Key: f.Key + "_file", Flag: f.Flag + "-file", Table: f.Table,
		Doc:    "File with " + f.Key + ", so that it stands in no process list and no repository.",
		Reload: f.Reload, FileOf: f, typ: reflect.TypeFor[string]()}
	n.name()
	return n
}

// Type names the kind of value in the reference.
func (f *Field) Type() string {
	switch {
	case f.Unit != "":
		return f.Unit
	case f.typ.Kind() == reflect.Slice:
		return "list"
	case f.typ.Kind() == reflect.Float64:
		return "number"
	}
	return f.typ.Kind().String()
}

// Get returns the setting's value in c; the name of a secret's file is not part
// of it.
func (f *Field) Get(c *Config) any { return f.of(c).Interface() }

func (f *Field) of(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(f.index)
}

// Default returns the settings that hold where nothing else is said.
func Default() *Config {
	c := &Config{}
	for _, f := range fields {
		if f.Default == "" || f.FileOf != nil {
			continue
		}
		v, err := f.parse(f.Default)
		if err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", f.Key, err))
		}
		f.of(c).Set(reflect.ValueOf(v))
	}
	return c
}
