//go:build long

package valkey

import "time"

// outage is how long brokers are away.
const outage = 30 * time.Second

// chaos is how long faults are made at random.
const chaos = 90 * time.Second
