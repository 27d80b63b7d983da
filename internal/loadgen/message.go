package loadgen

import "time"

// What a worker is told to do. It answers each command but stop with one
// report of kind done.
const (
	doSetup   = "setup"
	doConnect = "connect" // the worker's share of the connections
	doJoin    = "join"
	doHold    = "hold"
	doSend    = "send"   // the scenario's messages, for the duration
	doFinish  = "finish" // wait for what is under way, then settle accounts
	doChurn   = "churn"
	doStorm   = "storm"
	doStop    = "stop" // end what is being done, early
)

type command struct {
	Do     string        `json:"do"`
	Plan   *Plan         `json:"plan,omitempty"`   // setup
	Worker int           `json:"worker,omitempty"` // setup: its number
	For    time.Duration `json:"for,omitempty"`    // hold
	Sent   []uint32      `json:"sent,omitempty"`   // finish: the last number of each stream

	stopped bool // doStop came before it was begun
}

// Kinds of report.
const (
	tick = "tick" // while something is being done
	done = "done"
)

// report is what a worker says.
type report struct {
	Kind   string `json:"kind"`
	Do     string `json:"do"`
	Error  string `json:"error,omitempty"` // it cannot go on
	Counts counts `json:"counts"`
	// Of the last tick, in ms.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`

	Full *account `json:"full,omitempty"` // with done
}

// counts since the worker began.
type counts struct {
	Ready      int    `json:"ready"`  // connections that are in their namespace now
	Joined     int    `json:"joined"` // of them, in their room
	InFlight   int    `json:"in_flight"`
	Handshakes uint64 `json:"handshakes"` // ended well
	Failed     uint64 `json:"failed"`     // ended otherwise
	Died       uint64 `json:"died"`       // lost by or because of the server
	Dropped    uint64 `json:"dropped"`    // lost on purpose
	Returned   uint64 `json:"returned"`   // in again after that
	Recovered  uint64 `json:"recovered"`  // of them, with their state
	Cycles     uint64 `json:"cycles"`     // churn: connected and closed

	Sent       uint64 `json:"sent"`
	Blocked    uint64 `json:"blocked"`    // not sent: the server did not read
	Deliveries uint64 `json:"deliveries"` // different ones
	Gap        uint64 `json:"gap"`        // passed over, perhaps still under way
	Late       uint64 `json:"late"`
	Duplicate  uint64 `json:"duplicate"`
	Misrouted  uint64 `json:"misrouted"`
	Foreign    uint64 `json:"foreign"` // of another run
	Missed     uint64 `json:"missed"`  // passed over while a client was away
	Pings      uint64 `json:"pings"`   // answered
}

// add sums up over workers.
func (c *counts) add(o *counts) {
	c.Ready += o.Ready
	c.Joined += o.Joined
	c.InFlight += o.InFlight
	c.Handshakes += o.Handshakes
	c.Failed += o.Failed
	c.Died += o.Died
	c.Dropped += o.Dropped
	c.Returned += o.Returned
	c.Recovered += o.Recovered
	c.Cycles += o.Cycles
	c.Sent += o.Sent
	c.Blocked += o.Blocked
	c.Deliveries += o.Deliveries
	c.Gap += o.Gap
	c.Late += o.Late
	c.Duplicate += o.Duplicate
	c.Misrouted += o.Misrouted
	c.Foreign += o.Foreign
	c.Missed += o.Missed
	c.Pings += o.Pings
}

// account is what a worker knows at the end of a command.
type account struct {
	Latency   hist `json:"latency"`   // of deliveries
	Handshake hist `json:"handshake"` // from connect to the namespace's answer
	Lag       hist `json:"lag"`       // how much later than due a message was sent
	Back      hist `json:"back"`      // how long dropped connections were away

	Sent     map[uint32]uint32 `json:"sent"`     // the last number of each own stream
	Expected uint64            `json:"expected"` // deliveries, known after finish
	Lost     uint64            `json:"lost"`     // known after finish
	Missed   uint64            `json:"missed"`   // of the expected, while away
	Last     []byte            `json:"last"`     // lastReceipts of this worker

	Errors map[string]*ErrorCount `json:"errors"`

	Overdue      int           `json:"overdue"` // connections without a due ping
	PingInterval time.Duration `json:"ping_interval"`
	CPU          time.Duration `json:"cpu"`  // since the worker began
	Turn         time.Duration `json:"turn"` // the longest turn of the loop in this command
	Took         time.Duration `json:"took"` // by the clock
	Memory       int64         `json:"memory"`
}

// ErrorCount is how often something happened, and the first of them in words.
type ErrorCount struct {
	Count uint64 `json:"count"`
	First string `json:"first"`
}
