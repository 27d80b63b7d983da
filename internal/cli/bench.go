package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/internal/loadgen"
)

// benchWorker is what the coordinator of a bench starts this program with.
const benchWorker = "bench-worker"

// workerCommand starts a worker; tests put their own program there.
var workerCommand = func() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.Command(self, benchWorker)
}

// benchFlags is what the flags of bench say besides the plan.
type benchFlags struct {
	urls     []string
	pids     []int
	json     string
	contract string
	sources  []string
	wait     string
	progress string
	yes      bool
	failBusy bool
	event    loadgen.Contract // those given by flag
	limits   map[string]float64
}

func newBench() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench SCENARIO --url URL",
		Short: "Load a Socket.IO server and measure it: " + strings.Join(loadgen.Scenarios, ", "),
		Long: `Loads any Socket.IO server with light clients of its own, in as many processes
as the descriptors ask for, and counts every message. docs/bench.md says what is measured and how, and what the server must do.`,
		SilenceUsage: true,
	}
	for _, s := range loadgen.Scenarios {
		c.AddCommand(newScenario(s))
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("no scenario %q: there are %s", args[0],
				strings.Join(loadgen.Scenarios, ", "))
		}
		return errors.New("name a scenario: " + strings.Join(loadgen.Scenarios, ", "))
	}
	c.Args = cobra.ArbitraryArgs
	return c
}

func newBenchWorker() *cobra.Command {
	return &cobra.Command{
		Use: benchWorker, Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := loadgen.Work(os.Stdin, os.Stdout); err != nil {
				return &codeError{exitRuntime, err}
			}
			return nil
		},
	}
}

var scenarioHelp = map[string]string{
	loadgen.Idle:      "Connect, then answer heartbeats: memory, time of connecting",
	loadgen.Echo:      "Clients send, and get back what they sent",
	loadgen.Broadcast: "One client sends, all get it",
	loadgen.Rooms:     "One client in each room sends, the room gets it",
	loadgen.Churn:     "Connect and close, again and again",
	loadgen.Jitter:    "A broadcast while clients drop and come back",
	loadgen.Storm:     "All clients drop at once and come back",
}

// newScenario is one scenario, with only the flags that it heeds.
func newScenario(name string) *cobra.Command {
	p := loadgen.Default(name)
	b := benchFlags{limits: map[string]float64{}}
	c := &cobra.Command{
		Use:   name + " --url URL",
		Short: scenarioHelp[name],
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("outstanding") && !c.Flags().Changed("rate") {
				p.Rate = 0
			}
			return runBench(c, p, b)
		},
	}
	b.add(c, &p)
	return c
}

func (b *benchFlags) add(c *cobra.Command, p *loadgen.Plan) {
	f := c.Flags()
	is := func(names ...string) bool {
		for _, n := range names {
			if p.Scenario == n {
				return true
			}
		}
		return false
	}
	sends := is(loadgen.Echo, loadgen.Broadcast, loadgen.Rooms, loadgen.Jitter)
	f.StringSliceVar(&b.urls, "url", nil,
		"the server, http://host:port; several are dealt out to the connections")
	f.IntSliceVar(&b.pids, "pid", nil, "the server's processes, to measure their CPU and memory")
	f.StringVar(&b.json, "json", "", "file for the result as JSON, - for the standard output")
	f.BoolVar(&b.yes, "yes", false, "load a host other than this one")
	f.StringVar(&b.progress, "progress", "auto", "auto, always or never: a live line")
	f.BoolVar(&b.failBusy, "fail-saturated", false, "fail if the generator was the limit")

	f.StringVar(&p.Transport, "transport", p.Transport, "websocket or polling")
	f.StringVar(&p.Path, "path", p.Path, "path of the server")
	f.StringVar(&p.Auth, "auth", "", "JSON object that clients send when they join the namespace")
	f.StringVar(&b.contract, "contract", "bench",
		"events the server knows: "+loadgen.ContractNames)
	f.StringVar(&b.event.Namespace, "namespace", "", "namespace (default the contract's)")
	f.IntVar(&p.Connections, "connections", p.Connections, "how many; in churn those that stand")
	f.IntVar(&p.Processes, "processes", 0, "workers (default as many as the descriptors ask for)")
	f.Float64Var(&p.Ramp, "ramp", 0, "connects a second, 0 as fast as it goes")
	f.IntVar(&p.InFlight, "in-flight", p.InFlight, "handshakes at once")
	f.DurationVar(&p.Timeout, "timeout", p.Timeout, "of a handshake")
	f.DurationVar(&p.Duration, "duration", p.Duration, "of what is measured")
	f.StringSliceVar(&b.sources, "source", nil,
		"addresses to connect from (default on loopback many, elsewhere the kernel's choice)")
	f.IntSliceVar(&p.CPUs, "cpus", nil, "processors for the workers (default all)")
	f.StringVar(&b.wait, "wait", "nap",
		"nap or block: how workers wait for packets while measuring")

	if sends {
		f.Float64Var(&p.Rate, "rate", p.Rate, "messages a second in all, 0 for a closed loop")
		f.IntVar(&p.Outstanding, "outstanding", p.Outstanding,
			"closed loop: messages of each sender under way; sets --rate 0")
		f.IntVar(&p.Size, "size", p.Size, "bytes of a payload")
		f.DurationVar(&p.Drain, "drain", p.Drain, "how long to wait for what is under way")
	}
	if is(loadgen.Echo) {
		f.IntVar(&p.Active, "active", 0, "connections that send (default all)")
		f.StringVar(&b.event.Echo, "echo-event", "", "event whose {payload} comes back")
	}
	if is(loadgen.Broadcast, loadgen.Jitter) {
		f.IntVar(&p.Publishers, "publishers", p.Publishers, "connections that send")
		f.StringVar(&p.Via, "via", p.Via, "all or room: to the namespace, or to a room of all")
		f.StringVar(&b.event.All, "all-event", "", "event whose {payload} comes to everybody")
	}
	if is(loadgen.Broadcast, loadgen.Jitter, loadgen.Rooms) {
		f.StringVar(&b.event.Join, "join-event", "", "event that enters {room}")
		f.StringVar(&b.event.Joined, "joined-event", "",
			"name of the event that answers it, none if there is no answer")
		f.StringVar(&b.event.Room, "room-event", "", "event whose {payload} comes to {room}")
	}
	if is(loadgen.Rooms) {
		f.IntVar(&p.Rooms, "rooms", p.Rooms, "rooms, each with one sender")
	}
	if is(loadgen.Jitter) {
		f.Float64Var(&p.DropRate, "drop-rate", p.DropRate, "clients dropped a second")
	}
	if is(loadgen.Storm) {
		f.Float64Var(&p.Share, "share", p.Share, "part of the clients that drops, 0 to 1")
	}
	if is(loadgen.Jitter, loadgen.Storm) {
		f.DurationVar(&p.Away, "away", p.Away, "how long a dropped client stays away")
		f.BoolVar(&p.Recover, "recover", false, "ask for connection state recovery")
	}
	if is(loadgen.Jitter, loadgen.Storm, loadgen.Churn) {
		f.StringVar(&p.Close, "close", p.Close, "fin, frame or rst: how clients go")
	}
	names, help := loadgen.Limits()
	for i, name := range names {
		f.Var(&limitFlag{name, b.limits}, name, "fail beyond this: "+help[i])
	}
}

// limitFlag is a threshold: a number, or a time with its unit.
type limitFlag struct {
	name   string
	limits map[string]float64
}

func (l *limitFlag) String() string { return "" }

func (l *limitFlag) Type() string {
	if loadgen.TimeLimit(l.name) {
		return "duration"
	}
	return "number"
}

func (l *limitFlag) Set(text string) error {
	if loadgen.TimeLimit(l.name) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		l.limits[l.name] = float64(d) / float64(time.Millisecond)
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return err
	}
	l.limits[l.name] = v
	return nil
}

// complete fills the plan in from the other flags.
func (b *benchFlags) complete(ctx context.Context, c *cobra.Command, p *loadgen.Plan) error {
	contract, ok := loadgen.ContractNamed(b.contract)
	if !ok {
		return fmt.Errorf("--contract: %q is not one of %s", b.contract, loadgen.ContractNames)
	}
	for _, e := range []struct {
		flag     string
		to       *string
		from     string
		emptyToo bool
	}{
		{"namespace", &contract.Namespace, b.event.Namespace, false},
		{"join-event", &contract.Join, b.event.Join, false},
		{"joined-event", &contract.Joined, b.event.Joined, true},
		{"echo-event", &contract.Echo, b.event.Echo, false},
		{"room-event", &contract.Room, b.event.Room, false},
		{"all-event", &contract.All, b.event.All, false},
	} {
		if c.Flags().Changed(e.flag) {
			*e.to = e.from
		}
	}
	if contract.Joined == "none" {
		contract.Joined = ""
	}
	p.Contract = contract
	switch b.wait {
	case "nap":
	case "block":
		p.Nap = false
	default:
		return fmt.Errorf("--wait: %q is neither nap nor block", b.wait)
	}
	if p.Auth != "" && !json.Valid([]byte(p.Auth)) {
		return fmt.Errorf("--auth: %q is not JSON", p.Auth)
	}
	for _, s := range b.sources {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return fmt.Errorf("--source: %w", err)
		}
		p.Sources = append(p.Sources, a)
	}
	if len(b.urls) == 0 {
		return errors.New("--url: name the server, such as http://127.0.0.1:5000")
	}
	for _, u := range b.urls {
		t, path, err := loadgen.ParseTarget(ctx, u)
		if err != nil {
			return fmt.Errorf("--url: %w", err)
		}
		if path != "" && !c.Flags().Changed("path") {
			p.Path = path
		}
		if t.Foreign() && !b.yes {
			return fmt.Errorf("--url: %s is another machine: what follows looks like an attack to "+
				"whoever runs it, and loads all on the way there; --yes if it is yours to load", t.Addr)
		}
		if t.Foreign() {
			fmt.Fprintf(c.ErrOrStderr(), "loading another machine: %s\n", t.Addr)
		}
		p.Targets = append(p.Targets, t)
	}
	return p.Validate()
}

func runBench(c *cobra.Command, p loadgen.Plan, b benchFlags) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := b.complete(ctx, c, &p); err != nil {
		return err
	}
	var file io.Writer
	summary := c.OutOrStdout()
	switch b.json {
	case "":
	case "-":
		file, summary = c.OutOrStdout(), c.ErrOrStderr()
	default:
		// Now, not after minutes of measuring.
		f, err := os.Create(b.json)
		if err != nil {
			return &codeError{exitRuntime, err}
		}
		defer f.Close()
		file = f
	}
	show, err := newProgress(b.progress, c.ErrOrStderr())
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once; workers notice
	}()
	res, err := loadgen.Run(ctx, p, loadgen.Options{PIDs: b.pids, Command: workerCommand,
		Version: versionString(), Progress: show})
	if bad := (*loadgen.PlanError)(nil); errors.As(err, &bad) {
		return err
	} else if err != nil {
		return &codeError{exitRuntime, err}
	}
	if err := res.Check(b.limits); err != nil {
		return err
	}
	if file != nil {
		e := json.NewEncoder(file)
		e.SetIndent("", "  ")
		if err := e.Encode(res); err != nil {
			return &codeError{exitRuntime, err}
		}
	}
	res.Summary(summary)
	switch {
	case res.Interrupted:
		return &codeError{exitRuntime, errors.New("interrupted")}
	case res.Trouble() != "":
		return &codeError{exitRuntime, errors.New(res.Trouble())}
	case !res.OK:
		return &codeError{exitThreshold, errors.New("a threshold was not kept")}
	case b.failBusy && res.Generator.Saturated:
		return &codeError{exitThreshold, errors.New("the generator was the limit")}
	}
	return nil
}
