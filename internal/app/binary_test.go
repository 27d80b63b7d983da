package app

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/throng-server/throng/protocol/sio"
)

// What a client sends comes back as it was when an application returns it.
func TestArgumentsSurviveTheWayThereAndBack(t *testing.T) {
	t.Parallel()
	name := rapid.SampledFrom([]string{"a", "$binary", "$$binary", "$$$binary", "binary", "x$binary", "$"})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		return rapid.Custom(func(t *rapid.T) any {
			switch k := rapid.IntRange(0, 6).Draw(t, "kind"); {
			case k == 0:
				return rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "bytes")
			case k == 1:
				return rapid.String().Draw(t, "text")
			case k == 2:
				return name.Draw(t, "text like a name")
			case k < 5 && depth > 0:
				return rapid.MapOfN(name, value(depth-1), 0, 3).Draw(t, "object")
			case depth > 0:
				return rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "list")
			default:
				return rapid.IntRange(-9, 9).Draw(t, "number")
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(value(3), 1, 3).Draw(t, "args")
		want, atts, err := sio.AppendEvent(nil, "/", -1, "x", in)
		require.NoError(t, err)

		text, err := appendArgs([]byte("["), in)
		require.NoError(t, err)
		var list []json.RawMessage
		require.NoError(t, json.Unmarshal(append(text, ']'), &list))
		var back []any
		for _, a := range list {
			raw, err := parseArg(a)
			require.NoError(t, err)
			back = append(back, raw)
		}
		got, gotAtts, err := sio.AppendEvent(nil, "/", -1, "x", back)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		require.Len(t, gotAtts, len(atts))
		for i := range atts {
			require.True(t, bytes.Equal(atts[i], gotAtts[i]))
		}
	})
}

func TestEscapedNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"\u0024binary" : 1}`:                      `{"$\u0024binary" : 1}`,
		`{"$bin\u0061ry":{"$$binary":["$binary"]}}`: `{"$$bin\u0061ry":{"$$$binary":["$binary"]}}`,
		`{"a$binary":"\"$binary\":","$":1}`:         `{"a$binary":"\"$binary\":","$":1}`,
	} {
		out, err := appendArgs(nil, []any{sio.Raw{JSON: []byte(in)}})
		require.NoError(t, err)
		require.Equal(t, want, string(out))
		back, err := parseArg(out)
		require.NoError(t, err)
		require.JSONEq(t, in, string(back.JSON))
	}
	raw, err := parseArg([]byte(` { "\u0024binary" : "\u0059Q==" } `))
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("a")}, raw.Attachments)
}

func FuzzParseArg(f *testing.F) {
	f.Add(`{"$binary":"YQ=="}`)
	f.Add(`[{"$$binary":1},{"$binary":2}]`)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		raw, err := parseArg([]byte(text))
		if err == nil {
			require.True(t, json.Valid(raw.JSON), text)
		}
	})
}
