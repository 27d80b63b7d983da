//go:build long

package application

import "time"

// 5,000 events a second.
var size = sizes{clients: 500, period: 100 * time.Millisecond, round: 1500 * time.Millisecond,
	rounds: 3}
