package msgpack_test

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

// values draws arguments. Special ones are those that text does not give back.
func values(special bool) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.Int64().AsAny(), rapid.Int().AsAny(), rapid.Uint64().AsAny(), rapid.IntRange(-300, 300).AsAny(),
		rapid.Float64().AsAny(), rapid.Float32().AsAny(),
		rapid.SliceOfN(rapid.Byte(), 0, 300).AsAny(),
		rapid.SampledFrom([]any{"", "\"\\\u2028", "\U0001f600", "_placeholder", 1e21, 1 << 53, math.Copysign(0, -1)}),
	}
	if special {
		leaves = append(leaves, rapid.SampledFrom([]any{
			math.NaN(), math.Inf(1), math.Inf(-1), time.Unix(1<<60, 0), time.UnixMilli(-1),
			time.Date(2026, 11, 20, 20, 43, 16, 999_999_999, time.UTC)}))
	}
	leaf := rapid.OneOf(leaves...)
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) any {
		depth := rapid.IntRange(1, 4).Draw(t, "depth")
		v := any(rapid.SliceOfN(leaf, 0, 20).Draw(t, "items"))
		for range depth {
			if rapid.Bool().Draw(t, "object") {
				m := rapid.MapOfN(rapid.StringN(0, 5, -1), leaf, 0, 20).Draw(t, "map")
				m["v"] = v
				v = m
			} else {
				v = []any{leaf.Draw(t, "before"), v, leaf.Draw(t, "behind")}
			}
		}
		return v
	}))
}

// Whichever way a packet goes from its values to a client, it arrives the same.
func TestBothFormsAgree(t *testing.T) {
	t.Parallel()
	for _, special := range []bool{false, true} {
		rapid.Check(t, func(t *rapid.T) {
			args := rapid.SliceOfN(values(special), 0, 20).Draw(t, "args")
			nsp := rapid.SampledFrom([]string{"/", "/a"}).Draw(t, "nsp")
			id := rapid.SampledFrom([]int64{-1, 0, 127, 128, sio.MaxID}).Draw(t, "id")
			text, atts, err := sio.AppendEvent(nil, nsp, id, "ev", args)
			require.NoError(t, err)
			packed, err := msgpack.AppendEvent(nil, nsp, id, "ev", args)
			require.NoError(t, err)

			back, backAtts, err := msgpack.ToText(nil, packed, msgpack.Limits{})
			require.NoError(t, err)
			require.Equal(t, string(text), string(back))
			requireSame(t, atts, backAtts)

			fromText, err := msgpack.FromText(nil, text, atts)
			require.NoError(t, err)
			if !special {
				require.Equal(t, packed, fromText)
			}
			back, _, err = msgpack.ToText(nil, fromText, msgpack.Limits{})
			require.NoError(t, err)
			require.Equal(t, string(text), string(back))

			p, decoded, err := msgpack.Decode(nil, packed, msgpack.Limits{})
			require.NoError(t, err)
			want, err := sio.Parse(text, len(atts))
			require.NoError(t, err)
			require.Equal(t, want, p)
			requireSame(t, atts, decoded)
			requireAlias(t, decoded, packed)
		})
	}
}

func requireSame(t require.TestingT, want, got [][]byte) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, string(want[i]), string(got[i]))
	}
}

// requireAlias checks that attachments are parts of b, not copies.
func requireAlias(t require.TestingT, atts [][]byte, b []byte) {
	first := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	for _, a := range atts {
		at := uintptr(unsafe.Pointer(unsafe.SliceData(a)))
		require.True(t, at >= first && at+uintptr(len(a)) <= first+uintptr(len(b)))
		require.Equal(t, len(a), cap(a), "appending must not reach the message")
	}
}
