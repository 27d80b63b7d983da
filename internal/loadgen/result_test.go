package loadgen

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata anew")

// filled sets every pointer, slice and map of a value, so that its JSON has
// all keys there are.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem().PkgPath() == "time" {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Struct:
		if strings.HasPrefix(v.Type().PkgPath(), "github.com/throng-server/") {
			for i := range v.NumField() {
				filled(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			filled(v.Index(0))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		filled(e)
		v.SetMapIndex(reflect.ValueOf("KIND"), e)
	}
}

func keys(prefix string, v any, out *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			keys(prefix+"."+k, e, out)
		}
	case []any:
		for _, e := range v {
			keys(prefix+"[]", e, out)
		}
	default:
		*out = append(*out, strings.TrimPrefix(prefix, "."))
	}
}

// What others read from the file must not change by accident: a key that goes
// or changes its meaning makes Schema grow.
func TestKeysOfTheResult(t *testing.T) {
	t.Parallel()
	var r Result
	filled(reflect.ValueOf(&r).Elem())
	b, err := json.Marshal(r)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(b, &tree))
	var got []string
	keys("", tree, &got)
	slices.Sort(got)
	text := strings.Join(got, "\n") + "\n"
	const file = "testdata/keys.txt"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
	require.Equal(t, 1, Schema)
}

func TestEveryKeyIsExplained(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/keys.txt")
	require.NoError(t, err)
	doc, err := os.ReadFile("../../docs/bench.md")
	require.NoError(t, err)
	for key := range strings.Lines(string(list)) {
		key = strings.TrimSpace(key)
		if key == "" || strings.HasPrefix(key, "plan.") {
			continue // the flags
		}
		last := key[strings.LastIndex(key, ".")+1:]
		require.Contains(t, string(doc), "`"+last+"`", key)
	}
	names, _ := Limits()
	for _, n := range names {
		require.Contains(t, string(doc), "`--"+n+"`")
	}
	for _, s := range Scenarios {
		require.Contains(t, string(doc), "### "+s)
	}
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	names, help := Limits()
	require.Len(t, help, len(names))
	full := func() *Result {
		r := &Result{OK: true, Scenario: Broadcast}
		filled(reflect.ValueOf(r).Elem())
		r.OK, r.Thresholds = true, nil
		return r
	}
	for _, name := range names {
		least := strings.HasPrefix(name, "min-")
		r := full()
		require.NoError(t, r.Check(map[string]float64{name: 0}))
		require.True(t, r.OK, name)
		require.Len(t, r.Thresholds, 1)
		beyond := -0.5
		if least {
			beyond = 0.5
		}
		r = full()
		require.NoError(t, r.Check(map[string]float64{name: beyond}))
		require.False(t, r.OK, name)
		require.False(t, r.Thresholds[0].OK)
	}
	// No measurement keeps no promise.
	r := &Result{OK: true}
	require.NoError(t, r.Check(map[string]float64{"max-p99": 1e9, "max-lost": 0}))
	require.False(t, r.OK)
	require.Nil(t, r.Thresholds[0].Value)
	require.True(t, r.Thresholds[1].OK)
	require.Error(t, r.Check(map[string]float64{"max-nonsense": 1}))
}

func TestSummaryNamesWhatMatters(t *testing.T) {
	t.Parallel()
	r := &Result{Scenario: Storm}
	filled(reflect.ValueOf(r).Elem())
	r.Messages.Lost, r.Interrupted = 1234, true
	r.Messages.Sent = 1
	r.Generator.Saturated, r.Generator.Why = true, "too busy"
	r.Errors["refused"] = &ErrorCount{3, "the first"}
	r.Thresholds = []Threshold{{Name: "max-lost", Limit: 0}}
	var b bytes.Buffer
	r.Summary(&b)
	for _, want := range []string{"lost 1,234", "INTERRUPTED", "SATURATED", "too busy",
		"3 refused, the first: the first", "--max-lost 0: not measured, FAILED"} {
		require.Contains(t, b.String(), want)
	}
	(&Result{}).Summary(&b) // nothing measured is not a crash
}
