package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Source is where a value comes from.
type Source string

// Sources, the later ones override the earlier.
const (
	FromDefault Source = "default"
	FromFile    Source = "file"
	FromEnv     Source = "environment"
	FromFlag    Source = "flag"
)

// Origin is where a value comes from, exactly.
type Origin struct {
	Source Source
	// Name of the file, variable or flag; Line in the file.
	Name string
	Line int
}

func (o Origin) String() string {
	switch {
	case o.Source == FromFile:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	case o.Source == FromDefault:
		return "default"
	case o.Source == FromFlag:
		return "--" + o.Name
	}
	return o.Name
}

// Problem is one thing that is wrong.
type Problem struct {
	// File, with Line and Column counted from 1 if they are known; or else
	// Flag tells that it is about the command line.
	File         string
	Line, Column int
	Flag         bool
	Text         string
}

func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Text
	case p.Line == 0:
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Error is everything that is wrong with a configuration.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// OnlyFlags tells that it is the command line that is wrong.
func (e *Error) OnlyFlags() bool {
	return !slices.ContainsFunc(e.Problems, func(p Problem) bool { return !p.Flag })
}

// Loaded is a configuration and where it comes from.
type Loaded struct {
	Config
	// File that was read, "" if there is none.
	File string
	// Origins by key.
	Origins map[string]Origin
	// Warnings about variables of the environment that set nothing.
	Warnings []string
}

// Sources say where to look.
type Sources struct {
	// File, "" to look in the usual places.
	File string
	// Env is os.Environ().
	Env []string
	// Flags that were given, by name, as text.
	Flags map[string]string
}

type setting struct {
	value  any
	origin Origin
}

type layer map[*Field]setting

// Load reads the sources. An error is an *Error.
func Load(s Sources) (*Loaded, error) {
	env := environ(s.Env)
	l := &Loaded{Config: *Default(), Origins: make(map[string]Origin)}
	for _, f := range fields {
		l.Origins[f.Key] = Origin{Source: FromDefault}
	}
	var problems []Problem
	file, data, err := open(s.File, env)
	if err != nil {
		return nil, &Error{[]Problem{{Text: err.Error()}}}
	}
	l.File = file
	if file != "" {
		set, bad := readFile(file, data)
		problems = append(problems, bad...)
		problems = append(problems, l.apply(set)...)
	}
	for _, read := range []func() (layer, []Problem){
		func() (layer, []Problem) { return readEnv(env, l.Origins) },
		func() (layer, []Problem) { return readFlags(s.Flags) },
	} {
		set, bad := read()
		problems = append(problems, bad...)
		problems = append(problems, l.apply(set)...)
	}
	l.Warnings = strange(env)
	problems = append(problems, l.validate()...)
	if len(problems) > 0 {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(b.File, a.File), cmp.Compare(a.Line, b.Line),
				cmp.Compare(a.Column, b.Column))
		})
		return nil, &Error{problems}
	}
	for i, k := range l.API.Keys {
		l.API.Keys[i] = hashed(k)
	}
	return l, nil
}

func environ(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}

// open reads the file that was named, or the first of the usual ones.
func open(name string, env map[string]string) (string, []byte, error) {
	if name == "" {
		name = env["THRONG_CONFIG"]
	}
	if name != "" {
		data, err := os.ReadFile(name)
		return name, data, err
	}
	for _, name := range usual(env) {
		data, err := os.ReadFile(name)
		if err == nil {
			return name, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	return "", nil, nil
}

// usual lists where the file is looked for.
func usual(env map[string]string) []string {
	list := []string{"throng.toml"}
	if dir := env["XDG_CONFIG_HOME"]; dir != "" {
		list = append(list, filepath.Join(dir, "throng/throng.toml"))
	} else if dir := env["HOME"]; dir != "" {
		list = append(list, filepath.Join(dir, ".config/throng/throng.toml"))
	}
	return append(list, "/etc/throng/throng.toml")
}

// readEnv reads THRONG_..., and what PORT and DEBUG mean where the file says
// nothing.
func readEnv(env map[string]string, have map[string]Origin) (layer, []Problem) {
	set := layer{}
	var problems []Problem
	take := func(f *Field, name, text string) {
		v, err := f.parse(text)
		if err != nil {
			problems = append(problems, Problem{Text: name + ": " + err.Error()})
			return
		}
		set[f] = setting{v, Origin{Source: FromEnv, Name: name}}
	}
	if p := env["PORT"]; p != "" && have["listen"].Source == FromDefault {
		take(byKey["listen"], "PORT", ":"+p)
	}
	if d := env["DEBUG"]; d != "" && have["log.debug"].Source == FromDefault {
		take(byKey["log.debug"], "DEBUG", d)
	}
	for _, f := range fields {
		if text, ok := env[f.Env]; ok {
			take(f, f.Env, text)
		}
	}
	return set, problems
}

// strange finds variables that look like ours and are not. They are no error:
// Kubernetes makes some for a service of this name.
func strange(env map[string]string) (list []string) {
	known := map[string]bool{"THRONG_CONFIG": true}
	var names []string
	for _, f := range fields {
		known[f.Env] = true
		names = append(names, f.Env)
	}
	for name := range env {
		if !strings.HasPrefix(name, "THRONG_") || known[name] || ofKubernetes(name) {
			continue
		}
		text := name + " in the environment sets nothing"
		if n := nearest(strings.ToLower(name), lower(names)); n != "" {
			text += "; did you mean " + strings.ToUpper(n) + "?"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func lower(names []string) []string {
	l := make([]string, len(names))
	for i, n := range names {
		l[i] = strings.ToLower(n)
	}
	return l
}

func ofKubernetes(name string) bool {
	return strings.HasPrefix(name, "THRONG_SERVICE_") || name == "THRONG_PORT" ||
		strings.HasPrefix(name, "THRONG_PORT_")
}

func readFlags(flags map[string]string) (layer, []Problem) {
	set := layer{}
	var problems []Problem
	for _, f := range fields {
		text, ok := flags[f.Flag]
		if !ok {
			continue
		}
		v, err := f.parse(text)
		if err != nil {
			problems = append(problems, Problem{Flag: true, Text: "--" + f.Flag + ": " + err.Error()})
			continue
		}
		set[f] = setting{v, Origin{Source: FromFlag, Name: f.Flag}}
	}
	return set, problems
}

// apply puts a layer over what is there, secrets read from their files.
func (l *Loaded) apply(set layer) (problems []Problem) {
	for _, f := range fields {
		s, ok := set[f]
		if !ok {
			continue
		}
		if f.FileOf != nil {
			if s.value == "" {
				continue
			}
			if other, both := set[f.FileOf]; both && !reflect.ValueOf(other.value).IsZero() {
				problems = append(problems, s.origin.Problem("", f.FileOf.Key+" and "+f.Key+" are both set"))
				continue
			}
			v, err := f.read(s.value.(string))
			if err != nil {
				problems = append(problems, s.origin.Problem(f.Key, err.Error()))
				continue
			}
			l.Origins[f.Key] = s.origin
			f, s = f.FileOf, setting{v, s.origin}
		}
		f.of(&l.Config).Set(reflect.ValueOf(s.value))
		l.Origins[f.Key] = s.origin
	}
	return problems
}

// Problem is one with the value from o, of a key if one is to be named.
func (o Origin) Problem(key, text string) Problem {
	p := Problem{Text: text, Flag: o.Source == FromFlag}
	switch o.Source {
	case FromEnv, FromFlag:
		key = o.String()
	case FromFile:
		p.File, p.Line, p.Column = o.Name, o.Line, 1
	}
	if key != "" {
		p.Text = key + ": " + text
	}
	return p
}

// read reads the secret of a file: all of it but the spaces around; of a list,
// one a line, without empty lines and those that begin with #.
func (f *Field) read(name string) (any, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if f.FileOf.typ.Kind() != reflect.Slice {
		return f.FileOf.check(strings.TrimSpace(string(data)))
	}
	var l []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			l = append(l, line)
		}
	}
	return f.FileOf.check(l)
}
