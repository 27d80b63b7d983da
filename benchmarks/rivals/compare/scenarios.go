package main

import (
	"strconv"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// A column is one figure of a scenario.
type column struct {
	key, title string
	get        func(*harness.Result) *float64
}

// scenario is one run of `throng bench` and what to look at. The first column
// is set in relation to the floor's.
type scenario struct {
	name, title, note string
	args              func(connections int) []string
	// forFew replaces args for servers that bear little.
	forFew  func(connections int) []string
	columns []column
}

// The columns that several scenarios have.
var (
	perDelivery = column{"cpu_delivery", "CPU us/delivery", func(r *harness.Result) *float64 {
		if r.Server == nil {
			return nil
		}
		return r.Server.CPUDelivery
	}}
	perSecond = column{"deliveries", "deliveries/s", func(r *harness.Result) *float64 {
		return &r.Messages.DeliveriesPerSecond
	}}
	p50 = column{"p50", "p50 ms", func(r *harness.Result) *float64 {
		if r.Latency == nil {
			return nil
		}
		return &r.Latency.P50
	}}
	p99 = column{"p99", "p99 ms", func(r *harness.Result) *float64 {
		if r.Latency == nil {
			return nil
		}
		return &r.Latency.P99
	}}
	last = column{"last", "last receiver ms", func(r *harness.Result) *float64 {
		if r.Last == nil {
			return nil
		}
		return &r.Last.P50
	}}
)

func scenarios(d, idle time.Duration) []scenario {
	args := func(a ...string) func(int) []string {
		return func(n int) []string {
			return append(a, "--connections", strconv.Itoa(n), "--duration", d.String())
		}
	}
	fixed := func(a ...string) func(int) []string { return func(int) []string { return a } }
	// Rooms of 15.
	rooms := func(a ...string) func(int) []string {
		return func(n int) []string {
			return append(args(a...)(n), "--rooms", strconv.Itoa(max(n/15, 1)))
		}
	}
	return []scenario{
		{
			name: "idle", title: "Connect, then wait",
			note: "Handshakes one after the other in each of 128 places, then only heartbeats.",
			args: func(n int) []string {
				return []string{"idle", "--connections", strconv.Itoa(n), "--duration", idle.String()}
			},
			columns: []column{
				{"cpu_connect", "CPU us/connect", server(func(s *serverPart) *float64 { return s.CPUConnect })},
				{"connects", "connects/s", func(r *harness.Result) *float64 {
					return &r.Connections.PerSecond
				}},
				{"memory", "RSS B/connection", server(func(s *serverPart) *float64 { return s.PerConnection })},
				{"memory_ramp", "the same after the ramp", server(func(s *serverPart) *float64 {
					return s.AfterRamp
				})},
				{"cpu_heartbeat", "CPU us/heartbeat", server(func(s *serverPart) *float64 {
					return s.CPUHeartbeat
				})},
				{"slab", "kernel B/connection, both ends", func(r *harness.Result) *float64 {
					return r.Kernel.PerConnection
				}},
			},
		},
		{
			name: "broadcast", title: "One broadcast at a time, to all",
			note: "64 bytes, so many messages that 30,000 deliveries a second are due (2,000 for Flask).",
			args: func(n int) []string {
				return args("broadcast", "--rate", strconv.Itoa(max(30_000/n, 1)))(n)
			},
			forFew: args("broadcast", "--rate", "2"), columns: []column{perDelivery, p50, p99, last},
		},
		{
			name: "saturated", title: "Broadcasts in a closed loop, 2 outstanding",
			note:    "The next message leaves when the publisher has its own back.",
			args:    args("broadcast", "--outstanding", "2"),
			columns: []column{perDelivery, perSecond, p99},
		},
		{
			name: "burst", title: "The same with 32 outstanding",
			// The slowest have seconds of it queued, which is not lost.
			args:    args("broadcast", "--outstanding", "32", "--drain", "1m"),
			columns: []column{perDelivery, perSecond, p99},
		},
		{
			name: "rooms", title: "Rooms of 15, closed loop",
			note:    "One message outstanding in each room.",
			args:    rooms("rooms", "--outstanding", "1"),
			columns: []column{perDelivery, perSecond, p99},
		},
		{
			name: "rooms at a rate", title: "Rooms of 15 at 1,000 messages/s over all rooms",
			note:   "Flask-SocketIO gets 30 messages/s.",
			args:   rooms("rooms", "--rate", "1000"),
			forFew: rooms("rooms", "--rate", "30"), columns: []column{perDelivery, p50, p99},
		},
		{
			name: "echo", title: "Echo, 1,000 clients with 1 outstanding",
			args:    fixed("echo", "--connections", "1000", "--outstanding", "1", "--duration", d.String()),
			columns: []column{perDelivery, perSecond, p50, p99},
		},
		{
			name: "deep echo", title: "Echo, 100 clients with 16 outstanding",
			args:    fixed("echo", "--connections", "100", "--outstanding", "16", "--duration", d.String()),
			columns: []column{perDelivery, perSecond, p99},
		},
		{
			name: "echo at a rate", title: "Echo at 5,000 messages/s over 1,000 clients",
			note: "Flask-SocketIO gets 300 messages/s.",
			args: fixed("echo", "--connections", "1000", "--rate", "5000", "--duration", d.String()),
			forFew: fixed("echo", "--connections", "1000", "--rate", "300",
				"--duration", d.String()),
			columns: []column{perDelivery, p50, p99},
		},
		{
			name: "churn", title: "Connect and close, again and again",
			note: "128 at a time; clients send a FIN right after the handshake.",
			args: fixed("churn", "--duration", d.String()),
			columns: []column{
				{"cpu_connect", "CPU us each", server(func(s *serverPart) *float64 { return s.CPUConnect })},
				{"cycles", "connect+close/s", func(r *harness.Result) *float64 { return &r.Churn.PerSecond }},
				{"handshake", "handshake p99 ms", func(r *harness.Result) *float64 {
					if r.Connections.Handshake == nil {
						return nil
					}
					return &r.Connections.Handshake.P99
				}},
			},
		},
		{
			name: "jitter", title: "Clients drop and come back while messages go to all",
			note: "50 a second drop with a reset and are away for a second; what is sent meanwhile is " +
				"missed, not lost.",
			args: func(n int) []string {
				return []string{"jitter", "--connections", strconv.Itoa(min(n, 3_000)), "--rate", "2",
					"--drop-rate", "50", "--duration", d.String()}
			},
			columns: []column{perDelivery,
				{"share", "delivered share", func(r *harness.Result) *float64 {
					return r.Messages.Share
				}}, p99},
		},
		{
			name: "storm", title: "All clients drop at once and come back",
			note: "With a reset, 128 handshakes at a time.",
			args: func(n int) []string { return []string{"storm", "--connections", strconv.Itoa(n)} },
			columns: []column{
				{"cpu_connect", "CPU us/connect", server(func(s *serverPart) *float64 { return s.CPUConnect })},
				{"seconds", "s until all are back", func(r *harness.Result) *float64 {
					return &r.Lost.Seconds
				}},
				{"back", "p99 of being away ms", func(r *harness.Result) *float64 {
					if r.Back == nil {
						return nil
					}
					return &r.Back.P99
				}},
			},
		},
	}
}

type serverPart struct {
	CPUConnect, CPUHeartbeat, PerConnection, AfterRamp *float64
}

// server gets a figure of the server's processes.
func server(get func(*serverPart) *float64) func(*harness.Result) *float64 {
	return func(r *harness.Result) *float64 {
		if r.Server == nil {
			return nil
		}
		return get(&serverPart{r.Server.CPUConnect, r.Server.CPUHeartbeat,
			r.Server.PerConnection, r.Server.AfterRamp})
	}
}

// take copies the scenario's figures out of a result.
func (row *Row) take(r *harness.Result, sc scenario) {
	row.Values = map[string]float64{}
	for _, c := range sc.columns {
		if v := c.get(r); v != nil {
			row.Values[c.key] = *v
		}
	}
	m := r.Messages
	row.Delivered, row.Bad = m.Delivered+r.Churn.Cycles, m.Lost+m.Duplicate+m.Misrouted
	row.Died, row.Refused = r.Connections.Died, r.Connections.Failed
	row.Connected = r.Connections.Connected
	row.Others, row.ClientsFull = r.Generator.Others, r.Generator.Saturated
}
