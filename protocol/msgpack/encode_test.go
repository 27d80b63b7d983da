package msgpack_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

// args returns what stands between an event's name and its nsp.
func args(t *testing.T, list ...any) string {
	t.Helper()
	b, err := msgpack.AppendEvent(nil, "/", -1, "e", list)
	require.NoError(t, err)
	head := message(t, "83 'type' 02 'data'")
	tail := message(t, "'nsp' '/'")
	require.Equal(t, string(head), string(b[:len(head)]))
	require.Equal(t, string(tail), string(b[len(b)-len(tail):]))
	return hex.EncodeToString(b[len(head)+3 : len(b)-len(tail)])
}

func TestValues(t *testing.T) {
	t.Parallel()
	type inner struct {
		At time.Time `json:"at"`
		B  []byte    `json:"b"`
		N  float64   `json:"n,string"`
	}
	at := time.UnixMilli(1<<33 + 5)
	nan := math.NaN()
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"null", nil, "c0"},
		{"booleans", []any{true, false}, "92 c3 c2"},
		{"positive", []int{0, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32},
			"99 00 7f cc80 ccff cd0100 cdffff ce00010000 ceffffffff cf0000000100000000"},
		{"negative", []int{-1, -32, -33, -128, -129, -32768, -32769, -1 << 31, -1<<31 - 1},
			"99 ff e0 d0df d080 d1ff7f d18000 d2ffff7fff d280000000 d3ffffffff7fffffff"},
		{"limits", []any{int64(math.MinInt64), uint64(math.MaxUint64)}, "92 d38000000000000000 cfffffffffffffffff"},
		{"whole floats", []float64{1, math.Copysign(0, -1), 1 << 53}, "93 01 00 cf0020000000000000"},
		{"floats", []float64{1.5, 1e21, 1e300}, "93 cb3ff8000000000000 cb444b1ae4d6e2ef50 cb7e37e43c8800759c"},
		{"float32", float32(0.1), "cb3fb999999999999a"},
		{"not finite", []any{nan, math.Inf(1), float32(math.Inf(-1))},
			"93 cb7ff8000000000001 cb7ff0000000000000 cbfff0000000000000"},
		{"not finite behind a pointer", &nan, "cb7ff8000000000001"},
		{"json.Number", json.Number("1e2"), "64"},
		{"bytes", []byte{1, 2}, "c4020102"},
		{"no bytes", []byte(nil), "c400"},
		{"time", at, "d700 0000000200000005"},
		{"time and more", []any{1, at, nan, []byte{9}, "x"}, "95 01 d7000000000200000005 cb7ff8000000000001 c40109 'x'"},
		{"no Date", time.Unix(1<<60, 0), "c0"},
		{"struct", inner{At: at, B: []byte{7}, N: nan},
			"83 'at' d7000000000200000005 'b' c40107 'n' cb7ff8000000000001"},
		{"map keys in order", map[string]any{"b": 1, "a": []byte{1}, "c": at}, "83 'a' c40101 'b' 01 'c' d7000000000200000005"},
		{"integer keys", map[int]string{2: "x"}, "81 '2' 'x'"},
		{"raw JSON", json.RawMessage(` {"a" : [1.0, -0, 1e400, 18446744073709551616, "\ud83d\ude00\ud83d"] , "b":{} }`),
			"82 'a' 95 01 00 cb7ff0000000000000 cb43f0000000000000 a7f09f9880efbfbd 'b' 80"},
		{"imitated placeholder", []any{[]byte{1}, json.RawMessage(`{"_placeholder":true,"num":9}`)},
			"92 c40101 82 '_placeholder' c3 'num' 09"},
		{"relayed placeholder", sio.Raw{JSON: []byte(`[{"_placeholder":true,"num":1}]`),
			Attachments: [][]byte{{1}, {2}}}, "91 c40102"},
		{"escapes", json.RawMessage(`"\"\\\/\b\u0041\u00e9\udc00"`), "aa 225c2f0841c3a9 efbfbd"},
		{"backslashes and quotes", []string{`\`, `\"`, `"\\`}, "93 a15c a25c22 a3225c5c"},
		{"not UTF-8", "a\xff\xed\xa0\xbd", "a7 61 efbfbd efbfbd"},
		{"long string", strings.Repeat("x", 32), "d920" + strings.Repeat("78", 32)},
		{"escaped string that is long by escapes only", json.RawMessage(`"` + strings.Repeat(`\u0041`, 31) + `"`),
			"bf" + strings.Repeat("41", 31)},
		{"longer string", strings.Repeat("x", 256), "da0100" + strings.Repeat("78", 256)},
		{"longest string", strings.Repeat("x", 65536), "db00010000" + strings.Repeat("78", 65536)},
		{"long bytes", make([]byte, 256), "c50100" + strings.Repeat("00", 256)},
		{"longest bytes", make([]byte, 65536), "c600010000" + strings.Repeat("00", 65536)},
		{"long array", make([]int, 16), "dc0010" + strings.Repeat("00", 16)},
		{"longest array", make([]bool, 65536), "dd00010000" + strings.Repeat("c2", 65536)},
		{"nested", []any{[]any{}, []any{[]any{1}, map[string]any{}}, map[string]any{"a": []any{2, 3}}},
			"93 90 92 91 01 80 81 'a' 92 02 03"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, hex.EncodeToString(message(t, c.want)), args(t, c.in))
		})
	}
}

func TestPackets(t *testing.T) {
	t.Parallel()
	must := func(b []byte, err error) []byte {
		require.NoError(t, err)
		return b
	}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"event", must(msgpack.AppendEvent(nil, "", -1, "ev", nil)), "83 'type' 02 'data' 91 'ev' 'nsp' '/'"},
		{"with ack", must(msgpack.AppendEvent(nil, "/a", 300, "ev", []any{1})),
			"84 'type' 02 'id' cd012c 'data' 92 'ev' 01 'nsp' '/a'"},
		{"ack", must(msgpack.AppendAck(nil, "/", 0, []any{"x"})), "84 'type' 03 'id' 00 'data' 91 'x' 'nsp' '/'"},
		{"empty ack", must(msgpack.AppendAck(nil, "/", 5, nil)), "84 'type' 03 'id' 05 'data' 90 'nsp' '/'"},
		{"connect", msgpack.AppendConnect(nil, "/", "s"), "83 'type' 00 'data' 81 'sid' 's' 'nsp' '/'"},
		{"disconnect", msgpack.AppendDisconnect(nil, "/a"), "82 'type' 01 'nsp' '/a'"},
		{"refusal", must(msgpack.AppendConnectError(nil, "/", "no", nil, false)),
			"83 'type' 04 'data' 81 'message' 'no' 'nsp' '/'"},
		{"refusal with data", must(msgpack.AppendConnectError(nil, "/", "no", []byte{1}, true)),
			"83 'type' 04 'data' 82 'message' 'no' 'data' c40101 'nsp' '/'"},
		{"from text", must(msgpack.FromText(nil, []byte(`0/a,{"sid":"s","pid":"p"}`), nil)),
			"83 'type' 00 'data' 82 'sid' 's' 'pid' 'p' 'nsp' '/a'"},
		{"from binary text", must(msgpack.FromText(nil,
			[]byte(`52-/a,7["ev",{"_placeholder":true,"num":1},{"x":{"num":0,"_placeholder":true}}]`), [][]byte{{1}, {2}})),
			"84 'type' 02 'id' 07 'data' 93 'ev' c40102 81 'x' c40101 'nsp' '/a'"},
		{"placeholder as data", must(msgpack.FromText(nil, []byte(`2["ev",{"_placeholder":true,"num":1}]`), nil)),
			"83 'type' 02 'data' 92 'ev' 82 '_placeholder' c3 'num' 01 'nsp' '/'"},
		{"from disconnect", must(msgpack.FromText(nil, []byte(`1`), nil)), "82 'type' 01 'nsp' '/'"},
	} {
		require.Equal(t, hex.EncodeToString(message(t, c.want)), hex.EncodeToString(c.got), c.name)
		_, err := msgpack.Parse(c.got, msgpack.Limits{})
		require.NoError(t, err, c.name)
	}
}

func TestEncodingErrors(t *testing.T) {
	t.Parallel()
	dst := []byte("before")
	check := func(b []byte, err, want error) {
		t.Helper()
		require.ErrorIs(t, err, want)
		require.Equal(t, "before", string(b))
	}
	b, err := msgpack.AppendEvent(dst, "/", -1, "connect", nil)
	check(b, err, sio.ErrReservedEvent)
	b, err = msgpack.AppendEvent(dst, "/", -1, "ev", []any{1, json.RawMessage("{")})
	check(b, err, sio.ErrBadJSON)
	var arg *sio.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, 2, arg.Index)
	var unsupported *sio.UnsupportedTypeError
	_, err = msgpack.AppendAck(nil, "/", 1, []any{make(chan int)})
	require.ErrorAs(t, err, &unsupported)
	b, err = msgpack.AppendConnectError(dst, "/", "no", json.RawMessage("{"), true)
	check(b, err, sio.ErrBadJSON)
	require.NotErrorAs(t, err, &arg)

	for text, want := range map[string]error{
		"":                      sio.ErrEmpty,
		"7":                     sio.ErrUnknownType,
		"2":                     sio.ErrInvalidPayload,
		"3":                     sio.ErrInvalidPayload,
		"4":                     sio.ErrInvalidPayload,
		"2[\"\xff\"]":           sio.ErrNotUTF8,
		`51-["e"]`:              sio.ErrTooManyAttachments,
		`51-["e",{"_pl":true}]`: sio.ErrTooManyAttachments,
	} {
		b, err = msgpack.FromText(dst, []byte(text), nil)
		check(b, err, want)
	}
	b, err = msgpack.FromText(dst, []byte(`2["e"]`), [][]byte{{1}})
	check(b, err, sio.ErrIllegalAttachments)
	b, err = msgpack.FromText(dst, []byte(`51-["e",{"_placeholder":true,"num":1}]`), [][]byte{{1}})
	check(b, err, sio.ErrIllegalAttachments)
}

// A few bytes of JSON must not become a copy of an attachment each.
func TestRepeatedAttachments(t *testing.T) {
	t.Parallel()
	atts := [][]byte{make([]byte, 100_000)}
	named := func(n int) []byte {
		return []byte("[" + strings.Repeat(`{"_placeholder":true,"num":0},`, n) + "0]")
	}
	text := func(n int) []byte { return append(append([]byte(`51-["e",`), named(n)...), ']') }
	few, many := 11, 12 // beside the first, 1,000,000 and 1,100,000 bytes
	b, err := msgpack.FromText(nil, text(few), atts)
	require.NoError(t, err)
	require.Greater(t, len(b), few*100_000)
	_, err = msgpack.FromText(nil, text(many), atts)
	require.ErrorIs(t, err, sio.ErrAttachmentReused)
	_, err = msgpack.AppendEvent(nil, "/", -1, "e", []any{sio.Raw{JSON: named(few), Attachments: atts}})
	require.NoError(t, err)
	_, err = msgpack.AppendEvent(nil, "/", -1, "e", []any{sio.Raw{JSON: named(many), Attachments: atts}})
	require.ErrorIs(t, err, sio.ErrAttachmentReused)
	_, err = msgpack.AppendEvent(nil, "/", -1, "e",
		[]any{sio.Raw{JSON: []byte(`{"_placeholder":true,"num":1}`), Attachments: atts}})
	require.ErrorIs(t, err, sio.ErrIllegalAttachments)
}
