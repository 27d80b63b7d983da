package metrics

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/throng-server/throng/socketio"
)

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// Metric is one name of the table.
type Metric struct {
	Name, Help string
	Labels     []string
	// If is "" or says when the metric is there.
	If string

	kind prometheus.ValueType
	read func(s *Snapshot, add adder)
	// hist is what a histogram has instead of kind and read.
	hist func(s *Snapshot) *socketio.Histogram
	when func(s *Snapshot) bool
}

// adder takes a value and those of the labels.
type adder func(v float64, labels ...string)

// table lists all metrics but those of the Go runtime and the process.
var table = slices.Concat(serverTable, clusterTable, appTable, daemonTable, nodeTable)

// Table lists all metrics but those of the Go runtime and the process.
func Table() []Metric { return table }

func one(f func(s *Snapshot) float64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) { add(f(s)) }
}

func byName(f func(s *Snapshot) map[string]uint64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) {
		for name, v := range f(s) {
			add(float64(v), name)
		}
	}
}

// byEvent reads counts by the names of the configuration and of all others.
func byEvent(f func(s *Snapshot) map[string]uint64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) {
		by := f(s)
		for name, v := range by {
			if name != "" && name != other {
				add(float64(v), name)
			}
		}
		add(float64(by[""]+by[other]), other)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func inCluster(s *Snapshot) bool { return s.Cluster.Broker != "" }
func recovers(s *Snapshot) bool  { return s.Recovery.Results != nil }
func asNode(s *Snapshot) bool    { return s.SocketIONames }
func hasApp(s *Snapshot) bool    { return s.App != nil }
func hasStream(s *Snapshot) bool { return hasApp(s) && len(s.App.Streams) > 0 }

const (
	ifCluster  = "with cluster.valkey"
	ifRecovery = "with recovery.duration"
	ifApp      = "with app.url or app.stream"
	ifStream   = "with app.stream"
	ifNode     = "with metrics.socket_io_names"
)

// serverTable is about clients and what is moved for them.
var serverTable = []Metric{
	{Name: "throng_build_info", Help: "1, labeled with versions.", kind: gauge,
		Labels: []string{"version", "client_version", "go_version"},
		read:   func(s *Snapshot, add adder) { add(1, s.Version, s.ClientVersion, s.GoVersion) }},

	{Name: "throng_connections", Help: "Open TCP connections of the public port.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.Connections) })},
	{Name: "throng_websockets", Help: "Those of the connections that are WebSockets.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.WebSockets) })},
	{Name: "throng_connections_limit", Help: "Connections that may be open.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.ConnectionsLimit) })},
	{Name: "throng_connections_accepted_total", Help: "TCP connections accepted.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Accepted) })},
	{Name: "throng_sessions", Help: "Open Engine.IO sessions, on whatever transport.", kind: gauge,
		read: one((*Snapshot).sessions)},
	{Name: "throng_sessions_detached", Help: "Sessions without a connection of their own: they " +
		"poll, or their WebSocket is on another loop.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.Detached) })},
	{Name: "throng_sockets", Help: "Connected sockets by namespace.", kind: gauge,
		Labels: []string{"namespace"}, read: func(s *Snapshot, add adder) {
			for name, n := range s.sockets() {
				add(float64(n), name)
			}
		}},
	{Name: "throng_rooms", Help: "Rooms that have members; one on several loops counts for each.",
		kind: gauge, read: one(func(s *Snapshot) float64 { return float64(s.Rooms) })},
	{Name: "throng_room_memberships", Help: "Sockets in rooms, each once for each of its rooms.",
		kind: gauge, read: one(func(s *Snapshot) float64 { return float64(s.RoomMembers) })},
	{Name: "throng_draining", Help: "1 while no connections are accepted any more.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return flag(s.Draining) })},

	{Name: "throng_drain_remaining", Help: "Sessions that are still to be sent away while this " +
		"server ends; 0 before.", kind: gauge, read: one(func(s *Snapshot) float64 {
		return flag(s.Draining) * s.sessions()
	})},

	{Name: "throng_handshakes_total", Help: "Sessions that began, by the transport of their first " +
		"request.", kind: counter, Labels: []string{"transport"},
		read: byName(func(s *Snapshot) map[string]uint64 { return s.Handshakes })},
	{Name: "throng_disconnects_total", Help: "Sessions that ended, by reason.", kind: counter,
		Labels: []string{"reason"},
		read:   byName(func(s *Snapshot) map[string]uint64 { return s.Disconnects })},
	{Name: "throng_upgrades_total", Help: "WebSockets accepted, as the first request of a session " +
		"or later.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Upgrades) })},
	{Name: "throng_dropped_total", Help: "What was refused or lost, by reason.", kind: counter,
		Labels: []string{"reason"},
		read:   byName(func(s *Snapshot) map[string]uint64 { return s.Drops })},

	{Name: "throng_slow_consumer_total", Help: "What was done because a client did not read: it was " +
		"closed, or a volatile event dropped for it.", kind: counter, Labels: []string{"action"},
		read: func(s *Snapshot, add adder) {
			add(float64(s.Drops["slow_consumer"]), "closed")
			add(float64(s.Drops["volatile"]), "dropped")
		}},
	{Name: "throng_write_queue_bytes", Help: "Output that waits for clients, or for their polls.",
		kind: gauge, read: one(func(s *Snapshot) float64 { return float64(s.QueuedBytes) })},

	{Name: "throng_events_total", Help: "Events received from clients, by name if metrics.events " +
		"has it.", kind: counter, Labels: []string{"event"},
		read: byEvent(func(s *Snapshot) map[string]uint64 { return s.EventsByName })},
	{Name: "throng_event_handler_seconds", Help: "How long the handlers of an event took, all " +
		"together; of a busy loop's events one in eight is timed and counts for the others.",
		hist: func(s *Snapshot) *socketio.Histogram { return &s.HandlerTimes }},
	{Name: "throng_acks_total", Help: "Acknowledgements received from clients.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Acks) })},
	{Name: "throng_ack_seconds", Help: "How long acknowledgements took that the server had asked " +
		"clients for.", hist: func(s *Snapshot) *socketio.Histogram { return &s.AckTimes }},
	{Name: "throng_ack_timeouts_total", Help: "Acknowledgements that did not come in time.",
		kind: counter, read: one(func(s *Snapshot) float64 { return float64(s.AckTimeouts) })},
	{Name: "throng_emits_total", Help: "Events sent to single sockets.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Emits) })},
	{Name: "throng_broadcast_deliveries_total", Help: "Receivers of broadcasts, all together.",
		kind: counter, read: one(func(s *Snapshot) float64 { return float64(s.Deliveries) })},
	{Name: "throng_broadcast_fanout", Help: "Receivers of a broadcast on this server.",
		hist: func(s *Snapshot) *socketio.Histogram { return &s.Fanouts }},
	{Name: "throng_broadcast_encode_total", Help: "How often a broadcast was encoded: once for all, " +
		"and once a loop for clients that read another form.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Encodes) })},
	{Name: "throng_messages_total", Help: "WebSocket messages, heartbeats included.", kind: counter,
		Labels: []string{"direction"}, read: func(s *Snapshot, add adder) {
			add(float64(s.MessagesIn), "in")
			add(float64(s.MessagesOut), "out")
		}},
	{Name: "throng_bytes_total", Help: "Bytes of the public port.", kind: counter,
		Labels: []string{"direction"}, read: func(s *Snapshot, add adder) {
			add(float64(s.BytesIn), "in")
			add(float64(s.BytesOut), "out")
		}},
	{Name: "throng_unhandled_events_total", Help: "Events that no application handled.",
		kind: counter, read: one(func(s *Snapshot) float64 { return float64(s.Unhandled) })},
	{Name: "throng_handler_errors_total", Help: "Handlers that returned an error.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.HandlerErrors) })},
	{Name: "throng_panics_total", Help: "Panics that were caught.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Panics) })},

	{Name: "throng_workers", Help: "Workers that run or wait for handlers.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.Workers) })},
	{Name: "throng_mailboxes_queued", Help: "Sockets with events that wait for a worker.",
		kind: gauge, read: one(func(s *Snapshot) float64 { return float64(s.QueuedMailboxes) })},
	{Name: "throng_mailbox_bytes", Help: "Bytes that wait for handlers.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.MailboxBytes) })},
	{Name: "throng_loop_connections", Help: "Connections of an event loop.", kind: gauge,
		Labels: []string{"loop"}, read: loops(func(s *Snapshot, i int) float64 {
			return float64(s.Loops[i].Connections)
		})},
	{Name: "throng_loop_blocked_connections", Help: "Connections of a loop whose clients take no " +
		"more output now.", kind: gauge, Labels: []string{"loop"},
		read: loops(func(s *Snapshot, i int) float64 { return float64(s.Loops[i].Blocked) })},
	{Name: "throng_loop_lag_seconds", Help: "How late a loop was for its last tick.", kind: gauge,
		Labels: []string{"loop"},
		read:   loops(func(s *Snapshot, i int) float64 { return s.Loops[i].Lag.Seconds() })},
	{Name: "throng_loop_silent_seconds", Help: "How long a loop has not taken up a tick that has " +
		"come, each second at least.", kind: gauge, Labels: []string{"loop"},
		read: loops(func(s *Snapshot, i int) float64 { return s.Loops[i].Silent.Seconds() })},
}

func total(m map[string]uint64) (n float64) {
	for _, v := range m {
		n += float64(v)
	}
	return n
}

func loops(f func(s *Snapshot, i int) float64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) {
		for i := range s.Loops {
			add(f(s, i), strconv.Itoa(i))
		}
	}
}
