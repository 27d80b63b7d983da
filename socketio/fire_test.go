//go:build !long

package socketio

import "time"

// underFire is the size of TestUpgradeUnderFire in a plain run: few clients,
// much faster than applications are.
var underFire = fireSize{clients: 60, last: 250, period: 2 * time.Millisecond, polls: 20,
	loops: []int{1, 2, 4}}
