package msgpack_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

func FuzzToText(f *testing.F) {
	for _, s := range []string{
		"83 'type' 00 'data' d40000 'nsp' '/'",
		"85 'type' 02 'data' 92 'ev' 01 'options' 81 'compress' c3 'id' 00 'nsp' '/'",
		"83 'type' 02 'data' 97 'e' c40101 d7000000000000000001 c7010009 d40501 81 'a' d40000 cb3ff8000000000000 'nsp' '/a'",
		"83 'type' 02 'data' 92 'e' 82 '_placeholder' c3 'num' 07 'nsp' '/'",
		"83 'type' 04 'data' 81 'message' c40101 'nsp' '/mw'",
		"82 'type' 01 'nsp' '/'",
		"83 'type' 02 'data' 94 'e' d6ff00000001 d7ff0000000000000001 c70cff0000000000000000 00000000 'nsp' '/'",
	} {
		f.Add(message(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, atts, err := msgpack.ToText(nil, b, msgpack.Limits{})
		if err != nil {
			return
		}
		require.True(t, utf8.Valid(text))
		require.LessOrEqual(t, len(text), 64+6*len(b)+64*len(atts), "growth")
		p, err := sio.Parse(text, len(atts))
		require.NoError(t, err)
		require.Equal(t, len(atts), p.Attachments)
		if len(atts) > 0 {
			require.NoError(t, sio.CheckPlaceholders(p.Data, len(atts)))
		}

		// Text is a fixed point: nothing else is lost on a second way.
		packed, err := msgpack.FromText(nil, text, atts)
		require.NoError(t, err)
		again, againAtts, err := msgpack.ToText(nil, packed, msgpack.Limits{})
		require.NoError(t, err)
		requireSame(t, atts, againAtts)
		if !escaped(text) {
			require.Equal(t, string(text), string(again))
		}
	})
}

// escaped reports whether text may hold a lone surrogate.
func escaped(text []byte) bool {
	for i := range text {
		if text[i] == '\\' && i+1 < len(text) && text[i+1] == 'u' {
			return true
		}
	}
	return false
}

func FuzzFromText(f *testing.F) {
	for _, s := range []string{
		`0`, `0{"token":"t"}`, `1/a,`, `2["ev",1,"a"]`, `217["ev",{"a":[1.5,-0,1e400,"\ud83d\ude00\ud83d\\\""]}]`,
		`317[]`, `4/mw,"no"`, `52-["ev",{"_placeholder":true,"num":1},[{"num":0,"_placeholder":true}]]`,
		`61-7[{"_placeholder":true,"num":0,"x":{"_placeholder":true}}]`, ` 2[ "e" , [ ] , { "a" : { } } ] `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, atts := range [][][]byte{nil, {{1, 2, 3}, nil}, {make([]byte, 300), {4}}} {
			b, err := msgpack.FromText(nil, text, atts)
			if err != nil {
				continue
			}
			p, err := msgpack.Parse(b, msgpack.Limits{})
			require.NoError(t, err)
			before, err := sio.Parse(text, len(atts))
			require.NoError(t, err)
			require.Equal(t, string(before.Namespace), string(p.Namespace))
			require.Equal(t, before.ID, p.ID)
			back, backAtts, err := msgpack.ToText(nil, b, msgpack.Limits{})
			if err != nil {
				require.ErrorIs(t, err, sio.ErrForgedPlaceholder)
				require.Contains(t, string(text), "_placeholder")
				continue
			}
			after, err := sio.Parse(back, len(backAtts))
			require.NoError(t, err)
			var want, got any
			if before.Data == nil || sio.Decode(before.Data, atts, &want) != nil {
				continue // a number beyond float64
			}
			require.NoError(t, sio.Decode(after.Data, backAtts, &got))
			if !escaped(text) {
				require.Equal(t, normal(want), normal(got))
			}
		}
	})
}

// normal makes nil and empty attachments equal.
func normal(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v) + " (binary)"
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}
