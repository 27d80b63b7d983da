//go:build !race

package cluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
)

func TestAllocations(t *testing.T) {
	op := cluster.Op{Kind: cluster.Emit, NS: "/", Rooms: []string{"room"}, Body: make([]byte, 100)}
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() {
		_ = op.Append(make([]byte, 0, op.Size()))
	}), "the entry")
	b := op.Append(nil)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		_, _ = cluster.Parse(b)
	}), 3.0, "namespace, list, room: the body is shared")
	long := []byte("\x01\x01\x00\x00\x00\x00\xff\xff\x03a")
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		_, _ = cluster.Parse(long)
	}), 3.0, "a length that lies allocates the error only")
}
