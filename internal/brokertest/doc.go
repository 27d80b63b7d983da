// Package brokertest owns real Valkey servers for tests, and the ways in which
// they fail: stopped, killed, frozen, full, restarted empty, or, through a
// [Proxy], slow, cut off and half open.
package brokertest
