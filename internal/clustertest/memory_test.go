package clustertest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/memory"
	"github.com/throng-server/throng/internal/clustertest"
)

func nodes(t testing.TB, bus *memory.Bus, n int) (list []cluster.Transport) {
	t.Helper()
	for i := range n {
		node, err := bus.Node(memory.Options{ID: fmt.Sprintf("node-%d", i), Renew: 5 * time.Millisecond})
		require.NoError(t, err)
		list = append(list, node)
	}
	return list
}

func TestScenariosOverMemory(t *testing.T) {
	t.Parallel()
	clustertest.Scenarios(t, func(t testing.TB, n int) []cluster.Transport {
		return nodes(t, memory.New(), n)
	})
}
