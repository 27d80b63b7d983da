package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

const docs = "../../docs/app"

func schema(t *testing.T, name string) (*jsonschema.Schema, []json.RawMessage) {
	t.Helper()
	file := docs + "/" + name + ".schema.json"
	s, err := jsonschema.NewCompiler().Compile(file)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var doc struct{ Examples []json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &doc))
	require.NotEmpty(t, doc.Examples)
	return s, doc.Examples
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func testPort(t *testing.T) *port {
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	o, err := Options{URL: "http://x"}.withDefaults()
	require.NoError(t, err)
	return &port{o: &o, ns: srv.Of("/")}
}

func TestExamplesOfTheSchemas(t *testing.T) {
	t.Parallel()
	p := testPort(t)
	for _, name := range []string{"connect", "event", "disconnect", "answer"} {
		s, examples := schema(t, name)
		for _, text := range examples {
			require.NoError(t, validate(s, text))
			if name == "answer" {
				_, _, f := p.parse(text)
				if bytes.Contains(text, []byte(`"error"`)) {
					require.Equal(t, CodeFailed, f.Code)
					continue
				}
				require.Nil(t, f, string(text))
			}
		}
		require.Error(t, validate(s, []byte(`{"more":1}`)))
	}
}

// What is not allowed is neither by the schema nor by the code.
func TestAnswersOutsideOfTheSchema(t *testing.T) {
	t.Parallel()
	s, _ := schema(t, "answer")
	p := testPort(t)
	for _, text := range []string{
		`[]`, `1`, `{"does":[]}`, `{"do":{}}`, `{"do":[1]}`, `{"do":[{}]}`, `{"do":[{"jion":"x"}]}`,
		`{"do":[{"join":1}]}`, `{"do":[{"join":"a","leave":"b"}]}`, `{"do":[{"emit":1}]}`,
		`{"do":[{"emit":"connect"}]}`, `{"do":[{"ack":1}]}`, `{"do":[{"disconnect":"x"}]}`,
		`{"do":[{"emit":"x","to":null}]}`, `{"do":[{"emit":"x","to":[null]}]}`, `{"do":[{"join":null}]}`,
		`{"do":[{"emit":"x","all":true,"except":null}]}`, `{"do":[{"leave":["a",null]}]}`,
		`{"do":[{"join":"a","args":[]}]}`, `{"refuse":"x"}`, `{"error":1}`, `{"refuse":{"text":"x"}}`,
	} {
		require.Error(t, validate(s, []byte(text)), text)
		_, _, f := p.parse([]byte(text))
		require.NotNil(t, f, text)
	}
}

// What is posted fits the schemas.
func TestCallsFitTheSchemas(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	st := answering(t, func(c posted) string {
		if c.Type == "disconnect" {
			close(left)
		}
		return `{"do":[{"set":{"n":1}}]}`
	})
	srv, _ := serve(t, Options{URL: st.URL, Headers: []string{"Cookie"}})
	c := join(t, srv, `{"a":"b"}`)
	c.send(`421["x",{"$binary":1},"\u2028<>"]`)
	c.expect(`431[]`)
	c.send(`41`)
	<-left
	st.mu.Lock()
	defer st.mu.Unlock()
	require.Len(t, st.bodies, 3)
	for i, name := range []string{"connect", "event", "disconnect"} {
		s, _ := schema(t, name)
		require.NoError(t, validate(s, st.bodies[i]), string(st.bodies[i]))
	}
}

// Every JSON example of the page is one of a schema.
func TestExamplesOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/app.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json (\\w+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(blocks), 5)
	for _, b := range blocks {
		s, _ := schema(t, b[1])
		require.NoError(t, validate(s, []byte(b[2])), b[2])
	}
	for _, code := range []string{CodeUnavailable, CodeBusy, CodeTimeout, CodeLost, CodeFailed,
		CodeInvalid} {
		require.True(t, strings.Contains(string(page), fmt.Sprintf("`%s`", code)), code)
	}
}
