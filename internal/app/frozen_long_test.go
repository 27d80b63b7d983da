//go:build long

package app

import "time"

// Both ends of the connections are in one process: what 20,000 open files allow.
var frozenSize = size{clients: 9500, freeze: 30 * time.Second, timeout: 10 * time.Second,
	slower: 100 * time.Millisecond}
