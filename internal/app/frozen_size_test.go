//go:build !long

package app

import "time"

var frozenSize = size{clients: 200, freeze: time.Second, timeout: 300 * time.Millisecond,
	slower: 300 * time.Millisecond}
