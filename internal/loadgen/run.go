package loadgen

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"time"
)

// Options is what a run needs besides its plan.
type Options struct {
	PIDs    []int            // of the server under test
	Command func() *exec.Cmd // starts a worker, which must call Work
	Version string
	// Progress, if set, is called a few times a second.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Doing      string
	Part       float64 // of what is being done, 0 to 1
	Ready      int
	Asked      int
	Sent       uint64
	Deliveries uint64
	PerSecond  float64 // deliveries, or what else is counted, since the last one
	P50, P99   float64 // ms, since the last one
	Lost       uint64  // passed over so far; some may be under way
	Done       bool    // of what is being done
}

// keptDescriptors of a worker are not for connections.
const keptDescriptors = 64

// processes is how many workers the plan needs.
func (p *Plan) processes() int {
	if p.Processes > 0 {
		return p.Processes
	}
	sockets := p.Connections
	if p.Scenario == Churn {
		sockets += p.InFlight
	}
	if p.Transport == Polling {
		// Each may need a second one to send.
		sockets *= 2
	}
	room := max(descriptors()-keptDescriptors, 64)
	return max((sockets+room-1)/room, 1)
}

// run is one run under way.
type run struct {
	o        Options
	plan     Plan
	fleet    *fleet
	progress meter

	start, ramped, before, after usage // of the server
	kernelStart, kernelEnd       kernel
	ramp, main                   account         // as known after those phases
	rampCounts, mainCounts       counts          // as known before main
	inTime                       uint64          // deliveries while messages were sent
	busy                         []time.Duration // of each worker before the measurement
	gone                         uint64          // looks at processes that were not there
	goneWhy                      string
}

// Run does what the plan says. When ctx ends it ends early, with what is known
// by then. Any goroutine; two runs may measure each other.
func Run(ctx context.Context, p Plan, o Options) (*Result, error) {
	p.Processes = p.processes()
	p.Run = uint16(rand.Uint32())
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(p.Targets) == 0 {
		return nil, &PlanError{"url", "nobody to connect to"}
	}
	r := &run{o: o, plan: p}
	started := time.Now()
	var err error
	if r.start, err = measure(o.PIDs); err != nil {
		return nil, &PlanError{"pid", err.Error()}
	}
	r.kernelStart = measureKernel()
	if r.fleet, err = startFleet(p.Processes, o.Command); err != nil {
		return nil, err
	}
	defer r.fleet.close()
	r.progress = meter{to: o.Progress, plan: &r.plan}
	r.fleet.onTick = r.progress.tick
	if err := r.phases(ctx); err != nil {
		return nil, err
	}
	res := r.result()
	res.Started, res.Interrupted = started, ctx.Err() != nil
	res.Machine = Machine{runtime.NumCPU(), release(), runtime.Version(), o.Version}
	return res, nil
}

// phases does the scenario.
func (r *run) phases(ctx context.Context) error {
	err := r.fleet.do(context.WithoutCancel(ctx), func(i int) command {
		return command{Do: doSetup, Plan: &r.plan, Worker: i}
	})
	if err != nil {
		return err
	}
	if err := r.all(ctx, command{Do: doConnect}); err != nil {
		return err
	}
	r.ramp, r.rampCounts = r.fleet.total(), r.fleet.counts()
	r.ramped = r.look(r.start)
	if r.plan.Connections > 0 && r.rampCounts.Ready == 0 {
		r.main, r.mainCounts, r.before, r.after = r.ramp, r.rampCounts, r.ramped, r.ramped
		r.kernelEnd = measureKernel()
		return nil // nobody is in: the result says why
	}
	if r.plan.joins() {
		if err := r.all(ctx, command{Do: doJoin}); err != nil {
			return err
		}
	}
	r.before = r.look(r.ramped)
	r.mainCounts = r.fleet.counts()
	for _, m := range r.fleet.workers {
		r.busy = append(r.busy, m.last.Full.CPU)
	}
	if ctx.Err() == nil {
		if err := r.all(ctx, r.measured()); err != nil {
			return err
		}
	}
	turn, took := r.fleet.total().Turn, r.fleet.total().Took
	r.inTime = r.fleet.counts().Deliveries
	if r.plan.streams() > 0 {
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	r.main = r.fleet.total()
	r.main.Turn, r.main.Took = max(r.main.Turn, turn), took
	r.kernelEnd = measureKernel()
	r.after = r.look(r.before)
	return nil
}

// look measures the server. If a process of it is gone, what was known of it
// before stands, and the result says so.
func (r *run) look(before usage) usage {
	u, err := measure(r.o.PIDs)
	if err != nil {
		r.gone++
		if r.goneWhy == "" {
			r.goneWhy = err.Error()
		}
		before.at, before.busy = u.at, u.busy
		return before
	}
	return u
}

// measured is the command the scenario is about.
func (r *run) measured() command {
	switch r.plan.Scenario {
	case Idle:
		return command{Do: doHold, For: r.plan.Duration}
	case Churn:
		return command{Do: doChurn}
	case Storm:
		return command{Do: doStorm}
	}
	return command{Do: doSend}
}

// finish tells everybody how much was sent. Even a run that was interrupted
// waits for what is under way.
func (r *run) finish(ctx context.Context) error {
	sent := make([]uint32, r.plan.senders())
	for stream, n := range r.fleet.total().Sent {
		if int(stream) < len(sent) {
			sent[stream] = n
		}
	}
	return r.all(context.WithoutCancel(ctx), command{Do: doFinish, Sent: sent})
}

func (r *run) all(ctx context.Context, c command) error {
	r.progress.begin(c.Do, r.fleet.counts())
	defer func() { r.progress.end(r.fleet.counts()) }()
	return r.fleet.do(ctx, func(int) command { return c })
}

// meter turns counts into Progress.
type meter struct {
	to    func(Progress)
	plan  *Plan
	doing string
	began time.Time
	first counts
	last  counts
	when  time.Time
	rate  float64
	p50   float64
	p99   float64
}

func (m *meter) begin(doing string, c counts) {
	m.doing, m.began, m.when, m.first, m.last, m.rate = doing, time.Now(), time.Now(), c, c, 0
	m.p50, m.p99 = 0, 0
}

// moved is how much of what the phase is about was done between two counts.
func (m *meter) moved(from, to *counts) float64 {
	switch m.doing {
	case doConnect:
		return float64(to.Handshakes - from.Handshakes)
	case doChurn:
		return float64(to.Cycles - from.Cycles)
	case doStorm:
		return float64(to.Returned - from.Returned)
	case doHold:
		return float64(to.Pings - from.Pings)
	case doJoin:
		return float64(to.Joined - from.Joined)
	}
	return float64(to.Deliveries - from.Deliveries)
}

func (m *meter) part(c *counts) float64 {
	switch m.doing {
	case doConnect:
		return float64(c.Ready+int(c.Failed)) / float64(max(m.plan.Connections, 1))
	case doJoin:
		return float64(c.Joined) / float64(max(c.Ready, 1))
	case doFinish:
		return float64(time.Since(m.began)) / float64(max(m.plan.Drain, 1))
	}
	return float64(time.Since(m.began)) / float64(max(m.plan.Duration, 1))
}

func (m *meter) tick(_ string, c counts, p50, p99 float64) {
	if p99 > 0 {
		m.p50, m.p99 = p50, p99
	}
	if since := time.Since(m.when); since >= tickEvery {
		m.rate = m.moved(&m.last, &c) / since.Seconds()
		m.last, m.when = c, time.Now()
		m.say(c, false)
	}
}

// end says what the phase came to as a whole.
func (m *meter) end(c counts) {
	m.rate = m.moved(&m.first, &c) / max(time.Since(m.began).Seconds(), 1e-6)
	m.say(c, true)
}

func (m *meter) say(c counts, done bool) {
	if m.to == nil || m.doing == "" { // "": while workers are set up
		return
	}
	part := min(m.part(&c), 1)
	if done {
		part = 1
	}
	m.to(Progress{Doing: m.doing, Part: part, Ready: c.Ready,
		Asked: m.plan.Connections, Sent: c.Sent, Deliveries: c.Deliveries, PerSecond: m.rate,
		P50: m.p50, P99: m.p99, Lost: c.Gap - min(c.Late, c.Gap), Done: done})
}
