package eio_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/eio"
)

func message(text string) eio.Packet { return eio.Packet{Type: eio.Message, Data: []byte(text)} }

func binary(b ...byte) eio.Packet {
	return eio.Packet{Type: eio.Message, Binary: true, Data: b}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func all(it eio.Payload3Iter) (list []eio.Packet, err error) {
	for it.Next() {
		list = append(list, it.Packet())
	}
	if it.Next() {
		panic("Next goes on behind the end")
	}
	return list, it.Err()
}

// Bytes seen on the wire of the JavaScript server and its clients.
func TestTextPayload3(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		wire    string
		packets []eio.Packet
	}{
		{"two", `2:4013:42["auth",{}]`, []eio.Packet{message("0"), message(`2["auth",{}]`)}},
		{"noop", "1:6", []eio.Packet{{Type: eio.Noop}}},
		{"close", "1:1", []eio.Packet{{Type: eio.Close}}},
		{"binary", "10:b4AQIDBA==", []eio.Packet{binary(1, 2, 3, 4)}},
		{"no bytes", "2:b4", []eio.Packet{binary()}},
		{"probe", "6:2probe", []eio.Packet{{Type: eio.Ping, Data: []byte("probe")}}},
		{"accent", "2:4é1:6", []eio.Packet{message("é"), {Type: eio.Noop}}},
		{"emoji", "3:4😀1:6", []eio.Packet{message("😀"), {Type: eio.Noop}}},
		{"family", "12:4👨‍👩‍👧‍👦1:2", []eio.Packet{message("👨‍👩‍👧‍👦"), {Type: eio.Ping}}},
		{"last of the plane", "3:4\uffffa", []eio.Packet{message("\uffffa")}},
		{"a length inside", "4:42:a", []eio.Packet{message("2:a")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out []byte
			for _, p := range c.packets {
				out = eio.AppendPayload3(out, p)
			}
			require.Equal(t, c.wire, string(out))
			got, err := all(eio.IterPayload3([]byte(c.wire)))
			require.NoError(t, err)
			requirePackets(t, c.packets, got)
		})
	}
}

func requirePackets(t require.TestingT, want, got []eio.Packet) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Type, got[i].Type)
		require.Equal(t, want[i].Binary, got[i].Binary)
		require.Equal(t, string(want[i].Data), string(got[i].Data))
	}
}

func TestBinaryPayload3(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, wire string
		packets    []eio.Packet
	}{
		{"text and binary", "00 06 ff 34 68 65 6c 6c 6f 01 05 ff 04 01 02 03 04",
			[]eio.Packet{message("hello"), binary(1, 2, 3, 4)}},
		{"length in bytes", "00 07 ff 34 c3 a9 f0 9f 98 80 01 03 ff 04 01 02",
			[]eio.Packet{message("é😀"), binary(1, 2)}},
		{"two digits", "01 01 02 ff 04 00 00 00 00 00 00 00 00 00 00 00",
			[]eio.Packet{binary(make([]byte, 11)...)}},
		{"noop", "00 01 ff 36", []eio.Packet{{Type: eio.Noop}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out []byte
			for _, p := range c.packets {
				out = eio.AppendBinaryPayload3(out, p)
			}
			require.Equal(t, unhex(t, c.wire), out)
			got, err := all(eio.IterBinaryPayload3(out))
			require.NoError(t, err)
			requirePackets(t, c.packets, got)
		})
	}
	// Base64 inside, and other types as bytes, are read as well.
	got, err := all(eio.IterBinaryPayload3(unhex(t, "00 06 ff 62 34 41 51 3d 3d 01 01 ff 02")))
	require.NoError(t, err)
	requirePackets(t, []eio.Packet{binary(1), {Type: eio.Ping}}, got)
}

func TestInvalidPayload3(t *testing.T) {
	t.Parallel()
	for wire, good := range map[string]int{
		"": 0, "4hello": 0, ":4": 0, "1": 0, "1:": 0, "0:": 0, "2:4": 0, "-1:4": 0, "1.0:4": 0, " 1:4": 0,
		"+1:4": 0, "0x1:4": 0, "1e0:4": 0, "99999999999999999999:4": 0, "9999999999:4": 0, "00000000001:4": 0,
		"1:41": 1, "1:6x": 1, "1:61:9": 1, "1:7": 0, "2:bx": 0, "1:b": 0, "3:b4!": 0, "3:b9A": 0,
		"2:4😀": 0, "4:4😀": 0, "2:4\xff": 0, "4:4\xed\xa0\xbd": 0, "1:6\x00": 1, "1:4\n": 1,
	} {
		got, err := all(eio.IterPayload3([]byte(wire)))
		require.ErrorIs(t, err, eio.ErrParse, "%q", wire)
		require.Len(t, got, good, "%q", wire)
	}
	for wire, good := range map[string]int{
		"": 0, "00": 0, "00 01": 0, "00 01 ff": 0, "00 ff": 0, "00 00 ff": 0, "01 00 ff": 0, "02 01 ff 34": 0,
		"00 0a ff 34": 0, "00 31 ff 34": 0, "01 01 ff 07": 0, "01 01 ff 34": 0, "00 02 ff 34 ff": 0,
		"00 01 ff 36 05": 1, "00 01 ff 36 00 02 ff 34": 1,
		"00 09 09 09 09 09 09 09 09 09 09 09 ff 34": 0, "00 09 09 09 09 09 09 09 09 09 09 ff 34": 0,
	} {
		got, err := all(eio.IterBinaryPayload3(unhex(t, wire)))
		require.ErrorIs(t, err, eio.ErrParse, wire)
		require.Len(t, got, good, wire)
	}
}

// A Go string can hold half an emoji; the length must count what readers see.
func TestLoneSurrogatesInPayload3(t *testing.T) {
	t.Parallel()
	require.Equal(t, "5:4a\xed\xa0\xbd", string(eio.AppendPayload3(nil, message("a\xed\xa0\xbd"))))
	require.Equal(t, "2:4\xff", string(eio.AppendPayload3(nil, message("\xff"))))
}

func TestPrefersBinary3(t *testing.T) {
	t.Parallel()
	require.True(t, eio.PrefersBinary3(binary()))
	require.True(t, eio.PrefersBinary3(message("é")))
	require.False(t, eio.PrefersBinary3(message(`2["ev","~\u007f"]`)))
	require.False(t, eio.PrefersBinary3(eio.Packet{Type: eio.Noop}))
}

func TestPackets3(t *testing.T) {
	t.Parallel()
	require.Equal(t, "b4AQIDBA==", string(eio.AppendPacket3(nil, binary(1, 2, 3, 4))))
	require.Equal(t, "3probe", string(eio.AppendPacket3(nil, eio.Packet{Type: eio.Pong, Data: []byte("probe")})))
	require.Equal(t, []byte{4, 1, 2}, eio.AppendBinary3(nil, binary(1, 2)))
	p, err := eio.ParseText3([]byte("b4AQI"))
	require.NoError(t, err)
	requirePackets(t, []eio.Packet{binary(1, 2)}, []eio.Packet{p})
	p, err = eio.ParseBinary3([]byte{4})
	require.NoError(t, err)
	requirePackets(t, []eio.Packet{binary()}, []eio.Packet{p})
	for _, bad := range [][]byte{nil, {7}, {'4', 1}, {0xff}} {
		_, err = eio.ParseBinary3(bad)
		require.ErrorIs(t, err, eio.ErrParse)
	}
	for _, bad := range []string{"", "b", "bA", "b7AQ==", "b4*", "x", "7"} {
		_, err = eio.ParseText3([]byte(bad))
		require.ErrorIs(t, err, eio.ErrParse, bad)
	}
}

func TestJSONP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ index, payload, want string }{
		{"0", `2:40`, `___eio[0]("2:40");`},
		{"12", "6:42[\"\\\"\n\r\t\b\f\x01\"]", `___eio[12]("6:42[\"\\\"\n\r\t\b\f\u0001\"]");`},
		{"", "\u2028é😀\u2029", `___eio[]("\u2028é😀\u2029");`},
		{"1](alert(1))//", "</script>", `___eio[11]("\u003c/script>");`},
		{"0", "\xed\xa0\xbd", `___eio[0]("` + "\ufffd\ufffd\ufffd" + `");`},
	} {
		require.Equal(t, c.want, string(eio.AppendJSONP(nil, c.index, []byte(c.payload))))
	}
	for in, want := range map[string]string{
		"d=2%3A40":                   "2:40",
		"d=13%3A42%5B%22a+b%22%5D":   `13:42["a b"]`,
		"x=1&d=a&d=b":                "a",
		"d=":                         "",
		`d=a\nb`:                     "a\nb",
		`d=a%5Cnb`:                   "a\nb",
		`d=a\\nb`:                    `a\nb`,
		`d=a\\\nb`:                   `a\\nb`,
		`d=\n\n\\n\n`:                "\n\n\\n\n",
		`d=\\\\n`:                    `\\\n`,
		`d=\`:                        `\`,
		`d=\\`:                       `\\`,
		`d=\x`:                       `\x`,
		"d=3%3A4%F0%9F%98%80":        "3:4😀",
		"d=%E2%80%A8&anything=%zz&x": "\u2028",
	} {
		got, err := eio.DecodeJSONP([]byte(in))
		require.NoError(t, err, in)
		require.Equal(t, want, string(got), in)
	}
	for _, in := range []string{"", "d", "x=1", "d=%", "d=%zz", "D=1", "&&"} {
		_, err := eio.DecodeJSONP([]byte(in))
		require.ErrorIs(t, err, eio.ErrParse, in)
	}
}

func FuzzPayload3(f *testing.F) {
	f.Add([]byte(`2:4013:42["auth",{}]`))
	f.Add([]byte("10:b4AQIDBA==3:4😀"))
	f.Add([]byte("\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"))
	f.Add([]byte(`d=\\n%41`))
	f.Fuzz(func(t *testing.T, body []byte) {
		text, textErr := all(eio.IterPayload3(body))
		raw, _ := all(eio.IterBinaryPayload3(body))
		for _, list := range [][]eio.Packet{text, raw} {
			var asText, asBinary []byte
			for _, p := range list {
				asText = eio.AppendPayload3(asText, p)
				asBinary = eio.AppendBinaryPayload3(asBinary, p)
			}
			if len(list) == 0 {
				continue
			}
			// A packet "b<type>" without a message type keeps its data
			// but not the proof that this is UTF-8.
			got, err := all(eio.IterPayload3(asText))
			if err == nil {
				requirePackets(t, list, got)
			}
			got, err = all(eio.IterBinaryPayload3(asBinary))
			if err == nil {
				requirePackets(t, list, got)
			}
		}
		if textErr == nil {
			require.NotEmpty(t, text)
		}
		if payload, err := eio.DecodeJSONP(body); err == nil {
			require.LessOrEqual(t, len(payload), len(body))
		}
		require.LessOrEqual(t, len(eio.AppendJSONP(nil, "1", body)), 16+6*len(body))
	})
}
