// Package fleet owns one measurement: several servers on one port, joined by
// Valkey, with as many clients as file descriptors allow, and the broker
// restarted in the middle. Its test has the build tag fleet: it wants a machine
// for itself, for some minutes; see scripts/bench-fleet.sh.
package fleet
