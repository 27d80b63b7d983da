//go:build long

package socketio

import "time"

// underFire is the full size of TestUpgradeUnderFire: at the end of the ramp
// all clients are there for ten seconds, official ones among them.
var underFire = fireSize{clients: 2000, last: 200, period: 100 * time.Millisecond, polls: 5,
	ramp: 10 * time.Second, loops: []int{1, 2}, official: 50}
