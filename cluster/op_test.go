package cluster_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/throng-server/throng/cluster"
)

func anyOp(t *rapid.T) cluster.Op {
	names := rapid.SliceOfN(rapid.String(), 0, 4)
	list := func(what string) []string {
		if l := names.Draw(t, what); len(l) > 0 {
			return l
		}
		return nil
	}
	return cluster.Op{
		Kind:   cluster.Kind(rapid.IntRange(1, int(cluster.NamedLike)).Draw(t, "kind")),
		Flags:  cluster.Flags(rapid.Byte().Draw(t, "flags")),
		NS:     rapid.String().Draw(t, "ns"),
		Rooms:  list("rooms"),
		Except: list("except"),
		Names:  list("names"), Request: rapid.Uint64().Draw(t, "request"),
		Wait: rapid.Uint32().Draw(t, "wait"),
		Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
	}
}

func TestOpRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		op := anyOp(t)
		b := op.Append(nil)
		require.LessOrEqual(t, len(b), op.Size())
		got, err := cluster.Parse(b)
		require.NoError(t, err)
		if len(op.Body) == 0 {
			op.Body, got.Body = nil, nil
		}
		require.Equal(t, op, got)
	})
}

// Whatever is cut off, nothing is read that is not there.
func TestParseRefusesWhatIsCutOff(t *testing.T) {
	t.Parallel()
	op := cluster.Op{Kind: cluster.Emit, NS: "/chat", Rooms: []string{"a", "bc"},
		Except: []string{"d"}, Names: []string{"e"}, Request: 300, Wait: 5000}
	b := op.Append(nil)
	for n := range b {
		_, err := cluster.Parse(b[:n])
		require.ErrorIs(t, err, cluster.ErrEntry, n)
	}
	_, err := cluster.Parse(b)
	require.NoError(t, err)
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"another version":      "\x02\x01\x00\x00\x00\x00\x00\x00\x00",
		"kind 0":               "\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"a kind of the future": "\x01\xff\x00\x00\x00\x00\x00\x00\x00",
		"a long number":        "\x01\x01\x00" + strings.Repeat("\xff", 11),
		"a list that lies":     "\x01\x01\x00\x00\x00\x00\xff\xff\x03a",
		"a name that lies":     "\x01\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
	} {
		_, err := cluster.Parse([]byte(b))
		require.ErrorIs(t, err, cluster.ErrEntry, name)
	}
}

func FuzzParse(f *testing.F) {
	op := cluster.Op{Kind: cluster.Join, NS: "/", Rooms: []string{"a"}, Names: []string{"b", "c"},
		Request: 1, Body: []byte("x")}
	f.Add(op.Append(nil))
	f.Add([]byte("\x01\x01\x00\x00\x00\x00\xff\xff\x03a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := cluster.Parse(b)
		if err != nil {
			return
		}
		again, err := cluster.Parse(op.Append(nil))
		require.NoError(t, err)
		require.Equal(t, op, again)
	})
}
