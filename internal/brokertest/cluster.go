package brokertest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slots of a Valkey Cluster.
const slots = 16_384

// StartCluster starts a Valkey Cluster of n servers, each a primary with its
// share of the slots, and waits until each takes commands.
func StartCluster(t testing.TB, n int, args ...string) []*Server {
	t.Helper()
	var all []*Server
	var bus []string
	for i := range n {
		port := strconv.Itoa(freePort(t))
		s := Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", port,
			"--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf"}, args...)...)
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		all = append(all, s)
		bus = append(bus, port)
	}
	for _, s := range all[1:] {
		_, port, err := net.SplitHostPort(all[0].Addr)
		require.NoError(t, err)
		s.Do("CLUSTER", "MEET", "127.0.0.1", port, bus[0])
	}
	for _, s := range all {
		deadline := time.Now().Add(20 * time.Second)
		for {
			info := s.Do("CLUSTER", "INFO")
			if strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", n)) {
				break
			}
			require.False(t, time.Now().After(deadline), "the cluster does not form: %s", info)
			time.Sleep(20 * time.Millisecond)
		}
	}
	return all
}
