package msgpack_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

// message turns notation into bytes: 'text' stands for a short string with
// its head, the rest is hexadecimal.
func message(t testing.TB, notation string) []byte {
	t.Helper()
	var b []byte
	for i, part := range strings.Split(notation, "'") {
		if i%2 == 1 {
			require.Less(t, len(part), 32)
			b = append(append(b, 0xa0|byte(len(part))), part...)
			continue
		}
		digits, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		require.NoError(t, err)
		b = append(b, digits...)
	}
	return b
}

func TestToText(t *testing.T) {
	t.Parallel()
	event := func(args string) string { return "83 'type' 02 'data' " + args + " 'nsp' '/'" }
	for _, c := range []struct{ name, in, want string }{
		{"connect as JavaScript sends it", "83 'type' 00 'data' d40000 'nsp' '/'", "0"},
		{"connect without data", "82 'type' 00 'nsp' '/custom'", "0/custom,"},
		{"connect with null", "83 'type' 00 'data' c0 'nsp' '/'", "0"},
		{"connect with auth", "83 'type' 00 'data' 81 'token' 't' 'nsp' '/'", `0{"token":"t"}`},
		{"auth with binary", "83 'type' 00 'data' 81 'b' c40101 'nsp' '/'", `0{"b":"AQ=="}`},
		{"reply", "83 'type' 00 'data' 81 'sid' 'x' 'nsp' '/'", `0{"sid":"x"}`},
		{"disconnect", "82 'type' 01 'nsp' '/a'", `1/a,`},
		{"disconnect with null", "83 'type' 01 'data' c0 'nsp' '/'", `1`},
		{"event, options", "85 'type' 02 'data' 92 'ev' 01 'options' 81 'compress' c3 'id' 00 'nsp' '/'",
			`20["ev",1]`},
		{"undefined id", "84 'type' 02 'data' 91 'ev' 'id' d40000 'nsp' '/'", `2["ev"]`},
		{"type as a float", "83 'type' cb4000000000000000 'data' 91 'ev' 'nsp' '/'", `2["ev"]`},
		{"numeric name", event("91 07"), `2[7]`},
		{"ack", "84 'type' 03 'id' 05 'data' 91 'x' 'nsp' '/'", `35["x"]`},
		{"ack without id", "83 'type' 03 'data' 90 'nsp' '/'", `3[]`},
		{"largest id", "84 'type' 03 'id' cf001fffffffffffff 'data' 90 'nsp' '/'", `39007199254740991[]`},
		{"connect error", "83 'type' 04 'data' 81 'message' 'no' 'nsp' '/mw'", `4/mw,{"message":"no"}`},
		{"connect error, string", "83 'type' 04 'data' 'no' 'nsp' '/mw'", `4/mw,"no"`},
		{"extra keys", "85 'type' 02 07 91 c0 'x' 82 'a' 01 02 c40100 'data' 91 'ev' 'nsp' '/'", `2["ev"]`},
		{"last of equal keys", "84 'type' 02 'type' 03 'data' 90 'nsp' '/'", `3[]`},

		{"integers", event("9c 'e' 7f ff e0 ccff cdffff ceffffffff cfffffffffffffffff d080 d18000 d280000000 d38000000000000000"),
			`2["e",127,-1,-32,255,65535,4294967295,18446744073709551615,-128,-32768,-2147483648,-9223372036854775808]`},
		{"floats", event("97 'e' cb3ff8000000000000 ca3dcccccd cb7ff8000000000000 cbfff0000000000000 cb8000000000000000 cb444b1ae4d6e2ef50"),
			`2["e",1.5,0.10000000149011612,null,null,0,1e+21]`},
		{"literals", event("95 'e' c0 c2 c3 d40000"), `2["e",null,false,true,null]`},
		{"undefined member", event("92 'e' 83 'a' d40000 'b' 01 'c' d40000"), `2["e",{"b":1}]`},
		{"only undefined", event("92 'e' 81 'a' d40000"), `2["e",{}]`},
		{"date", event("92 'e' d700 000001a1fab2faa0"), `2["e","2026-11-20T20:43:16.000Z"]`},
		{"date before 1970", event("92 'e' d700 ffffffffffffffff"), `2["e","1969-12-31T23:59:59.999Z"]`},
		{"no date", event("92 'e' d700 7fffffffffffffff"), `2["e",null]`},
		{"timestamps", event("94 'e' d6ff 00000001 d7ff 773594000000000 1 c70cff 00000000 ffffffffffffffff"),
			`2["e","1970-01-01T00:00:01.000Z","1970-01-01T00:00:01.500Z","1969-12-31T23:59:59.000Z"]`},
		{"odd timestamp", event("92 'e' d4ff 05"), `51-["e",[-1,{"_placeholder":true,"num":0}]] 05`},
		{"binary", event("94 'e' c40101 c5000102 c600000000"),
			`53-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}] 01 02 `},
		{"typed arrays", event("94 'e' c7010009 c8000200 0102 c90000000100 03"),
			`53-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}] 09 0102 03`},
		{"typed array of 8 bytes", event("92 'e' c70800 0102030405060708"),
			`51-["e",{"_placeholder":true,"num":0}] 0102030405060708`},
		{"unknown extension", event("92 'e' d505 0102"), `51-["e",[5,{"_placeholder":true,"num":0}]] 0102`},
		{"type 0, other sizes", event("92 'e' d500 0102"), `51-["e",[0,{"_placeholder":true,"num":0}]] 0102`},
		{"binary ack", "84 'type' 03 'id' 07 'data' 91 c40101 'nsp' '/a'",
			`61-/a,7[{"_placeholder":true,"num":0}] 01`},
		{"integer keys", event("92 'e' 83 01 02 ff 03 cfffffffffffffffff 04"),
			`2["e",{"1":2,"-1":3,"18446744073709551615":4}]`},
		{"strings", event("94 'e' d90161 da000162 db0000000163"), `2["e","a","b","c"]`},
		{"not UTF-8", event("93 'e' a1ff a3eda0bd"), `2["e","` + "\ufffd" + `","\ud83d"]`},
		{"placeholder as data", event("92 'e' 82 '_placeholder' c3 'num' 07"),
			`2["e",{"_placeholder":true,"num":7}]`},
		{"unmarked beside binary", event("93 'e' c40101 82 '_placeholder' c2 'num' 07"),
			`51-["e",{"_placeholder":true,"num":0},{"_placeholder":false,"num":7}] 01`},
		{"nesting", event("93 'e' 93 90 80 91 90 82 'a' 91 81 'b' 80 'c' 90"),
			`2["e",[[],{},[[]]],{"a":[{"b":{}}],"c":[]}]`},
		{"long containers", event("93 'e' dc0001 01 dd00000001 02"), `2["e",[1],[2]]`},
		{"long maps", event("93 'e' de0001 'a' 01 df00000001 'b' 02"), `2["e",{"a":1},{"b":2}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, atts, err := msgpack.ToText([]byte("before"), message(t, c.in), msgpack.Limits{})
			require.NoError(t, err)
			got := string(text)
			for _, b := range atts {
				got += fmt.Sprintf(" %x", b)
			}
			require.Equal(t, "before"+c.want, got)
			_, err = sio.Parse(text[len("before"):], len(atts))
			require.NoError(t, err)
		})
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("91", n) }
	event := func(args string) string { return "83 'type' 02 'data' " + args + " 'nsp' '/'" }
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", msgpack.ErrMalformed},
		{"no map", "91 00", msgpack.ErrMalformed},
		{"text", "'2[]'", msgpack.ErrMalformed},
		{"trailing bytes", "82 'type' 01 'nsp' '/' 00", msgpack.ErrMalformed},
		{"short", "82 'type' 01 'nsp'", msgpack.ErrMalformed},
		{"unused byte", event("92 'e' c1"), msgpack.ErrMalformed},
		{"billions of elements", event("dd ffffffff"), msgpack.ErrMalformed},
		{"billions of members", "df ffffffff", msgpack.ErrMalformed},
		{"billions of bytes", event("92 'e' c6 ffffffff"), msgpack.ErrMalformed},
		{"billions of extension", event("92 'e' c9 ffffffff 00"), msgpack.ErrMalformed},
		{"cut number", "82 'nsp' '/' 'type' cb 0000", msgpack.ErrMalformed},
		{"cut extension", "82 'nsp' '/' 'type' d8 00", msgpack.ErrMalformed},
		{"cut extension head", "82 'nsp' '/' 'type' c7 01", msgpack.ErrMalformed},
		{"cut key", "82 'type' 01 a5", msgpack.ErrMalformed},
		{"key of the packet", "83 'type' 01 'nsp' '/' c0 00", msgpack.ErrIllegalKey},
		{"key is null", event("92 'e' 81 c0 00"), msgpack.ErrIllegalKey},
		{"key is a map", event("92 'e' 81 80 00"), msgpack.ErrIllegalKey},
		{"key is binary", event("92 'e' 81 c400 00"), msgpack.ErrIllegalKey},
		{"second key is binary", event("92 'e' 82 'a' 80 c400 00"), msgpack.ErrIllegalKey},
		{"no type", "81 'nsp' '/'", sio.ErrUnknownType},
		{"type 5", "83 'type' 05 'data' 91 'e' 'nsp' '/'", sio.ErrUnknownType},
		{"type -1", "83 'type' ff 'data' 91 'e' 'nsp' '/'", sio.ErrUnknownType},
		{"type 1.5", "82 'type' cb3ff8000000000000 'nsp' '/'", sio.ErrUnknownType},
		{"type NaN", "82 'type' cb7ff8000000000000 'nsp' '/'", sio.ErrUnknownType},
		{"type as a string", "82 'type' '1' 'nsp' '/'", sio.ErrUnknownType},
		{"no namespace", "81 'type' 01", msgpack.ErrIllegalNamespace},
		{"namespace is a number", "82 'type' 01 'nsp' 01", msgpack.ErrIllegalNamespace},
		{"namespace not UTF-8", "82 'type' 01 'nsp' a22fff", msgpack.ErrIllegalNamespace},
		{"namespace without text form", "82 'type' 01 'nsp' 'chat'", msgpack.ErrIllegalNamespace},
		{"empty namespace", "82 'type' 01 'nsp' ''", msgpack.ErrIllegalNamespace},
		{"namespace with a comma", "82 'type' 01 'nsp' '/a,b'", msgpack.ErrIllegalNamespace},
		{"id -1", "84 'type' 03 'id' ff 'data' 90 'nsp' '/'", sio.ErrIllegalID},
		{"id 2^53", "84 'type' 03 'id' cf0020000000000000 'data' 90 'nsp' '/'", sio.ErrIllegalID},
		{"id 1.5", "84 'type' 03 'id' cb3ff8000000000000 'data' 90 'nsp' '/'", sio.ErrIllegalID},
		{"id null", "84 'type' 03 'id' c0 'data' 90 'nsp' '/'", sio.ErrIllegalID},
		{"id as a string", "84 'type' 03 'id' '1' 'data' 90 'nsp' '/'", sio.ErrIllegalID},
		{"connect with a string", "83 'type' 00 'data' 's' 'nsp' '/'", sio.ErrInvalidPayload},
		{"connect with an array", "83 'type' 00 'data' 91 01 'nsp' '/'", sio.ErrInvalidPayload},
		{"disconnect with data", "83 'type' 01 'data' 80 'nsp' '/'", sio.ErrInvalidPayload},
		{"connect error without", "82 'type' 04 'nsp' '/'", sio.ErrInvalidPayload},
		{"connect error with null", "83 'type' 04 'data' c0 'nsp' '/'", sio.ErrInvalidPayload},
		{"event without data", "82 'type' 02 'nsp' '/'", sio.ErrInvalidPayload},
		{"event with a map", event("80"), sio.ErrInvalidPayload},
		{"event undefined", event("d40000"), sio.ErrInvalidPayload},
		{"event without a name", event("90"), sio.ErrInvalidPayload},
		{"event named true", event("91 c3"), sio.ErrInvalidPayload},
		{"event named NaN", event("91 cb7ff8000000000000"), sio.ErrInvalidPayload},
		{"reserved event", event("91 'connect_error'"), sio.ErrReservedEvent},
		{"ack with a string", "83 'type' 03 'data' 's' 'nsp' '/'", sio.ErrInvalidPayload},
		{"ack without data", "82 'type' 03 'nsp' '/'", sio.ErrInvalidPayload},
		{"forged placeholder", event("93 'e' c40101 82 '_placeholder' c3 'num' 07"), sio.ErrForgedPlaceholder},
		{"forged before", event("93 'e' 82 'num' 00 '_placeholder' c3 c40101"), sio.ErrForgedPlaceholder},
		{"too deep", event("92 'e' " + deep(512) + "00"), sio.ErrTooDeep},
		{"binary too deep", event("92 'e' " + deep(511) + "c400"), sio.ErrTooDeep},
		{"pair too deep", event("92 'e' " + deep(510) + "d40505"), sio.ErrTooDeep},
		{"ignored too deep", "83 'type' 01 'nsp' '/' 'x' " + deep(600) + "00", sio.ErrTooDeep},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte("before")
			text, atts, err := msgpack.ToText(dst, message(t, c.in), msgpack.Limits{})
			require.ErrorIs(t, err, c.want)
			require.Empty(t, atts)
			require.Equal(t, "before", string(text))
		})
	}
	for _, in := range []string{"92 'e' " + deep(511) + "00", "92 'e' " + deep(510) + "c400",
		"92 'e' " + deep(509) + "d40505"} {
		text, atts, err := msgpack.ToText(nil, message(t, event(in)), msgpack.Limits{})
		require.NoError(t, err)
		_, err = sio.Parse(text, len(atts))
		require.NoError(t, err, "what is accepted must be readable as text")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	// 7 keys and values of the packet, then 1 + 1 + 3 of the data.
	b := message(t, "83 'type' 02 'data' 94 'e' c400 c400 01 'nsp' '/'")
	_, err := msgpack.Parse(b, msgpack.Limits{Attachments: 2, Elements: 10})
	require.NoError(t, err)
	_, err = msgpack.Parse(b, msgpack.Limits{Attachments: 2, Elements: 9})
	require.ErrorIs(t, err, msgpack.ErrTooManyElements)
	_, err = msgpack.Parse(b, msgpack.Limits{Attachments: 1})
	require.ErrorIs(t, err, sio.ErrTooManyAttachments)
	many := append(message(t, "83 'type' 02 'nsp' '/' 'data' dd 00200001 'e'"), make([]byte, 1<<21)...)
	_, err = msgpack.Parse(many, msgpack.Limits{})
	require.ErrorIs(t, err, msgpack.ErrTooManyElements, "the default")
	many = message(t, "83 'type' 02 'nsp' '/' 'data' dc 03ea 'e' "+strings.Repeat("c400", 1001))
	_, err = msgpack.Parse(many, msgpack.Limits{})
	require.ErrorIs(t, err, sio.ErrTooManyAttachments, "the default")
}

func TestDecode(t *testing.T) {
	t.Parallel()
	b := message(t, "84 'type' 02 'id' 07 'data' 94 'e\"v' 01 c40101 81 'a' c3 'nsp' 'no,slash'")
	p, atts, err := msgpack.Decode(nil, b, msgpack.Limits{})
	require.NoError(t, err)
	require.Equal(t, sio.BinaryEvent, p.Type)
	require.Equal(t, 1, p.Attachments)
	require.Equal(t, "no,slash", string(p.Namespace))
	require.True(t, p.HasID)
	require.EqualValues(t, 7, p.ID)
	require.Equal(t, `e"v`, string(p.Name))
	require.Equal(t, `1,{"_placeholder":true,"num":0},{"a":true}`, string(p.Args))
	require.Equal(t, [][]byte{{1}}, atts)
	var n int
	var data []byte
	require.NoError(t, sio.DecodeArgs(p.Args, atts, &n, &data))
	require.Equal(t, []byte{1}, data)

	p, atts, err = msgpack.Decode([]byte("dropped"), message(t, "82 'type' 00 'nsp' '/'"), msgpack.Limits{})
	require.NoError(t, err)
	require.Empty(t, atts)
	require.Equal(t, sio.Packet{Type: sio.Connect, Namespace: []byte("/")}, p)
	_, _, err = msgpack.Decode(nil, message(t, "82 'type' 07 'nsp' '/'"), msgpack.Limits{})
	require.ErrorIs(t, err, sio.ErrUnknownType)
}
