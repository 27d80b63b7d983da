//go:build !long

package valkey

import "time"

// outage is how long brokers are away: longer than a lease of the
// tests.
const outage = 2 * time.Second

// chaos is how long faults are made at random.
const chaos = 6 * time.Second
