package loadgen

import (
	"fmt"
	"time"
)

// When the generator itself was the limit.
const (
	busyShare = 0.9  // of a processor, for one worker
	lagLimit  = 0.05 // of the messages more than lagTime late
	lagTime   = 2 * time.Millisecond
)

// slabLeast is how many connections stand out from what the rest of the
// machine does to the kernel's memory.
const slabLeast = 1_000

// hidden stands for what clients authenticate with.
const hidden = `"hidden"`

// result puts together what was counted and measured.
func (r *run) result() *Result {
	c := r.fleet.counts()
	m := &r.main
	res := &Result{
		Schema: Schema, Scenario: r.plan.Scenario, OK: true, Plan: r.plan,
		Latency: m.Latency.latency(), Back: m.Back.latency(),
		Errors: m.Errors, Thresholds: []Threshold{},
		Heartbeats: Heartbeats{c.Pings, m.PingInterval.Seconds(), m.Overdue},
	}
	if res.Plan.Auth != "" {
		res.Plan.Auth = hidden
	}
	if r.gone > 0 {
		res.Errors[errGone] = &ErrorCount{r.gone, r.goneWhy}
	}
	res.Connections = r.connections(&c)
	res.Messages = r.messages(&c)
	var last receipts
	last.merge(m.Last)
	res.Last = last.hist().latency()
	res.Lost = LostClients{Dropped: c.Dropped, Returned: c.Returned, Recovered: c.Recovered}
	seconds := m.Took.Seconds()
	switch r.plan.Scenario {
	case Storm:
		res.Lost.Seconds = seconds
		res.Lost.PerSecond = rate(c.Returned, seconds)
	case Churn:
		res.Churn = ChurnCount{c.Cycles, rate(c.Cycles, r.plan.Duration.Seconds())}
		res.Connections.Handshake = m.Handshake.latency()
	}
	res.Server = r.server(&c)
	res.Kernel = Kernel{
		Sockets: r.kernelEnd.sockets, TimeWait: r.kernelEnd.waiting, Buffers: r.kernelEnd.buffers,
		SlabStart: r.kernelStart.slab, SlabEnd: r.kernelEnd.slab,
		Dropped: r.kernelEnd.dropped - r.kernelStart.dropped,
	}
	if c.Ready >= slabLeast {
		res.Kernel.PerConnection = per(float64(r.kernelEnd.slab-r.kernelStart.slab), float64(c.Ready))
	}
	res.Generator = r.generator()
	return res
}

func rate(n uint64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}

func (r *run) connections(c *counts) Connections {
	seconds := r.ramp.Took.Seconds()
	return Connections{
		Asked: r.plan.Connections, Connected: r.rampCounts.Ready, Failed: c.Failed, Died: c.Died,
		AtEnd: c.Ready, Seconds: seconds, PerSecond: rate(r.rampCounts.Handshakes, seconds),
		Handshake: r.ramp.Handshake.latency(),
	}
}

func (r *run) messages(c *counts) Messages {
	m := &r.main
	seconds := r.sending().Seconds()
	out := Messages{
		Sent: c.Sent, Blocked: c.Blocked, Expected: m.Expected, Delivered: c.Deliveries,
		Lost: m.Lost, Missed: m.Missed, Duplicate: c.Duplicate, Misrouted: c.Misrouted,
		Late: c.Late, Foreign: c.Foreign,
		Share:   per(float64(c.Deliveries), float64(m.Expected)),
		Seconds: seconds, PerSecond: rate(c.Sent, seconds),
		DeliveriesPerSecond: rate(r.inTime, seconds),
	}
	return out
}

// sending is how long messages were sent.
func (r *run) sending() time.Duration {
	if r.plan.streams() == 0 {
		return 0
	}
	return r.main.Took
}

// server divides what the server used by what it did for it.
func (r *run) server(c *counts) *Server {
	if len(r.o.PIDs) == 0 {
		return nil
	}
	us := func(d time.Duration, n uint64) *float64 {
		return per(float64(d)/float64(time.Microsecond), float64(n))
	}
	ramp, cpu := r.ramped.cpu-r.start.cpu, r.after.cpu-r.before.cpu
	s := &Server{
		PIDs:       r.o.PIDs,
		CPUConnect: us(ramp, r.rampCounts.Handshakes),
		RampCores:  cores(ramp, r.ramped.at-r.start.at),
		Cores:      cores(cpu, r.after.at-r.before.at),
		RSSStart:   r.start.rss, RSSRamp: r.ramped.rss, RSSEnd: r.after.rss,
		RSSPeak: r.after.peak, PSSEnd: r.after.pss,
		AfterRamp:     per(float64(r.ramped.rss-r.start.rss), float64(r.rampCounts.Ready)),
		PerConnection: per(float64(r.after.rss-r.start.rss), float64(c.Ready)),
	}
	switch r.plan.Scenario {
	case Idle:
		s.CPUHeartbeat = us(cpu, c.Pings-r.mainCounts.Pings)
	case Churn:
		s.CPUConnect = us(cpu, c.Cycles)
	case Storm:
		s.CPUConnect = us(cpu, c.Returned)
	default:
		s.CPUMessage, s.CPUDelivery = us(cpu, c.Sent), us(cpu, c.Deliveries)
	}
	return s
}

func cores(cpu time.Duration, ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return float64(cpu) / float64(ns)
}

// generator says how hard the generator itself worked, and whether the figures
// are its own rather than the server's.
func (r *run) generator() Generator {
	m := &r.main
	g := Generator{Processes: len(r.fleet.workers), SendLag: m.Lag.latency(),
		Turn: float64(m.Turn) / float64(time.Millisecond), Memory: m.Memory}
	took := r.after.at - r.before.at
	var own time.Duration
	for i, w := range r.fleet.workers {
		if i >= len(r.busy) || w.last.Full == nil {
			continue
		}
		used := w.last.Full.CPU - r.busy[i]
		own += used
		g.Busiest = max(g.Busiest, cores(used, took))
	}
	g.Cores = cores(own, took)
	if len(r.o.PIDs) > 0 {
		others := r.after.busy - r.before.busy - own - (r.after.cpu - r.before.cpu)
		g.Others = max(cores(others, took), 0)
	}
	late := m.Lag.late(lagTime)
	switch {
	case g.Busiest >= busyShare:
		g.Saturated, g.Why = true, fmt.Sprintf("a worker used %.0f %% of a processor: "+
			"give it more --processes or processors, or read the server's CPU instead of rates",
			100*g.Busiest)
	case r.plan.Rate > 0 && late > lagLimit:
		g.Saturated, g.Why = true, fmt.Sprintf("%.0f %% of the messages were sent more than "+
			"%s late: latencies hold that too", 100*late, lagTime)
	}
	return g
}
