package fields

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		list := rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "list")
		number := rapid.Uint64().Draw(t, "number")
		b := binary.AppendUvarint(AppendList(Append(nil, text), list), number)

		r := Reader{Rest: b}
		require.Equal(t, text, string(r.Bytes()))
		got := List[[]byte](&r, len(list))
		require.Len(t, got, len(list))
		for i := range list {
			require.Equal(t, string(list[i]), string(got[i]))
		}
		require.Equal(t, number, r.Number())
		require.False(t, r.Bad)
		require.Empty(t, r.Rest)

		// Whatever is missing at the end is noticed.
		r = Reader{Rest: b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]}
		r.Bytes()
		List[[]byte](&r, math.MaxInt)
		r.Number()
		require.True(t, r.Bad)
		require.Empty(t, r.Rest)
	})
}

func TestListsThatLie(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {3, 0, 0}, {0xff}, binary.AppendUvarint(nil, math.MaxUint64)} {
		r := Reader{Rest: b}
		require.Nil(t, List[string](&r, math.MaxInt), "%v", b)
		require.True(t, r.Bad, "%v", b)
	}
	r := Reader{Rest: []byte{2, 0, 0}}
	require.Nil(t, List[string](&r, 1))
	require.True(t, r.Bad, "more than may be")
}

func FuzzReader(f *testing.F) {
	f.Add(AppendList(Append(nil, "a"), []string{"b", "", "c"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Reader{Rest: b}
		for !r.Bad {
			before := len(r.Rest)
			r.Bytes()
			List[string](&r, 1<<16)
			require.Less(t, len(r.Rest), max(before, 1))
		}
	})
}
