package sio_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

func TestAppendPackets(t *testing.T) {
	t.Parallel()
	prefix := func() []byte { return []byte("room4") }
	require.Equal(t, `room40{"sid":"abc"}`, string(sio.AppendConnect(prefix(), "/", "abc")))
	require.Equal(t, `room40/chat,{"sid":"abc"}`, string(sio.AppendConnect(prefix(), "/chat", "abc")))
	require.Equal(t, `room40/chat,{"sid":"abc","pid":"xyz"}`,
		string(sio.AppendConnectSession(prefix(), "/chat", "abc", "xyz")))
	require.Equal(t, `room41`, string(sio.AppendDisconnect(prefix(), "")))
	require.Equal(t, `room41/chat,`, string(sio.AppendDisconnect(prefix(), "/chat")))

	text, err := sio.AppendConnectError(prefix(), "/nope", "Invalid namespace", nil, false)
	require.NoError(t, err)
	require.Equal(t, `room44/nope,{"message":"Invalid namespace"}`, string(text))
	text, err = sio.AppendConnectError(prefix(), "/mw", "nope", map[string]any{"code": 7}, true)
	require.NoError(t, err)
	require.Equal(t, `room44/mw,{"message":"nope","data":{"code":7}}`, string(text))
	text, err = sio.AppendConnectError(prefix(), "/mw", "no", func() {}, true)
	require.Error(t, err)
	require.Equal(t, "room4", string(text))
}

func TestAppendEvent(t *testing.T) {
	t.Parallel()
	blob := []byte{1, 2}
	for _, c := range []struct {
		nsp  string
		id   int64
		args []any
		text string
		atts [][]byte
	}{
		{"/", -1, nil, `2["ev"]`, nil},
		{"", -1, []any{1, "a"}, `2["ev",1,"a"]`, nil},
		{"/chat", 17, []any{nil, true}, `2/chat,17["ev",null,true]`, nil},
		{
			"/chat", 7, []any{blob, map[string]any{"a": []byte{3}}},
			`52-/chat,7["ev",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]`,
			[][]byte{blob, {3}},
		},
	} {
		// Without and with room behind the prefix.
		for _, dst := range [][]byte{[]byte("4"), append(make([]byte, 0, 512), '4')} {
			text, atts, err := sio.AppendEvent(dst, c.nsp, c.id, "ev", c.args)
			require.NoError(t, err)
			require.Equal(t, "4"+c.text, string(text))
			require.Equal(t, c.atts, atts)
		}
	}
	text, atts, err := sio.AppendAck(nil, "/", 17, []any{"x"})
	require.NoError(t, err)
	require.Equal(t, `317["x"]`, string(text))
	require.Nil(t, atts)
	text, atts, err = sio.AppendAck([]byte("4"), "/chat", 0, []any{blob})
	require.NoError(t, err)
	require.Equal(t, `461-/chat,0[{"_placeholder":true,"num":0}]`, string(text))
	require.Equal(t, [][]byte{blob}, atts)
	text, _, err = sio.AppendAck(nil, "/", 3, nil)
	require.NoError(t, err)
	require.Equal(t, `33[]`, string(text))
}

func TestAppendEventTwelveAttachments(t *testing.T) {
	t.Parallel()
	args := make([]any, 12)
	for i := range args {
		args[i] = []byte{byte(i)}
	}
	text, atts, err := sio.AppendEvent(nil, "/", -1, "ev", args)
	require.NoError(t, err)
	require.Len(t, atts, 12)
	require.True(t, strings.HasPrefix(string(text), `512-["ev",{`), "%s", text)
	_, err = sio.Parse(text, sio.DefaultMaxAttachments)
	require.ErrorIs(t, err, sio.ErrTooManyAttachments)
	p, err := sio.Parse(text, 12)
	require.NoError(t, err)
	require.NoError(t, sio.CheckPlaceholders(p.Data, 12))
}

func TestAppendEventErrors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
	} {
		_, _, err := sio.AppendEvent(nil, "/", -1, name, nil)
		require.ErrorIs(t, err, sio.ErrReservedEvent)
		require.EqualError(t, err, `"`+name+`" is a reserved event name`)
	}

	text, atts, err := sio.AppendEvent([]byte("4"), "/", -1, "ev",
		[]any{[]byte{1}, map[string]any{"f": make(chan int)}})
	require.Equal(t, "4", string(text))
	require.Nil(t, atts)
	var arg *sio.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, 2, arg.Index)
	var unsupported *sio.UnsupportedTypeError
	require.ErrorAs(t, err, &unsupported)
	require.EqualError(t, err, "argument 2: cannot send a value of type chan int")
	_, _, err = sio.AppendEvent(nil, "/", -1, "ev", []any{func(int) {}})
	require.EqualError(t, err, "argument 1: cannot send a value of type func(int)")
	_, err = sio.AppendJSON(nil, map[bool]int{true: 1}, nil)
	require.ErrorAs(t, err, &unsupported)
	_, err = sio.AppendJSON(nil, 1i, nil)
	require.ErrorAs(t, err, &unsupported)
}

func TestCyclesEnd(t *testing.T) {
	t.Parallel()
	type node struct{ Next *node }
	ring := &node{}
	ring.Next = ring
	m := map[string]any{}
	m["m"] = m
	s := []any{nil}
	s[0] = s
	type pointer *pointer
	var p pointer
	p = &p
	type list []list
	l := list{nil}
	l[0] = l
	var boxed any
	boxed = &boxed
	for _, v := range []any{ring, m, s, p, l, boxed} {
		atts := [][]byte{}
		text, err := sio.AppendJSON([]byte("x"), v, &atts)
		require.ErrorIs(t, err, sio.ErrTooDeep)
		require.Equal(t, "x", string(text))
	}
}

type celsius float64

func (c celsius) MarshalText() ([]byte, error) { return []byte("hot <"), nil }

type spaced struct{ text string }

func (s spaced) MarshalJSON() ([]byte, error) { return []byte(s.text), nil }

type onPointer struct{}

func (p *onPointer) MarshalJSON() ([]byte, error) { return []byte(`"pointer"`), nil }

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	type blob []byte
	at := time.Date(2026, 11, 20, 21, 43, 16, 123_999_999, time.FixedZone("CET", 3600))
	var nilMap map[string]int
	var nilSlice []int
	var nilPointer *int
	var nilMarshaler *onPointer
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, `null`},
		{nilMap, `null`},
		{map[string]any(nil), `null`},
		{map[string]string(nil), `null`},
		{nilPointer, `null`},
		{nilMarshaler, `null`},
		{json.RawMessage(nil), `null`},
		{nilSlice, `[]`},
		{[]any(nil), `[]`},
		{[]string(nil), `[]`},
		{"<a href=\"x\">&\u2028\u2029\x7f", "\"<a href=\\\"x\\\">&\u2028\u2029\x7f\""},
		{"\x00\b\t\n\v\f\r\x1f\\/", `"\u0000\b\t\n\u000b\f\r\u001f\\/"`},
		{"a\xed\xa0\xbdb", `"a\ud83db"`},
		{"\xed\xb8\x80", `"\ude00"`},
		{"\xed\xa0\xbd\xed\xb8\x80", `"😀"`},
		{"\xed\xb8\x80\xed\xa0\xbd", `"\ude00\ud83d"`},
		{"\xff\xed\xa0", `"` + strings.Repeat("\ufffd", 3) + `"`},
		{1.0, `1`},
		{1e21, `1e+21`},
		{1e20, `100000000000000000000`},
		{1e-7, `1e-7`},
		{1e-6, `0.000001`},
		{-1.5e-10, `-1.5e-10`},
		{5e-324, `5e-324`},
		{math.MaxFloat64, `1.7976931348623157e+308`},
		{math.Copysign(0, -1), `0`},
		{math.NaN(), `null`},
		{math.Inf(1), `null`},
		{math.Inf(-1), `null`},
		{float32(0.1), `0.1`},
		{float32(1e21), `1e+21`},
		{float32(16777216), `16777216`},
		{int64(math.MinInt64), `-9223372036854775808`},
		{uint64(math.MaxUint64), `18446744073709551615`},
		{[]int8{-1, 2}, `[-1,2]`},
		{[3]byte{1, 2, 3}, `[1,2,3]`},
		{at, `"2026-11-20T20:43:16.123Z"`},
		{&at, `"2026-11-20T20:43:16.123Z"`},
		{time.Date(2026, 11, 20, 20, 43, 16, 0, time.UTC), `"2026-11-20T20:43:16.000Z"`},
		{time.Time{}, `"0001-01-01T00:00:00.000Z"`},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), `"-000001-01-01T00:00:00.000Z"`},
		{time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), `"+012345-01-01T00:00:00.000Z"`},
		{time.Date(275760, 9, 13, 0, 0, 0, 0, time.UTC), `"+275760-09-13T00:00:00.000Z"`},
		{time.Date(275760, 9, 13, 0, 0, 0, 1, time.UTC), `null`},
		{time.Date(-300000, 1, 1, 0, 0, 0, 0, time.UTC), `null`},
		{map[string]int{"b": 1, "a": 2, "<": 3}, `{"<":3,"a":2,"b":1}`},
		{map[string]string{"b": "1", "a": "2"}, `{"a":"2","b":"1"}`},
		{map[int]bool{10: true, 9: false}, `{"10":true,"9":false}`},
		{map[uint8]int{1: 1}, `{"1":1}`},
		{map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 1}, `{"127.0.0.1":1}`},
		{
			map[string]any{"z": map[string]any{"y": 1, "x": []any{2.5}}, "a": nil},
			`{"a":null,"z":{"x":[2.5],"y":1}}`,
		},
		{celsius(1), `"hot <"`},
		{[]celsius{1}, `["hot <"]`},
		{spaced{"{ \"a b\" : [ 1 , \"\\\" \" ] }"}, `{"a b":[1,"\" "]}`},
		{onPointer{}, `{}`},
		{&onPointer{}, `"pointer"`},
		{[]onPointer{{}}, `["pointer"]`},
		{map[string]onPointer{"a": {}}, `{"a":{}}`},
		{json.RawMessage(` {"b":1, "a":1.0}`), ` {"b":1, "a":1.0}`},
		{json.Number("1.50"), `1.50`},
		{json.Number(""), `0`},
		{errors.New("x"), `{}`},
		{blob("hi"), `{"_placeholder":true,"num":0}`},
		{[]byte(nil), `{"_placeholder":true,"num":0}`},
		{
			struct {
				B []byte            `json:"b"`
				A []blob            `json:"a"`
				C map[string][]byte `json:"c"`
				D any               `json:"d"`
			}{[]byte("1"), []blob{blob("2"), nil}, map[string][]byte{"x": nil}, blob("3")},
			`{"b":{"_placeholder":true,"num":0},"a":[{"_placeholder":true,"num":1},` +
				`{"_placeholder":true,"num":2}],"c":{"x":{"_placeholder":true,"num":3}},` +
				`"d":{"_placeholder":true,"num":4}}`,
		},
	} {
		var atts [][]byte
		text, err := sio.AppendJSON(nil, c.v, &atts)
		require.NoError(t, err, "%#v", c.v)
		require.Equal(t, c.want, string(text), "%T %#v", c.v, c.v)
		require.Equal(t, strings.Count(c.want, "_placeholder"), len(atts))
	}
	text, err := sio.AppendJSON(nil, []any{[]byte("hi")}, nil)
	require.NoError(t, err)
	require.Equal(t, `["aGk="]`, string(text))
}

func TestAppendJSONRefusesBrokenRaw(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "1 2", "[1,]", "nul", "\"\n\""} {
		_, err := sio.AppendJSON(nil, json.RawMessage(text), nil)
		require.ErrorIs(t, err, sio.ErrBadJSON, text)
		_, err = sio.AppendJSON(nil, spaced{text}, nil)
		require.ErrorIs(t, err, sio.ErrBadJSON, text)
	}
	_, err := sio.AppendJSON(nil, json.RawMessage("\"\xff\""), nil)
	require.ErrorIs(t, err, sio.ErrNotUTF8)
	_, err = sio.AppendJSON(nil, sio.Raw{JSON: []byte("[")}, nil)
	require.ErrorIs(t, err, sio.ErrBadJSON)
	for _, text := range []string{"01", "a", "1 ", "0x1", "+1", "-"} {
		_, err := sio.AppendJSON(nil, json.Number(text), nil)
		require.Error(t, err, text)
	}
}

func TestValidateDepth(t *testing.T) {
	t.Parallel()
	nest := func(n int) []byte {
		return []byte(strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	require.NoError(t, sio.Validate(nest(sio.MaxDepth)))
	require.ErrorIs(t, sio.Validate(nest(sio.MaxDepth+1)), sio.ErrTooDeep)
	require.ErrorIs(t, sio.Validate([]byte(strings.Repeat(`{"a":`, 1<<20))), sio.ErrTooDeep)
	// What may arrive may be relayed.
	p, err := sio.Parse([]byte(`2["ev",`+string(nest(sio.MaxDepth-1))+`]`), 0)
	require.NoError(t, err)
	text, _, err := sio.AppendEvent(nil, "/", -1, "ev", []any{json.RawMessage(p.Args)})
	require.NoError(t, err)
	_, err = sio.Parse(text, 0)
	require.NoError(t, err)
}
