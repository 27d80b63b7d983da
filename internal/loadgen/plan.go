package loadgen

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The scenarios; see docs/bench.md.
const (
	Idle      = "idle"
	Echo      = "echo"
	Broadcast = "broadcast"
	Rooms     = "rooms"
	Churn     = "churn"
	Jitter    = "jitter"
	Storm     = "storm"
)

// Scenarios in the order they are told of.
var Scenarios = []string{Idle, Echo, Broadcast, Rooms, Churn, Jitter, Storm}

// Values of Plan fields.
const (
	WebSocket = "websocket"
	Polling   = "polling"

	ViaAll  = "all"  // one event to the whole namespace
	ViaRoom = "room" // one event to a room that everybody has joined

	CloseFIN   = "fin"   // the socket is closed
	CloseFrame = "frame" // a close frame, then the server's, then the socket
	CloseRST   = "rst"   // the socket is reset, as after a crash
)

// Bounds, so that a typing error does not become an hour or a full memory.
const (
	MaxConnections = 2_000_000
	MaxProcesses   = 1_000
	MaxPublishers  = 64
	MaxOutstanding = 10_000
	MaxSize        = 100_000
	MaxDuration    = 24 * time.Hour
	MaxRate        = 1e7
)

// Plan is one run. Fields without a flag are filled in by Run; every worker
// gets the whole of it. A rate is per second over all workers.
type Plan struct {
	Scenario  string   `json:"scenario"`
	Targets   []Target `json:"targets"` // connection i goes to target i modulo their number
	Path      string   `json:"path"`    // default "/socket.io/"
	Transport string   `json:"transport"`
	Contract  Contract `json:"contract"`
	Auth      string   `json:"auth"` // JSON sent with CONNECT, "" for none

	Connections int           `json:"connections"`
	Processes   int           `json:"processes"` // 0: as many as the descriptors ask for
	Ramp        float64       `json:"ramp"`      // connects a second, 0: as fast as it goes
	InFlight    int           `json:"in_flight"` // handshakes at once
	Timeout     time.Duration `json:"timeout_ns"`
	Duration    time.Duration `json:"duration_ns"`
	Drain       time.Duration `json:"drain_ns"` // how long to wait for what is under way

	Rate        float64 `json:"rate"`        // messages a second; 0: closed loop
	Outstanding int     `json:"outstanding"` // in the closed loop, per publisher
	Active      int     `json:"active"`      // echo: connections that send, 0: all
	Publishers  int     `json:"publishers"`  // broadcast, jitter
	Rooms       int     `json:"rooms"`
	Size        int     `json:"size"` // bytes of a payload
	Via         string  `json:"via"`

	DropRate float64       `json:"drop_rate"` // jitter: connections dropped a second
	Away     time.Duration `json:"away_ns"`   // jitter, storm: time until a client comes back
	Share    float64       `json:"share"`     // storm: part of the connections that is dropped
	Recover  bool          `json:"recover"`   // ask for connection state recovery
	Close    string        `json:"close"`

	Sources []netip.Addr `json:"sources"` // addresses to connect from
	CPUs    []int        `json:"cpus"`    // processors for the workers, empty: all
	Nap     bool         `json:"nap"`     // poll instead of sleeping while measuring
	Run     uint16       `json:"run"`
}

// Default is the plan of a scenario before flags.
func Default(scenario string) Plan {
	p := Plan{
		Scenario: scenario, Path: "/socket.io/", Transport: WebSocket, Contract: contracts["bench"],
		Connections: 1_000, InFlight: 128, Timeout: 10 * time.Second,
		Duration: 10 * time.Second, Drain: 5 * time.Second,
		Outstanding: 1, Publishers: 1, Rooms: 100, Size: 64, Via: ViaAll,
		Away: time.Second, Share: 1, Close: CloseFIN, Nap: true,
	}
	switch scenario {
	case Idle:
		p.Duration = 30 * time.Second
	case Broadcast:
		p.Rate = 2
	case Rooms:
		p.Rate = 100
	case Churn:
		p.Connections = 0
	case Jitter:
		p.Rate, p.DropRate, p.Close = 10, 20, CloseRST
	case Storm:
		p.Duration, p.Away, p.Close = time.Minute, 0, CloseRST
	}
	return p
}

// PlanError names the field of a Plan that is wrong, as its flag is called.
type PlanError struct{ Flag, Reason string }

func (e *PlanError) Error() string { return "--" + e.Flag + ": " + e.Reason }

// Validate returns a *PlanError for the first field that cannot be.
func (p *Plan) Validate() error {
	bad := func(flag, format string, args ...any) error {
		return &PlanError{flag, fmt.Sprintf(format, args...)}
	}
	within := func(flag string, v, low, high int) error {
		if v < low || v > high {
			return bad(flag, "%d is not within %d and %d", v, low, high)
		}
		return nil
	}
	least := 1
	if p.Scenario == Churn {
		least = 0
	}
	for _, err := range []error{
		within("connections", p.Connections, least, MaxConnections),
		within("processes", p.Processes, 0, MaxProcesses),
		within("in-flight", p.InFlight, 1, 15_000),
		within("outstanding", p.Outstanding, 1, MaxOutstanding),
		within("publishers", p.Publishers, 1, MaxPublishers),
		within("active", p.Active, 0, p.Connections),
		within("rooms", p.Rooms, 1, MaxConnections),
		within("size", p.Size, stampSize, MaxSize),
	} {
		if err != nil {
			return err
		}
	}
	for _, d := range []struct {
		flag string
		v    time.Duration
	}{{"duration", p.Duration}, {"drain", p.Drain}, {"away", p.Away}, {"timeout", p.Timeout}} {
		if d.v < 0 || d.v > MaxDuration {
			return bad(d.flag, "%s is not within 0 and %s", d.v, MaxDuration)
		}
	}
	for _, r := range []struct {
		flag string
		v    float64
	}{{"rate", p.Rate}, {"ramp", p.Ramp}, {"drop-rate", p.DropRate}} {
		if !(r.v >= 0 && r.v <= MaxRate) {
			return bad(r.flag, "%v is not within 0 and %v", r.v, MaxRate)
		}
	}
	switch {
	case !slices.Contains(Scenarios, p.Scenario):
		return fmt.Errorf("no scenario %q: there are %s", p.Scenario, strings.Join(Scenarios, ", "))
	case p.Timeout == 0:
		return bad("timeout", "must be more than 0")
	case !(p.Share > 0 && p.Share <= 1):
		return bad("share", "%v is not within 0 and 1", p.Share)
	case !slices.Contains([]string{WebSocket, Polling}, p.Transport):
		return bad("transport", "%q is neither websocket nor polling", p.Transport)
	case !slices.Contains([]string{ViaAll, ViaRoom}, p.Via):
		return bad("via", "%q is neither all nor room", p.Via)
	case !slices.Contains([]string{CloseFIN, CloseFrame, CloseRST}, p.Close):
		return bad("close", "%q is not fin, frame or rst", p.Close)
	case p.Close == CloseFrame && p.Transport == Polling:
		return bad("close", "frames belong to websocket")
	case !strings.HasPrefix(p.Path, "/"):
		return bad("path", "%q does not begin with /", p.Path)
	case !strings.HasPrefix(p.Contract.Namespace, "/"):
		return bad("namespace", "%q does not begin with /", p.Contract.Namespace)
	case (p.Scenario == Broadcast || p.Scenario == Jitter) && p.Publishers > p.Connections:
		return bad("publishers", "%d are more than the connections", p.Publishers)
	case p.Scenario == Jitter && p.Rate == 0:
		return bad("rate", "jitter needs messages to miss")
	case p.Scenario == Rooms && p.Rooms > p.Connections:
		return bad("rooms", "%d are more than the connections", p.Rooms)
	}
	return p.validateEvents()
}

func (p *Plan) validateEvents() error {
	needs := map[string]error{}
	if p.Scenario == Echo {
		needs["echo-event"] = checkEvent(p.Contract.Echo, payloadSlot)
	}
	if p.event() == p.Contract.All && (p.Scenario == Broadcast || p.Scenario == Jitter) {
		needs["all-event"] = checkEvent(p.Contract.All, payloadSlot)
	}
	if p.joins() {
		needs["join-event"] = checkEvent(p.Contract.Join, roomSlot)
		needs["room-event"] = checkEvent(p.Contract.Room, roomSlot, payloadSlot)
	}
	for flag, err := range needs {
		if err != nil {
			return &PlanError{flag, err.Error()}
		}
	}
	return nil
}

// joins reports whether the clients enter rooms.
func (p *Plan) joins() bool {
	return p.Scenario == Rooms ||
		p.Via == ViaRoom && (p.Scenario == Broadcast || p.Scenario == Jitter)
}

// event is the one that the scenario sends.
func (p *Plan) event() string {
	switch {
	case p.Scenario == Echo:
		return p.Contract.Echo
	case p.joins():
		return p.Contract.Room
	}
	return p.Contract.All
}

// room is the one that connection i, counted over all workers, enters.
func (p *Plan) room(i int) string {
	if p.Scenario == Rooms {
		return fmt.Sprintf("r%d", i%p.Rooms)
	}
	return "big0"
}

// streams is how many streams one connection receives.
func (p *Plan) streams() int {
	switch p.Scenario {
	case Broadcast, Jitter:
		return p.Publishers
	case Echo, Rooms:
		return 1
	}
	return 0
}

// senders is how many connections send, over all workers.
func (p *Plan) senders() int {
	switch p.Scenario {
	case Broadcast, Jitter:
		return p.Publishers
	case Rooms:
		return p.Rooms
	case Echo:
		if p.Active > 0 {
			return p.Active
		}
		return p.Connections
	}
	return 0
}

// stream is the slot among a connection's windows that messages of a stream
// belong to, or -1: connection i, counted over all workers, must not get it.
func (p *Plan) stream(i int, stream uint32) int {
	switch p.Scenario {
	case Broadcast, Jitter:
		if int(stream) < p.Publishers {
			return int(stream)
		}
	case Rooms:
		if int(stream) == i%p.Rooms {
			return 0
		}
	case Echo:
		if int(stream) == i {
			return 0
		}
	}
	return -1
}

// sends returns the stream that connection i sends, or -1. Publishers of a
// broadcast are spread over the connections, and so over the workers.
func (p *Plan) sends(i int) int {
	switch p.Scenario {
	case Broadcast, Jitter:
		step := p.Connections / p.Publishers
		if i%step == 0 && i/step < p.Publishers {
			return i / step
		}
	case Rooms, Echo:
		if i < p.senders() {
			return i
		}
	}
	return -1
}

// share is how many of n things worker number w of the plan has, when they
// are dealt out one by one.
func (p *Plan) share(n, w int) int { return (n + p.Processes - 1 - w) / p.Processes }
