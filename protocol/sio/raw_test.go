package sio_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

const fake = `{"_placeholder":true,"num":0}`

func TestRawIsRelayed(t *testing.T) {
	t.Parallel()
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	received := [][]byte{a, b, c}
	raw := sio.Raw{
		JSON: []byte(`{"y":1.0, "x":[{"_placeholder":true,"num":2},` +
			`{"num":0,"_placeholder":true}]}`),
		Attachments: received,
	}
	text, atts, err := sio.AppendEvent(nil, "/", -1, "ev", []any{[]byte("own"), raw, &raw})
	require.NoError(t, err)
	const relayed = `{"y":1.0, "x":[{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]}`
	require.Equal(t, `53-["ev",{"_placeholder":true,"num":0},`+relayed+`,`+relayed+`]`, string(text))
	require.Equal(t, [][]byte{[]byte("own"), c, a}, atts)
	p, err := sio.Parse(text, sio.DefaultMaxAttachments)
	require.NoError(t, err)
	require.NoError(t, sio.CheckPlaceholders(p.Data, len(atts)))

	// Without attachments it stands as it is, blanks and all.
	text, atts, err = sio.AppendEvent(nil, "/", -1, "ev",
		[]any{sio.Raw{JSON: []byte(`[ 1.0 ]`)}, sio.Raw{}})
	require.NoError(t, err)
	require.Nil(t, atts)
	require.Equal(t, `2["ev",[ 1.0 ],null]`, string(text))

	raw.JSON = []byte(`{"_placeholder":true,"num":3}`)
	_, _, err = sio.AppendEvent(nil, "/", -1, "ev", []any{raw})
	require.ErrorIs(t, err, sio.ErrIllegalAttachments)
}

// One attachment named in many arguments must not become many.
func TestRawDoesNotMultiply(t *testing.T) {
	t.Parallel()
	received := [][]byte{[]byte("a")}
	args := make([]any, 50)
	for i := range args {
		args[i] = sio.Raw{JSON: []byte(`[` + fake + `,` + fake + `]`), Attachments: received}
	}
	_, atts, err := sio.AppendAck(nil, "/", 1, args)
	require.NoError(t, err)
	require.Equal(t, received, atts)
}

func TestForgedPlaceholders(t *testing.T) {
	t.Parallel()
	type member struct {
		Placeholder bool `json:"_placeholder"`
		Num         int  `json:"num"`
	}
	for name, forged := range map[string]any{
		"raw":       sio.Raw{JSON: []byte(fake)},
		"escaped":   json.RawMessage(`[{"\u005fplaceholder":true,"num":9}]`),
		"map":       map[string]any{"_placeholder": true, "num": 0},
		"typed map": map[string]bool{"_placeholder": true},
		"struct":    []member{{true, 99}},
		"marshaler": spaced{fake},
	} {
		// Alone it is data, since nothing reads it as an attachment.
		text, atts, err := sio.AppendEvent(nil, "/", -1, "ev", []any{forged})
		require.NoError(t, err, name)
		require.Nil(t, atts, name)
		require.Equal(t, byte('2'), text[0], name)
		// Beside an attachment it would kill the reader's connection.
		text, atts, err = sio.AppendEvent([]byte("4"), "/", -1, "ev", []any{forged, []byte("x")})
		require.ErrorIs(t, err, sio.ErrForgedPlaceholder, name)
		require.Nil(t, atts, name)
		require.Equal(t, "4", string(text), name)
	}
	// The name and plain strings are no objects.
	_, _, err := sio.AppendEvent(nil, "/", -1, fake, []any{[]byte("x"), map[string]any{"s": fake}})
	require.NoError(t, err)
}

func TestRawInEncodingJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal([]any{
		sio.Raw{JSON: []byte(`[` + fake + `]`), Attachments: [][]byte{[]byte("hi")}},
		sio.Raw{JSON: []byte(`1.0`)},
		sio.Raw{},
	})
	require.NoError(t, err)
	require.Equal(t, `[["aGk="],1.0,null]`, string(text))

	received := sio.Raw{JSON: []byte(fake), Attachments: [][]byte{[]byte("hi")}}
	text, err = sio.AppendJSON(nil, received, nil)
	require.NoError(t, err)
	require.Equal(t, `"aGk="`, string(text))

	var back struct{ R sio.Raw }
	require.NoError(t, json.Unmarshal([]byte(`{"R": {"a": 1}}`), &back))
	require.Equal(t, `{"a": 1}`, string(back.R.JSON))
}

// What has been validated once goes on as it is; anything else is looked at.
func TestReceivedIsNotValidatedAgain(t *testing.T) {
	t.Parallel()
	relay := func(v any) (string, error) {
		text, _, err := sio.AppendEvent(nil, "/", -1, "ev", []any{v})
		return string(text), err
	}
	text := []byte(`[1,{"a":"b"}],2`)
	var r sio.Raw
	sio.Receive(&r, text[:13], nil)
	got, err := relay(&r)
	require.NoError(t, err)
	require.Equal(t, `2["ev",[1,{"a":"b"}]]`, got)

	// Nobody looks: this is what is saved, and why the bytes must stay.
	text[0] = 'x'
	got, err = relay(r)
	require.NoError(t, err)
	require.Equal(t, `2["ev",x1,{"a":"b"}]]`, got)

	for name, change := range map[string]func(*sio.Raw){
		"other bytes": func(r *sio.Raw) { r.JSON = []byte(`x`) },
		"fewer":       func(r *sio.Raw) { r.JSON = r.JSON[:5] },
		"from behind": func(r *sio.Raw) { r.JSON = r.JSON[2:] },
	} {
		r := r
		change(&r)
		_, err = relay(&r)
		require.ErrorIs(t, err, sio.ErrBadJSON, name)
	}
	_, err = relay([]any{&r})
	require.ErrorIs(t, err, sio.ErrBadJSON, "deeper than it came")
	got, err = relay((*sio.Raw)(nil))
	require.NoError(t, err)
	require.Equal(t, `2["ev",null]`, got)
}

// Each byte, at each place of a word and of what is left behind the words.
func TestStringsThatNeedNoEscapes(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 13 {
			b := []byte("abcdefghijklm")
			b[at] = byte(c)
			text := sio.AppendString(nil, string(b))
			want, err := json.Marshal(string(b))
			require.NoError(t, err)
			if c == '<' || c == '>' || c == '&' { // encoding/json escapes them for HTML
				want = []byte(`"` + string(b) + `"`)
			}
			require.JSONEq(t, string(want), string(text))
			if c < 0x80 {
				require.Equal(t, string(want), string(text))
			}
		}
	}
}
