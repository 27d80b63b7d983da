package msgpack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

func TestValueToText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"01":                                  "1",
		"'a'":                                 `"a"`,
		"c0":                                  "null",
		"90":                                  "[]",
		"93 'e' 81 'a' c40107 d40000":         `["e",{"a":{"_placeholder":true,"num":0}},null]`,
		"81 '_placeholder' c3":                `{"_placeholder":true}`,
		"c403010203":                          `{"_placeholder":true,"num":0}`,
		"82 'a' d40000 01 cb7ff0000000000000": `{"1":null}`,
	} {
		text, atts, err := msgpack.ValueToText([]byte(">"), message(t, in), msgpack.Limits{})
		require.NoError(t, err, in)
		require.Equal(t, ">"+want, string(text), in)
		require.Len(t, atts, strings.Count(want, `"num":`), in)
	}
	for in, want := range map[string]error{
		"":                               msgpack.ErrMalformed,
		"01 01":                          msgpack.ErrMalformed,
		"92 01":                          msgpack.ErrMalformed,
		"81 90 01":                       msgpack.ErrIllegalKey,
		"92 c400 81 '_placeholder' c3":   sio.ErrForgedPlaceholder,
		"93 c400 c400 c400":              sio.ErrTooManyAttachments,
		"99 00 00 00 00 00 00 00 00 00":  msgpack.ErrTooManyElements,
		strings.Repeat("91", 600) + "c0": msgpack.ErrTooManyElements,
	} {
		text, atts, err := msgpack.ValueToText([]byte(">"), message(t, in),
			msgpack.Limits{Elements: 8, Attachments: 2})
		require.ErrorIs(t, err, want, in)
		require.Equal(t, ">", string(text))
		require.Nil(t, atts)
	}
	_, _, err := msgpack.ValueToText(nil, message(t, strings.Repeat("91", 600)+"c0"), msgpack.Limits{})
	require.ErrorIs(t, err, sio.ErrTooDeep)
}
