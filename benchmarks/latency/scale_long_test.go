//go:build long

package latency

import "time"

// long tells whether times are asserted.
const long = true

// The sizes of the service levels.
var scale = sizes{
	members: 15_000, messages: 200, bursts: 5, pause: 10 * time.Millisecond,
	echoers: 100, period: 100 * time.Millisecond,
	sleepers: 1_000, sleep: time.Second,
	capWorkers: 100, capSleep: 200 * time.Millisecond,
	compute: 200 * time.Millisecond, computeFor: 4 * time.Second,
	saturators: 200, window: 8, saturateFor: 8 * time.Second,
	fanMembers: 1_000, fanFor: 1500 * time.Millisecond, fanRounds: 3,
}
