package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	OneOf      []*schema          `json:"oneOf"`
	Items      *schema            `json:"items"`
}

type content map[string]struct{ Schema *schema }

type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		RequestBody struct{ Content content }
		Responses   map[string]struct {
			Ref     string `json:"$ref"`
			Content content
		}
	}
	Components struct{ Schemas map[string]*schema }
}

func described(t *testing.T) (d document) {
	t.Helper()
	require.NoError(t, json.Unmarshal(openapi, &d))
	return d
}

func (d *document) resolve(s *schema) *schema {
	if s.Ref != "" {
		return d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	r := start(t)
	res := r.send("openapi.json", "", func(q *http.Request) { q.Header.Del("Authorization") })
	defer res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	var d document
	require.NoError(t, json.NewDecoder(res.Body).Decode(&d))
	require.Equal(t, "3.1.0", d.OpenAPI)
}

func TestOpenAPIHasEveryEndpoint(t *testing.T) {
	t.Parallel()
	d := described(t)
	var has, want []string
	for path, item := range d.Paths {
		for method := range item {
			has = append(has, strings.ToUpper(method)+" "+path)
		}
	}
	for _, e := range endpoints {
		want = append(want, e.method+" /api/v1/"+e.path)
	}
	want = append(want, "GET /api/v1/openapi.json")
	require.ElementsMatch(t, want, has)
}

// Fields of bodies are those of the structs that read them.
func TestOpenAPIHasEveryField(t *testing.T) {
	t.Parallel()
	d := described(t)
	for _, c := range []struct {
		path string
		body any
		less []string // refused there
	}{
		{"emit", emission{}, nil},
		{"join", selection{}, []string{"close"}},
		{"leave", selection{}, []string{"close"}},
		{"disconnect", selection{}, []string{"rooms"}},
	} {
		s := d.resolve(d.Paths["/api/v1/"+c.path]["post"].RequestBody.Content["application/json"].Schema)
		var has, want []string
		for name := range s.Properties {
			has = append(has, name)
		}
		typ := reflect.TypeOf(c.body)
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("json")
			if !slices.Contains(c.less, name) {
				want = append(want, name)
			}
		}
		require.ElementsMatch(t, want, has, c.path)
	}
}

// Answers have the fields that the document names, and no others.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	r := start(t)
	d := described(t)
	a := r.client("/")
	r.good("join", `{"sockets":["`+a.id+`"],"rooms":["x","y"]}`, `{"ok":true}`)
	for _, c := range []struct{ method, path, url, body string }{
		{"post", "emit", "emit", `{"event":"e"}`},
		{"post", "emit", "emit", `{"event":"e","ack":true,"timeout_ms":1}`},
		{"post", "close_room", "close_room", `{"room":"none"}`},
		{"get", "rooms", "rooms?limit=1", ""},
		{"get", "rooms/{room}/sockets", "rooms/x/sockets", ""},
		{"get", "stats", "stats", ""},
		{"post", "disconnect", "disconnect", `{"all":true}`},
	} {
		status, body := r.do(c.url, c.body)
		require.Equal(t, 200, status, body)
		s := d.Paths["/api/v1/"+c.path][c.method].Responses["200"].Content["application/json"].Schema
		var v any
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		require.True(t, d.fits(s, v), "%s: %s", c.url, body)
	}
	res := r.send("emit", "{}", func(*http.Request) {})
	defer res.Body.Close()
	var v any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&v))
	require.True(t, d.fits(d.Components.Schemas["Problem"], v))
	require.False(t, d.fits(d.Components.Schemas["Problem"], map[string]any{"type": "x"}))
	require.False(t, d.fits(d.Components.Schemas["Done"], map[string]any{"ok": true, "more": 1}))
}

// fits is as much of JSON Schema as the document uses for answers.
func (d *document) fits(s *schema, v any) bool {
	s = d.resolve(s)
	if len(s.OneOf) > 0 {
		return slices.ContainsFunc(s.OneOf, func(s *schema) bool { return d.fits(s, v) })
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return false
			}
		}
		for name, item := range v {
			p, ok := s.Properties[name]
			if len(s.Properties) > 0 && (!ok || !d.fits(p, item)) {
				return false
			}
		}
		return s.Type == "object" || s.Type == ""
	case []any:
		for _, item := range v {
			if s.Items != nil && !d.fits(s.Items, item) {
				return false
			}
		}
		return s.Type == "array" || s.Type == ""
	case string:
		return s.Type == "string" || s.Type == ""
	case bool:
		return s.Type == "boolean" || s.Type == ""
	case float64:
		return s.Type == "integer" || s.Type == ""
	}
	return true
}
