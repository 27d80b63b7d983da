package sio_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

// scriptTexts returns the packets of the scripts, which are the documents'
// examples.
func scriptTexts(f *testing.F) []string {
	var out []string
	for _, name := range []string{"testdata/packets.txt", "testdata/invalid.txt"} {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		for line := range strings.Lines(string(content)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "text 4"); ok {
				out = append(out, text)
			}
		}
	}
	return out
}

func FuzzParse(f *testing.F) {
	for _, text := range scriptTexts(f) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) {
			return
		}
		before := bytes.Clone(b)
		p, err := sio.Parse(b, sio.DefaultMaxAttachments)
		require.Equal(t, before, b)
		if err != nil {
			var known sio.Error
			require.ErrorAs(t, err, &known)
			return
		}
		if p.Data == nil {
			return
		}
		require.True(t, json.Valid(p.Data), "%q", p.Data)
		if p.Type != sio.Event && p.Type != sio.BinaryEvent {
			return
		}
		var items []json.RawMessage
		require.NoError(t, json.Unmarshal(p.Data, &items))
		args := sio.SplitArgs(nil, p.Args)
		require.Len(t, args, len(items)-1)
		require.Equal(t, len(args) == 1, p.Single)
		for i, arg := range args {
			require.Equal(t, string(items[i+1]), string(arg))
		}

		// Relaying gives the same event again, whatever its attachments.
		var atts [][]byte
		if p.Attachments > 0 {
			atts = make([][]byte, p.Attachments)
			for i := range atts {
				atts[i] = []byte{byte(i)}
			}
			if sio.CheckPlaceholders(p.Data, len(atts)) != nil {
				return
			}
		}
		relay := make([]any, len(args))
		for i, arg := range args {
			relay[i] = sio.Raw{JSON: arg, Attachments: atts}
		}
		text, sent, err := sio.AppendEvent(nil, "/", -1, string(p.Name), relay)
		require.NoError(t, err)
		for i, arg := range args {
			r := new(sio.Raw)
			sio.Receive(r, arg, atts)
			relay[i] = r
		}
		same, _, err := sio.AppendEvent(nil, "/", -1, string(p.Name), relay)
		require.NoError(t, err)
		require.Equal(t, string(text), string(same))
		again, err := sio.Parse(text, sio.DefaultMaxAttachments)
		require.NoError(t, err, "%s", text)
		require.Equal(t, string(p.Name), string(again.Name))
		require.NoError(t, sio.CheckPlaceholders(again.Data, len(sent)))
		if len(atts) == 0 {
			require.Equal(t, len(args), len(sio.SplitArgs(nil, again.Args)))
		}
	})
}

// valid reports whether encoding/json and this package agree that b is JSON,
// apart from what this package refuses on purpose.
func valid(t *testing.T, b []byte) bool {
	err := sio.Validate(b)
	if errors.Is(err, sio.ErrTooDeep) || errors.Is(err, sio.ErrNotUTF8) {
		return false
	}
	require.Equal(t, json.Valid(b), err == nil, "%q: %v", b, err)
	return err == nil
}

var jsonSeeds = []string{
	`null`, `true`, `false`, `0`, `-0`, `1.0`, `1e21`, `1e-7`, `12345678901234567890`, `1E+2`, `""`,
	`"<>& \u2028\ud83d\ude00\ud83d\n\u0000"`, `[]`, `{}`, ` [ 1 , "a" ] `, `{"b":1,"a":[{"c":null}]}`,
	`{"_placeholder":true,"num":0}`, `{"a":1,"a":2}`, `1e999`, `01`, `[1,]`, `"\x"`, `{"a":}`, `tru`,
	`"12345678\"abcdefgh\\"`, "\"\u2028é\x7f\"", "\"12345678\x1f\"",
}

func FuzzAppendJSON(f *testing.F) {
	for _, text := range jsonSeeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if !valid(t, b) || json.Unmarshal(b, &v) != nil {
			return
		}
		text, err := sio.AppendJSON(nil, v, nil)
		require.NoError(t, err)
		require.NoError(t, sio.Validate(text))
		var back any
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, v, back)
		// A second time changes nothing: the form is canonical.
		again, err := sio.AppendJSON(nil, back, nil)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
		// Reflection and the fast paths write the same.
		type named any
		slow, err := sio.AppendJSON(nil, []named{v}, nil)
		require.NoError(t, err)
		require.Equal(t, "["+string(text)+"]", string(slow))
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("<>&\u2028\xed\xa0\xbd\xed\xb8\x80\xff\x00\"\\")
	f.Add("\xed\xa0\xbd")
	f.Fuzz(func(t *testing.T, s string) {
		text := sio.AppendString(nil, s)
		require.NoError(t, sio.Validate(text))
		var back string
		require.NoError(t, sio.Decode(text, nil, &back))
		if utf8.ValidString(s) {
			require.Equal(t, s, back)
		}
		require.Equal(t, string(text), string(sio.AppendString(nil, back)))
	})
}

func FuzzDecode(f *testing.F) {
	for _, text := range jsonSeeds {
		f.Add([]byte(text), 0)
		f.Add([]byte(text), 1)
	}
	f.Add([]byte(`[{"_placeholder":true,"num":1},{"a":{"num":0.0,"_placeholder":true}}]`), 2)
	f.Add([]byte(`[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		atts := make([][]byte, min(max(n, 0), 4))
		for i := range atts {
			atts[i] = []byte{byte(i)}
		}
		type target struct {
			A []byte
			B any
			C []target
		}
		ok := valid(t, b)
		// Text that Parse would not let through must at least not panic.
		var v any
		err := sio.Decode(b, atts, &v)
		for _, dst := range []any{
			new([]byte), new(string), new(int), new([]any), new(map[string]any), new(target),
			new([]target), new(sio.Raw),
		} {
			_ = sio.Decode(b, atts, dst)
		}
		_ = sio.DecodeArgs(b, atts, new(any), new([]byte))
		_ = sio.CheckPlaceholders(b, n)
		if !ok {
			return
		}
		if len(atts) > 0 {
			if sio.CheckPlaceholders(b, len(atts)) == nil && err == nil {
				// Sent again, the attachments are where they were.
				var sent [][]byte
				text, err := sio.AppendJSON(nil, v, &sent)
				require.NoError(t, err)
				require.NoError(t, sio.CheckPlaceholders(text, len(sent)))
			}
			return
		}
		var want any
		wantErr := json.Unmarshal(b, &want)
		require.Equal(t, wantErr == nil, err == nil, "%v, %v", wantErr, err)
		if low := bytes.ToLower(b); err == nil && !bytes.Contains(low, []byte(`\ud`)) {
			require.Equal(t, want, v)
		}
	})
}
