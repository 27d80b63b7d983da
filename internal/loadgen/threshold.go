package loadgen

import (
	"fmt"
	"slices"
)

// Threshold is one limit that a run had to keep.
type Threshold struct {
	Name  string   `json:"name"` // of the flag
	Limit float64  `json:"limit"`
	Value *float64 `json:"value"` // null: not measured, which keeps no limit
	OK    bool     `json:"ok"`
}

// A limitOf is what a threshold looks at. Times are in ms.
type limitOf struct {
	name  string
	least bool // the value must not be below
	help  string
	value func(r *Result) *float64
}

func number[N int | int64 | uint64 | float64](n N) *float64 {
	v := float64(n)
	return &v
}

func ofLatency(get func(r *Result) *Latency, pick func(l *Latency) float64) func(*Result) *float64 {
	return func(r *Result) *float64 {
		if l := get(r); l != nil {
			return number(pick(l))
		}
		return nil
	}
}

func delivery(r *Result) *Latency { return r.Latency }

var limits = []limitOf{
	{"max-p50", false, "median latency of deliveries",
		ofLatency(delivery, func(l *Latency) float64 { return l.P50 })},
	{"max-p99", false, "99th percentile of the latency of deliveries",
		ofLatency(delivery, func(l *Latency) float64 { return l.P99 })},
	{"max-p999", false, "99.9th percentile of the latency of deliveries",
		ofLatency(delivery, func(l *Latency) float64 { return l.P999 })},
	{"max-last", false, "99th percentile of the time until the last receiver has a message",
		ofLatency(func(r *Result) *Latency { return r.Last },
			func(l *Latency) float64 { return l.P99 })},
	{"max-handshake", false, "99th percentile of connecting",
		ofLatency(func(r *Result) *Latency { return r.Connections.Handshake },
			func(l *Latency) float64 { return l.P99 })},
	{"max-back", false, "time until the last dropped client is in again",
		ofLatency(func(r *Result) *Latency { return r.Back },
			func(l *Latency) float64 { return l.Max })},
	{"max-lost", false, "lost messages",
		func(r *Result) *float64 { return number(r.Messages.Lost) }},
	{"max-duplicate", false, "duplicate messages",
		func(r *Result) *float64 { return number(r.Messages.Duplicate) }},
	{"max-misrouted", false, "messages to who is not in the room",
		func(r *Result) *float64 { return number(r.Messages.Misrouted) }},
	{"max-failed", false, "failed handshakes",
		func(r *Result) *float64 { return number(r.Connections.Failed) }},
	{"max-died", false, "connections that the server or an error ended",
		func(r *Result) *float64 { return number(r.Connections.Died) }},
	{"max-overdue", false, "connections without a due heartbeat",
		func(r *Result) *float64 { return number(r.Heartbeats.Overdue) }},
	{"max-memory", false, "server's bytes a connection (needs --pid)",
		func(r *Result) *float64 {
			if r.Server == nil {
				return nil
			}
			return r.Server.PerConnection
		}},
	{"min-connected", true, "connections at the end of the ramp",
		func(r *Result) *float64 { return number(r.Connections.Connected) }},
	{"min-share", true, "part of the expected deliveries that came, 0 to 1",
		func(r *Result) *float64 { return r.Messages.Share }},
	{"min-per-second", true, "connects, cycles, returns or deliveries a second",
		func(r *Result) *float64 { return number(r.mainRate()) }},
}

// mainRate is the rate that the scenario is about.
func (r *Result) mainRate() float64 {
	switch r.Scenario {
	case Idle:
		return r.Connections.PerSecond
	case Churn:
		return r.Churn.PerSecond
	case Storm:
		return r.Lost.PerSecond
	}
	return r.Messages.DeliveriesPerSecond
}

// Limits lists the names of the thresholds there are, with what they are of.
// Names of times end in one of timeLimits.
func Limits() (names, help []string) {
	for _, l := range limits {
		names, help = append(names, l.name), append(help, l.help)
	}
	return names, help
}

// TimeLimit reports whether a threshold is a time, in ms.
func TimeLimit(name string) bool {
	return slices.Contains([]string{"max-p50", "max-p99", "max-p999", "max-last",
		"max-handshake", "max-back"}, name)
}

// Check compares the result with limits by name. What was not measured does
// not keep a limit.
func (r *Result) Check(wanted map[string]float64) error {
	for _, l := range limits {
		limit, ok := wanted[l.name]
		if !ok {
			continue
		}
		delete(wanted, l.name)
		t := Threshold{Name: l.name, Limit: limit, Value: l.value(r)}
		t.OK = t.Value != nil && (l.least && *t.Value >= limit || !l.least && *t.Value <= limit)
		r.OK = r.OK && t.OK
		r.Thresholds = append(r.Thresholds, t)
	}
	for name := range wanted {
		return fmt.Errorf("no threshold %q", name)
	}
	return nil
}
