package loadgen

import "time"

// Schema is the version of Result's form; it grows when a field changes its
// meaning or goes.
const Schema = 1

// Result is what a run found. Every field is always there in JSON; what was
// not measured is null. Times are in ms unless the name says otherwise,
// memory is in bytes.
type Result struct {
	Schema      int       `json:"schema"`
	Scenario    string    `json:"scenario"`
	Started     time.Time `json:"started"`
	Interrupted bool      `json:"interrupted"`
	OK          bool      `json:"ok"` // all thresholds are kept
	Plan        Plan      `json:"plan"`
	Machine     Machine   `json:"machine"`

	Connections Connections            `json:"connections"`
	Messages    Messages               `json:"messages"`
	Latency     *Latency               `json:"latency_ms"`       // of each delivery
	Last        *Latency               `json:"last_receiver_ms"` // of each message, for its last receiver
	Back        *Latency               `json:"back_ms"`          // how long dropped clients were away
	Lost        LostClients            `json:"lost_clients"`
	Churn       ChurnCount             `json:"churn"`
	Heartbeats  Heartbeats             `json:"heartbeats"`
	Errors      map[string]*ErrorCount `json:"errors"`

	Server     *Server     `json:"server"` // with the pids
	Kernel     Kernel      `json:"kernel"`
	Generator  Generator   `json:"generator"`
	Thresholds []Threshold `json:"thresholds"`
}

// Machine is where the generator ran.
type Machine struct {
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Version    string `json:"version"` // of this program
}

// Connections is the ramp, and what became of it.
type Connections struct {
	Asked     int      `json:"asked"`
	Connected int      `json:"connected"` // after the ramp
	Failed    uint64   `json:"failed"`    // handshakes, in the whole run
	Died      uint64   `json:"died"`      // ended by the server or an error
	AtEnd     int      `json:"at_end"`
	Seconds   float64  `json:"seconds"`
	PerSecond float64  `json:"per_second"`
	Handshake *Latency `json:"handshake_ms"`
}

// Messages are the numbered ones.
type Messages struct {
	Sent                uint64   `json:"sent"`
	Blocked             uint64   `json:"blocked"`  // due, but not sent
	Expected            uint64   `json:"expected"` // deliveries
	Delivered           uint64   `json:"delivered"`
	Lost                uint64   `json:"lost"`   // clients were there and did not get it
	Missed              uint64   `json:"missed"` // clients were away
	Duplicate           uint64   `json:"duplicate"`
	Misrouted           uint64   `json:"misrouted"` // to who is not in that room
	Late                uint64   `json:"late"`      // overtaken by a later one
	Foreign             uint64   `json:"foreign"`   // of another run
	Share               *float64 `json:"share"`     // delivered of expected
	Seconds             float64  `json:"seconds"`
	PerSecond           float64  `json:"per_second"`
	DeliveriesPerSecond float64  `json:"deliveries_per_second"`
}

// LostClients are those of jitter and storm.
type LostClients struct {
	Dropped   uint64  `json:"dropped"` // on purpose
	Returned  uint64  `json:"returned"`
	Recovered uint64  `json:"recovered"` // with their state
	Seconds   float64 `json:"seconds"`   // storm: until all were back
	PerSecond float64 `json:"per_second"`
}

// ChurnCount is connect and close, repeated.
type ChurnCount struct {
	Cycles    uint64  `json:"cycles"`
	PerSecond float64 `json:"per_second"`
}

// Heartbeats are the server's pings.
type Heartbeats struct {
	Answered uint64  `json:"answered"`
	Interval float64 `json:"interval_s"`
	Overdue  int     `json:"overdue"` // connections that wait for one for too long
}

// Server is what the processes under test used.
type Server struct {
	PIDs []int `json:"pids"`

	CPUConnect    *float64 `json:"cpu_us_per_connect"`  // ramp, or churn's cycles, or storm's returns
	CPUMessage    *float64 `json:"cpu_us_per_message"`  // sent
	CPUDelivery   *float64 `json:"cpu_us_per_delivery"` // received
	CPUHeartbeat  *float64 `json:"cpu_us_per_heartbeat"`
	RampCores     float64  `json:"ramp_cores"` // processors used during the ramp
	Cores         float64  `json:"cores"`      // and during what was measured
	RSSStart      int64    `json:"rss_start"`
	RSSRamp       int64    `json:"rss_after_ramp"`
	RSSEnd        int64    `json:"rss_end"`
	RSSPeak       int64    `json:"rss_peak"`
	PSSEnd        int64    `json:"pss_end"`
	PerConnection *float64 `json:"bytes_per_connection"` // RSS over the start, at the end
	AfterRamp     *float64 `json:"bytes_per_connection_after_ramp"`
}

// Kernel is what the system's kernel held, at the end of the measurement.
type Kernel struct {
	Sockets       int64    `json:"tcp_sockets"` // both ends, where both are here
	TimeWait      int64    `json:"tcp_time_wait"`
	Buffers       int64    `json:"tcp_buffer_bytes"`
	SlabStart     int64    `json:"slab_start"`
	SlabEnd       int64    `json:"slab_end"`
	PerConnection *float64 `json:"slab_bytes_per_connection"` // both ends, where both are here
	Dropped       int64    `json:"dropped_packets"`           // for want of room in a processor's queue
}

// Generator tells whether the generator was the bottleneck.
type Generator struct {
	Processes int      `json:"processes"`
	Cores     float64  `json:"cores"`   // processors used by all of it
	Busiest   float64  `json:"busiest"` // share of one processor, of the busiest worker
	SendLag   *Latency `json:"send_lag_ms"`
	Turn      float64  `json:"longest_turn_ms"` // a worker looked away for so long
	Others    float64  `json:"others_cores"`    // used by neither server nor generator
	Memory    int64    `json:"memory"`
	Saturated bool     `json:"saturated"`
	Why       string   `json:"why"` // "" if not
}

// Trouble is what makes a result useless whatever its thresholds: nobody was
// let in, or the server ended. "" if there is none.
func (r *Result) Trouble() string {
	switch {
	case r.Errors[errGone] != nil:
		return "the server is gone: " + r.Errors[errGone].First
	case r.Connections.Asked > 0 && r.Connections.Connected == 0,
		r.Scenario == Churn && r.Churn.Cycles == 0:
		return "no client could connect"
	}
	return ""
}

// per is a/b, or nil for nothing.
func per(a, b float64) *float64 {
	if b <= 0 {
		return nil
	}
	v := a / b
	return &v
}
