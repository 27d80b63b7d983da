//go:build long

package clustertest_test

import (
	"time"

	"github.com/throng-server/throng/cluster/valkey"
)

// outage is how long a broker or a node is away.
const (
	outage = 30 * time.Second
	lease  = valkey.DefaultLease
	pace   = 50 * time.Millisecond
)
