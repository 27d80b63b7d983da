package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse reads a value as it stands in the environment or behind a flag.
func (f *Field) parse(s string) (any, error) {
	switch f.typ.Kind() {
	case reflect.String:
		return f.check(s)
	case reflect.Slice:
		return f.check(list(s))
	case reflect.Bool:
		v, err := strconv.ParseBool(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", s)
		}
		return v, nil
	case reflect.Float64:
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		return f.check(v)
	}
	switch f.Unit {
	case "duration":
		return f.duration(s)
	case "bytes":
		return f.bytes(s)
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number", s)
	}
	return f.check(v)
}

// list splits at commas.
func list(s string) []string {
	var l []string
	for v := range strings.SplitSeq(s, ",") {
		if v = strings.TrimSpace(v); v != "" {
			l = append(l, v)
		}
	}
	return l
}

func (f *Field) duration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, fmt.Errorf(`%q is not a duration such as "25s", "500ms" or "2m"`, s)
	}
	return f.check(d)
}

// units of bytes, the longest first.
var units = []struct {
	name string
	n    float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

func (f *Field) bytes(s string) (any, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || n*u.n != math.Trunc(n*u.n) || math.Abs(n*u.n) > 1<<50 {
			break
		}
		return f.check(int(n * u.n))
	}
	return nil, fmt.Errorf(`%q is not a number of bytes such as 65536, "64KiB" or "1MB"`, s)
}

// convert takes a value of the TOML file.
func (f *Field) convert(v any) (any, error) {
	text, isText := v.(string)
	n, isInt := v.(int64)
	switch f.typ.Kind() {
	case reflect.String:
		if isText {
			return f.check(text)
		}
		return nil, fmt.Errorf("want text in quotes, not %s", kindOf(v))
	case reflect.Slice:
		return f.convertList(v)
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("want true or false, not %s", kindOf(v))
	case reflect.Float64:
		if isInt {
			return f.check(float64(n))
		}
		if x, ok := v.(float64); ok && !math.IsNaN(x) && !math.IsInf(x, 0) {
			return f.check(x)
		}
		return nil, fmt.Errorf("want a number, not %s", kindOf(v))
	}
	switch {
	case f.Unit == "duration" && isText:
		return f.duration(text)
	case f.Unit == "duration":
		return nil, fmt.Errorf(`want a duration with its unit, in quotes, such as "25s", not %s`,
			kindOf(v))
	case f.Unit == "bytes" && isText:
		return f.bytes(text)
	case isInt:
		return f.check(int(n))
	}
	return nil, fmt.Errorf("want a whole number, not %s", kindOf(v))
}

func (f *Field) convertList(v any) (any, error) {
	if one, ok := v.(string); ok && f.one && one != "" {
		return []string{one}, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf(`want a list such as ["a", "b"], not %s`, kindOf(v))
	}
	var l []string
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("want a list of texts in quotes, not of %s", kindOf(item))
		}
		l = append(l, s)
	}
	return f.check(l)
}

// kindOf says what somebody has written.
func kindOf(v any) string {
	switch v := v.(type) {
	case string:
		return "text"
	case int64:
		return "the number " + strconv.FormatInt(v, 10)
	case float64:
		return "the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// check applies what the tags say.
func (f *Field) check(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if len(f.Choices) > 0 && !slices.Contains(f.Choices, v) {
			return nil, fmt.Errorf("%q is none of %s", v, strings.Join(f.Choices, ", "))
		}
	case int:
		return v, f.within(float64(v), strconv.Itoa(v), strconv.FormatFloat(f.Max, 'f', -1, 64))
	case float64:
		return v, f.within(v, strconv.FormatFloat(v, 'g', -1, 64),
			strconv.FormatFloat(f.Max, 'f', -1, 64))
	case time.Duration:
		return v, f.within(v.Seconds(), v.String(), seconds(f.Max))
	}
	return v, nil
}

func (f *Field) within(v float64, text, high string) error {
	if !f.Bounded || v >= f.Min && v <= f.Max {
		return nil
	}
	low := strconv.FormatFloat(f.Min, 'f', -1, 64)
	if f.Unit == "duration" {
		low = seconds(f.Min)
	}
	return fmt.Errorf("%s is not between %s and %s", text, low, high)
}

func seconds(v float64) string { return short(time.Duration(v * float64(time.Second))) }

// short writes a duration without its zeroes: 2m, not 2m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// text writes a value as it stands in the environment.
func (f *Field) text(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ",")
	case time.Duration:
		return short(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int:
		if f.Unit == "bytes" {
			return bytesText(v)
		}
	}
	return fmt.Sprint(v)
}

func bytesText(n int) string {
	for _, u := range []struct {
		name string
		n    int
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n != 0 && n%u.n == 0 {
			return strconv.Itoa(n/u.n) + u.name
		}
	}
	return strconv.Itoa(n)
}

// toml writes a value as it stands in the file.
func (f *Field) toml(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case []string:
		q := make([]string, len(v))
		for i, s := range v {
			q[i] = quote(s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	case time.Duration:
		return quote(short(v))
	case int:
		if t := f.text(v); f.Unit == "bytes" && t != strconv.Itoa(v) {
			return quote(t)
		}
	}
	return f.text(v)
}

// quote writes a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
