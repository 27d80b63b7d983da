//go:build !long

package clustertest_test

import "time"

// outage is how long a broker or a node is away: longer than lease, where all
// leases lapse that are not renewed.
const (
	outage = 2 * time.Second
	lease  = 1500 * time.Millisecond
	pace   = 16 * time.Millisecond
)
