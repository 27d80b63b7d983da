//go:build !long

package latency

import "time"

// long tells whether times are asserted.
const long = false

// The sizes of a plain test run.
var scale = sizes{
	members: 60, messages: 40, bursts: 2, pause: time.Millisecond,
	echoers: 10, period: 10 * time.Millisecond,
	sleepers: 40, sleep: 100 * time.Millisecond,
	capWorkers: 8, capSleep: 20 * time.Millisecond,
	compute: 10 * time.Millisecond, computeFor: 200 * time.Millisecond,
	saturators: 8, window: 4, saturateFor: 200 * time.Millisecond,
	fanMembers: 20, fanFor: 100 * time.Millisecond, fanRounds: 1,
}
