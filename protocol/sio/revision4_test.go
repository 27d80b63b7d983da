package sio_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

func TestParse4(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, nsp, query, auth string }{
		{"0/ns?a=1&b=2,", "/ns", "a=1&b=2", `{"a":"1","b":"2"}`},
		{"0/ns?a=1&b=2", "/ns", "a=1&b=2", `{"a":"1","b":"2"}`},
		{"0/ns,", "/ns", "", "{}"},
		{"0/ns?,", "/ns", "", "{}"},
		{"0", "/", "", "{}"},
		{"0/?x,", "/", "x", `{"x":""}`},
		{`2/ns?a=1,["ev"]`, "/ns", "a=1", `{"a":"1"}`},
		{"0/ns?a=1&a=2&b&=3&&a=,", "/ns", "a=1&a=2&b&=3&&a=", `{"a":["1","2",""],"b":"","":"3"}`},
		{"0/ns?t=a%20b+c%2Bd%22%3D=,", "/ns", "t=a%20b+c%2Bd%22%3D=", `{"t":"a b c+d\"=="}`},
		{"0/ns?t=%zz%41%,", "/ns", "t=%zz%41%", `{"t":"%zzA%"}`},
		{"0/ns?t=%4,", "/ns", "t=%4", `{"t":"%4"}`},
		{"0/ns?__proto__=%ff%F0%9F%98%80,", "/ns", "__proto__=%ff%F0%9F%98%80",
			`{"__proto__":"` + "\ufffd\U0001f600" + `"}`},
		{"0/ns?a=1?b=2,", "/ns", "a=1?b=2", `{"a":"1?b=2"}`},
	} {
		p, query, err := sio.Parse4([]byte(c.in), sio.DefaultMaxAttachments)
		require.NoError(t, err, c.in)
		require.Equal(t, c.nsp, string(p.Namespace), c.in)
		require.Equal(t, c.query, string(query), c.in)
		require.Equal(t, c.auth, string(sio.AppendQuery(nil, query)), c.in)
	}
	_, _, err := sio.Parse4([]byte("9"), 0)
	require.ErrorIs(t, err, sio.ErrUnknownType)
	p, _, err := sio.Parse4([]byte("0/ns?a=1,"), 0)
	require.NoError(t, err)
	require.Equal(t, len(p.Namespace), cap(p.Namespace), "appending must not reach the text")

	var many map[string]string
	list := make([]string, 2*sio.MaxQueryFields)
	for i := range list {
		list[i] = strings.Repeat("x", i%1500+1)
	}
	require.NoError(t, json.Unmarshal(sio.AppendQuery(nil, []byte(strings.Join(list, "&"))), &many))
	require.Len(t, many, sio.MaxQueryFields)
}

func TestEncode4(t *testing.T) {
	t.Parallel()
	require.Equal(t, "40", string(sio.AppendConnect4([]byte("4"), "/")))
	require.Equal(t, "0/ns,", string(sio.AppendConnect4(nil, "/ns")))
	for _, c := range []struct {
		nsp, message string
		data         any
		hasData      bool
		want         string
	}{
		{"/mw", "nope", nil, false, `4/mw,"nope"`},
		{"/", "a\"<\u2028", nil, false, "4\"a\\\"<\u2028\""},
		{"/mw", "nope", map[string]any{"code": 7}, true, `4/mw,{"code":7}`},
		{"/mw", "nope", nil, true, `4/mw,null`},
		{"/mw", "nope", []byte{1}, true, `4/mw,"AQ=="`},
	} {
		text, err := sio.AppendConnectError4(nil, c.nsp, c.message, c.data, c.hasData)
		require.NoError(t, err)
		require.Equal(t, c.want, string(text))
	}
	b, err := sio.AppendConnectError4([]byte("4"), "/mw", "nope", make(chan int), true)
	require.Error(t, err)
	require.Equal(t, "4", string(b))
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=1&a=2", "%", "%4", "+%zz=\"", "=&&=", "\xff=\xed\xa0\x80"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		text := sio.AppendQuery(nil, query)
		require.NoError(t, sio.Validate(text))
		require.LessOrEqual(t, len(text), 2+12*(len(query)+1))
	})
}

func TestAppendMarked(t *testing.T) {
	t.Parallel()
	marks := []sio.Mark{{}}
	text, err := sio.AppendMarked([]byte("x"), []any{1, []byte{2},
		sio.Raw{JSON: []byte(`[{"num":1,"_placeholder":true},0]`), Attachments: [][]byte{{3}, {4}}},
		json.RawMessage(`{"_placeholder":true,"num":0}`)}, &marks)
	require.NoError(t, err)
	require.Equal(t, `x1,null,[null,0],{"_placeholder":true,"num":0}`, string(text))
	require.Len(t, marks, 3)
	for i, want := range [][]byte{{2}, {4}} {
		m := marks[i+1]
		require.Equal(t, sio.MarkBinary, m.Kind)
		require.Equal(t, want, m.Binary)
		require.Equal(t, "null", string(text[m.Start:m.End]))
	}
	text, err = sio.AppendMarked(text, []any{[]byte{1}, make(chan int)}, &marks)
	require.Error(t, err)
	require.Len(t, text, len(`x1,null,[null,0],{"_placeholder":true,"num":0}`))
	require.Len(t, marks, 3)
	_, err = sio.AppendPlaceholders(nil, []byte(`[{"_placeholder":true,"num":1}]`), [][]byte{{1}})
	require.ErrorIs(t, err, sio.ErrIllegalAttachments)
}
