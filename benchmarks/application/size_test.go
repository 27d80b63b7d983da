//go:build !long

package application

import "time"

var size = sizes{clients: 50, period: 100 * time.Millisecond, round: 300 * time.Millisecond,
	rounds: 1, crowd: 200, rate: 500, burst: 800, timeout: 300 * time.Millisecond,
	freeze: time.Second, cycles: 1}
