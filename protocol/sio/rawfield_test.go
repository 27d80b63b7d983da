package sio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A message that names its receivers beside what is for them is relayed with
// its attachments as attachments.
func TestRawFieldKeepsAttachments(t *testing.T) {
	t.Parallel()
	type message struct {
		Room  string `json:"r"`
		Data  Raw    `json:"d,omitempty"`
		Other Raw
		Key   []byte `json:"key"`
		Not   Raw    `json:"-"`
	}
	atts := [][]byte{{1, 2}, {3}}
	var m message
	require.NoError(t, Decode([]byte(`{"r":"x","d":{"a":{"_placeholder":true,"num":1}},`+
		`"OTHER":7,"key":{"_placeholder":true,"num":0},"-":1}`), atts, &m))
	require.Equal(t, "x", m.Room)
	require.Equal(t, []byte{1, 2}, m.Key)
	require.Equal(t, `7`, string(m.Other.JSON))
	require.Empty(t, m.Not.JSON)

	text, out, err := AppendEvent(nil, "/", -1, "relay", []any{m.Data})
	require.NoError(t, err)
	require.Equal(t, `51-["relay",{"a":{"_placeholder":true,"num":0}}]`, string(text))
	require.Equal(t, [][]byte{{3}}, out)

	m = message{}
	require.NoError(t, Decode([]byte(`{"r":"x"}`), atts, &m))
	require.Empty(t, m.Data.JSON)
	p := &m
	require.NoError(t, Decode([]byte(`{"d":{"_placeholder":true,"num":0}}`), atts, &p))
	require.Equal(t, atts, m.Data.Attachments)
	require.Error(t, Decode([]byte(`{"d":{"_placeholder":true,"num":2}}`), atts, &m))
}
