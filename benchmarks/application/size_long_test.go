//go:build long

package application

import "time"

// 5,000 events a second; an endpoint of 10,000 clients that freezes.
var size = sizes{clients: 500, period: 100 * time.Millisecond, round: 1500 * time.Millisecond,
	rounds: 3, crowd: 10_000, rate: 1000, burst: 40_000, timeout: 2 * time.Second,
	freeze: 30 * time.Second, cycles: 2, strict: true}
