package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
)

// Print writes every setting as TOML, with where it comes from. Secrets are
// not shown.
func (l *Loaded) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 1, ' ', 0)
	table := ""
	for _, f := range fields {
		if f.FileOf != nil {
			continue
		}
		if f.Table != table {
			table = f.Table
			fmt.Fprintf(t, "\n[%s]\n", table)
		}
		fmt.Fprintf(t, "%s = %s\t# %s\n", f.word(), f.toml(f.shown(&l.Config)), l.Origins[f.Key])
	}
	return t.Flush()
}

// word is the key inside its table.
func (f *Field) word() string { return strings.TrimPrefix(f.Key, f.Table+".") }

// hidden stands for a secret.
const hidden = "********"

// shown is the value as it may be printed.
func (f *Field) shown(c *Config) any {
	v := f.Get(c)
	switch f.Secret {
	case "url":
		return redacted(v.(string))
	case "text":
		if v.(string) != "" {
			return hidden
		}
	case "list":
		var l []string
		for _, k := range v.([]string) {
			name, _ := splitKey(k)
			if name != "" {
				name += ":"
			}
			l = append(l, name+hidden)
		}
		return l
	}
	return v
}

// redacted hides the password of a URL, and its query, where some put it.
func redacted(s string) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil {
		return hidden
	}
	if u.User != nil {
		u.User = url.UserPassword(u.User.Username(), "xxxxx")
	}
	if u.RawQuery != "" {
		u.RawQuery = "xxxxx"
	}
	return u.String()
}

// Secrets returns what must never be in a log: secrets and passwords. Keys of
// the API are not known.
func (c *Config) Secrets() (list []string) {
	for _, f := range fields {
		switch f.Secret {
		case "url":
			u, err := url.Parse(f.Get(c).(string))
			if err != nil {
				continue
			}
			if p, ok := u.User.Password(); ok && p != "" {
				list = append(list, p)
			}
		case "text":
			if s := f.Get(c).(string); s != "" {
				list = append(list, s)
			}
		}
	}
	return list
}

// Sample writes a file with every setting, commented out.
func Sample(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprint(b, "# Settings of `throng serve`. Each line that begins with #KEY is a default.\n"+
		"# What wins: flags, then the environment (THRONG_...), then this file.\n"+
		"# SIGHUP reads it again; `throng config check` tells beforehand whether it is right.\n")
	table := ""
	for _, f := range fields {
		if f.Table != table {
			table = f.Table
			fmt.Fprintf(b, "\n\n[%s]\n%s", table, comment(docOf(table)))
		}
		fmt.Fprintf(b, "\n%s", comment(f.Doc+" "+f.reloads()))
		fmt.Fprintf(b, "#%s = %s\n", f.word(), f.toml(f.zero()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// zero is the default.
func (f *Field) zero() any {
	if f.FileOf != nil {
		return ""
	}
	return f.Get(Default())
}

func (f *Field) reloads() string {
	switch f.Reload {
	case Live:
		return "(live)"
	case New:
		return "(new connections)"
	}
	return "(restart)"
}

func docOf(table string) string {
	for _, t := range tables {
		if t.Key == table {
			return t.Doc
		}
	}
	return ""
}

// comment wraps text to lines of 80 columns.
func comment(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
