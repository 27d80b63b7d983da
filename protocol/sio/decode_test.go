package sio_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

func decodeAs[T any](t *testing.T, raw string, atts ...[]byte) T {
	t.Helper()
	var v T
	require.NoError(t, sio.Decode([]byte(raw), atts, &v), "%s into %T", raw, v)
	return v
}

func TestDecode(t *testing.T) {
	t.Parallel()
	type blob []byte
	type message struct {
		Text string `json:"text"`
		File []byte `json:"file"`
		Any  any    `json:"any"`
	}
	att := []byte("hi")

	require.Equal(t, "a\n😀", decodeAs[string](t, `"a\n\ud83d\ude00"`))
	require.Equal(t, "\xed\xa0\xbd", decodeAs[string](t, `"\ud83d"`))
	require.Equal(t, -5, decodeAs[int](t, ` -5 `))
	require.Equal(t, int64(1<<53), decodeAs[int64](t, `9007199254740992`))
	require.Equal(t, uint8(7), decodeAs[uint8](t, `7`))
	require.Equal(t, 1.5, decodeAs[float64](t, `1.5`))
	require.Equal(t, true, decodeAs[bool](t, `true`))
	require.Equal(t, "", decodeAs[string](t, `null`))
	require.Equal(t, []int{1, 2}, decodeAs[[]int](t, `[1,2]`))

	require.Equal(t, att, decodeAs[[]byte](t, fake, att))
	require.Equal(t, blob("hi"), decodeAs[blob](t, fake, att))
	require.Equal(t, att, decodeAs[[]byte](t, `"aGk="`))
	require.Nil(t, decodeAs[[]byte](t, `null`, att))
	require.Equal(t, [][]byte{att, nil}, decodeAs[[][]byte](t, `[`+fake+`,null]`, att))
	require.Equal(t, message{"t", att, 1.5},
		decodeAs[message](t, `{"text":"t","file":`+fake+`,"any":1.5}`, att))
	require.Equal(t, &message{File: att}, decodeAs[*message](t, `{"file":`+fake+`}`, att))

	require.Equal(t, any(att), decodeAs[any](t, fake, att))
	require.Equal(t, any([]any{
		1.0, map[string]any{"a": att}, "s", nil, true, false, []any{}, map[string]any{},
	}), decodeAs[any](t, `[1,{"a":`+fake+`},"s",null,true,false,[],{}]`, att))
	require.Equal(t, []any{att, att}, decodeAs[[]any](t, `[`+fake+`,`+fake+`]`, att))
	require.Equal(t, map[string]any{"a": att}, decodeAs[map[string]any](t, `{"a":`+fake+`}`, att))
	require.Nil(t, decodeAs[any](t, `null`))
	require.Nil(t, decodeAs[map[string]any](t, `null`))
	// Data in a packet without attachments is data.
	require.Equal(t, map[string]any{"_placeholder": true, "num": 0.0}, decodeAs[any](t, fake))

	require.Equal(t, json.RawMessage(`{"a": 1}`), decodeAs[json.RawMessage](t, `{"a": 1}`))
	require.Equal(t, sio.Raw{JSON: []byte(fake), Attachments: [][]byte{att}},
		decodeAs[sio.Raw](t, fake, att))
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	const far = `{"_placeholder":true,"num":1}`
	atts := [][]byte{[]byte("hi")}
	for _, dst := range []any{new([]byte), new(any), new([][]byte)} {
		err := sio.Decode([]byte(`[`+far+`]`), atts, dst)
		require.ErrorIs(t, err, sio.ErrIllegalAttachments, "%T", dst)
	}
	require.ErrorIs(t, sio.Decode([]byte(far), atts, new([]byte)), sio.ErrIllegalAttachments)
	require.ErrorIs(t, sio.Decode([]byte(`[`+fake+`,`+fake+`]`), atts, new([][]byte)),
		sio.ErrAttachmentReused)

	var typeError *json.UnmarshalTypeError
	err := sio.Decode([]byte(`"x"`), nil, new(int))
	require.ErrorAs(t, err, &typeError)
	require.ErrorContains(t, err, "expected int: ")
	err = sio.Decode([]byte(`{"a":{"b":"x"}}`), nil, new(struct{ A struct{ B int } }))
	require.ErrorContains(t, err, ".A.B")
	require.EqualError(t, sio.Decode([]byte(`[1]`), nil, new(map[string]any)),
		"expected map[string]interface {}, not an array")
	require.EqualError(t, sio.Decode([]byte(fake), atts, new([]any)),
		"expected []interface {}, not an attachment")
	require.ErrorContains(t, sio.Decode([]byte(`1e999`), nil, new(any)), "1e999")
	require.Error(t, sio.Decode([]byte(`1`), nil, nil))
	require.Error(t, sio.Decode([]byte(`1`), atts, 5))
	require.Error(t, sio.Decode(nil, nil, new(any)))
}

func TestDecodeArgs(t *testing.T) {
	t.Parallel()
	args := []byte(` 1 , "a" , {"x":[1,"]}"]} , ` + fake)
	atts := [][]byte{[]byte("hi")}
	var (
		n    int
		s    string
		m    map[string]any
		b    []byte
		none = "kept"
	)
	require.NoError(t, sio.DecodeArgs(args, atts, &n, &s, &m, &b, &none))
	require.Equal(t, 1, n)
	require.Equal(t, "a", s)
	require.Equal(t, map[string]any{"x": []any{1.0, "]}"}}, m)
	require.Equal(t, "hi", string(b))
	require.Equal(t, "kept", none)

	n = 0
	require.NoError(t, sio.DecodeArgs(args, atts, nil, &s))
	err := sio.DecodeArgs(args, atts, &n, &n)
	require.ErrorContains(t, err, "argument 2: expected int: ")
	var arg *sio.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, 2, arg.Index)
	require.NoError(t, sio.DecodeArgs(nil, nil, &n))
}

func TestSplitArgs(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		``:                             ``,
		`1`:                            `1`,
		`1,"a"`:                        `1|"a"`,
		`"a,b\",",[1,[2]],{"a":"}"}`:   `"a,b\","|[1,[2]]|{"a":"}"}`,
		` null , true,false , -1.5e3 `: `null|true|false|-1.5e3`,
		`[],{},""`:                     `[]|{}|""`,
	} {
		var got []string
		for _, arg := range sio.SplitArgs(nil, []byte(args)) {
			got = append(got, string(arg))
		}
		require.Equal(t, want, strings.Join(got, "|"), args)
	}
}

func TestParseEdges(t *testing.T) {
	t.Parallel()
	_, err := sio.Parse(nil, 10)
	require.ErrorIs(t, err, sio.ErrEmpty)
	for _, text := range []string{"2/a,  ", "2 ", "1 ", "2\x00", "2[\"ev\"]\x00", "\xff"} {
		_, err := sio.Parse([]byte(text), 10)
		require.Error(t, err, "%q", text)
	}
	// No attachments at all.
	_, err = sio.Parse([]byte(`51-["ev"]`), 0)
	require.ErrorIs(t, err, sio.ErrTooManyAttachments)
	_, err = sio.Parse([]byte(`50-["ev"]`), 0)
	require.ErrorIs(t, err, sio.ErrIllegalAttachments)
	// Appending to a result must not write into its neighbors.
	p, err := sio.Parse([]byte(`2["ev",1]`), 10)
	require.NoError(t, err)
	_ = append(p.Name, 'x')
	_ = append(p.Args, 'x')
	_ = append(p.Data, 'x')
	require.Equal(t, `["ev",1]`, string(p.Data))
}

func TestAssembler(t *testing.T) {
	t.Parallel()
	var a sio.Assembler
	p, err := sio.Parse([]byte(`52-["ev",`+fake+`]`), 10)
	require.NoError(t, err)
	require.ErrorIs(t, a.Begin(p, len(p.Data)-1), sio.ErrTooLarge)
	require.ErrorIs(t, a.Begin(sio.Packet{}, 100), sio.ErrUnexpectedBinary)
	require.NoError(t, a.Begin(p, 100))
	require.ErrorIs(t, a.Begin(p, 100), sio.ErrPendingAttachments)
	done, err := a.Add([]byte("a"))
	require.NoError(t, err)
	require.False(t, done)
	_, atts := a.Take() // given up
	require.Len(t, atts, 1)
	require.False(t, a.Pending())
	require.NoError(t, a.Begin(p, 100))
	_, err = a.Add(nil)
	require.NoError(t, err)
	done, err = a.Add([]byte("b"))
	require.NoError(t, err)
	require.True(t, done)
	_, err = a.Add([]byte("c"))
	require.ErrorIs(t, err, sio.ErrUnexpectedBinary)
	got, atts := a.Take()
	require.Equal(t, p, got)
	require.Equal(t, [][]byte{nil, []byte("b")}, atts)
}
