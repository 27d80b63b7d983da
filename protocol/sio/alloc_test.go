//go:build !race

package sio_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

// Not parallel: AllocsPerRun counts the whole process.
func TestAllocations(t *testing.T) {
	buf := make([]byte, 0, 16<<10)
	for _, text := range [][]byte{
		event(64), event(4096), []byte(`0{"token":"t"}`), []byte(`3/chat,17["ok"]`),
		[]byte(`51-/chat,7["ev",` + fake + `]`), []byte(`42["ev"`), []byte(`1`),
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			_, _ = sio.Parse(text, sio.DefaultMaxAttachments)
		}), "Parse %.20s", text)
	}
	p, err := sio.Parse(event(4096), sio.DefaultMaxAttachments)
	require.NoError(t, err)
	for name, args := range map[string][]any{
		"none":    nil,
		"string":  {"hello world"},
		"scalars": {1, 1.5, true, nil},
		"map":     {map[string]any{"a": "b", "c": []any{1}}},
		"strings": {[]string{"a"}, map[string]string{"a": "b"}},
		"relay":   {sio.Raw{JSON: p.Args}, json.RawMessage(p.Args)},
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, _, err := sio.AppendEvent(buf, "/chat", 7, "ev", args); err != nil {
				t.Fatal(err)
			}
		}), "AppendEvent %s", name)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, _, err := sio.AppendAck(buf, "/chat", 7, args); err != nil {
				t.Fatal(err)
			}
		}), "AppendAck %s", name)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for it := sio.IterArgs(p.Args); ; {
			if _, ok := it.Next(); !ok {
				return
			}
		}
	}))
	placeholders := []byte(`["ev",` + fake + `,{"a":[` + fake + `]}]`)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if sio.CheckPlaceholders(placeholders, 1) != nil {
			t.Fail()
		}
	}))
}
