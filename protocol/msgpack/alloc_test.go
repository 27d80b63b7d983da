//go:build !race

package msgpack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
)

// Not parallel: AllocsPerRun counts the whole process.
func TestAllocations(t *testing.T) {
	small := message(t, "85 'type' 02 'data' 93 'message' 'hello' 82 'a' 01 'b' c3 "+
		"'options' 81 'compress' c3 'id' 07 'nsp' '/chat'")
	binary := message(t, "83 'type' 02 'data' 92 'message' c40101 'nsp' '/chat'")
	buf := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := msgpack.Parse(small, msgpack.Limits{}); err != nil {
			t.Fatal(err)
		}
	}), "Parse")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, _, err := msgpack.Decode(buf, small, msgpack.Limits{}); err != nil {
			t.Fatal(err)
		}
	}), "Decode")
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() {
		if _, _, err := msgpack.Decode(buf, binary, msgpack.Limits{}); err != nil {
			t.Fatal(err)
		}
	}), "Decode: the list of attachments")
	text := []byte(`2/chat,7["message","hello\n",{"a":1.5,"b":[true]}]`)
	args := []any{"hello", 1, 1.5, map[string]any{"a": []any{true}}, []byte{1}, time.Unix(1, 0)}
	atts := [][]byte{{1}}
	binaryText := []byte(`51-["e",{"_placeholder":true,"num":0}]`)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := msgpack.FromText(buf, text, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := msgpack.FromText(buf, binaryText, atts); err != nil {
			t.Fatal(err)
		}
	}), "FromText")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := msgpack.AppendEvent(buf, "/chat", 7, "ev", args); err != nil {
			t.Fatal(err)
		}
	}), "AppendEvent")
}

// What a message can make us allocate is in proportion to its size, whatever
// it claims to hold.
func TestClaimsCostNothing(t *testing.T) {
	for _, in := range []string{
		"83 'type' 02 'nsp' '/' 'data' dd ffffffff", "df ffffffff", "83 'type' 02 'data' c6 ffffffff",
		"83 'type' 02 'nsp' '/' 'data' 92 'e' " + strings.Repeat("dd00000010", 20),
	} {
		b := message(t, in)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, _, err := msgpack.Decode(nil, b, msgpack.Limits{}); err == nil {
				t.Fatal("accepted")
			}
		}), in)
	}
}
