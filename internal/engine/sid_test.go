package engine

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := ID{
			Node: rapid.Uint16().Draw(t, "node"),
			Loop: rapid.Uint8().Draw(t, "loop"),
			Slot: rapid.Uint32Range(0, MaxSlot).Draw(t, "slot"),
		}
		copy(id.Rand[:], rapid.SliceOfN(rapid.Byte(), RandLen, RandLen).Draw(t, "rand"))
		text := id.String()
		require.Regexp(t, `^[A-Za-z0-9_-]{20}$`, text)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		require.Len(t, raw, idBytes)
		back, ok := ParseID(text)
		require.True(t, ok)
		require.Equal(t, id, back)
	})
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{"", "AAAA", "AAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAA\n", "AAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAA/",
		"AAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAA\xff", "AAAAAAAAAAAAAAAAAAAé"} {
		_, ok := ParseID(s)
		require.False(t, ok, "%q", s)
	}
}

func TestEntropyNeverRepeats(t *testing.T) {
	var e Entropy
	seen := map[[RandLen]byte]bool{}
	for range 1000 {
		var b [RandLen]byte
		e.Take(&b)
		require.False(t, seen[b])
		seen[b] = true
	}
	require.False(t, seen[[RandLen]byte{}])
}
