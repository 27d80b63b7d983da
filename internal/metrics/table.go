package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
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
	when func(s *Snapshot) bool
}

// adder takes a value and those of the labels.
type adder func(v float64, labels ...string)

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

func streams(f func(x *AppStream) float64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) {
		for i := range s.App.Streams {
			add(f(&s.App.Streams[i]), s.App.Streams[i].Name)
		}
	}
}

const (
	ifCluster  = "with cluster.valkey"
	ifRecovery = "with recovery.duration"
	ifApp      = "with app.url or app.stream"
	ifStream   = "with app.stream"
	ifNode     = "with metrics.socket_io_names"
)

var table = []Metric{
	{Name: "throng_build_info", Help: "1, labeled with versions.", kind: gauge,
		Labels: []string{"version", "client_version", "go_version"},
		read:   func(s *Snapshot, add adder) { add(1, s.Version, s.ClientVersion, s.GoVersion) }},

	{Name: "throng_connections", Help: "Open TCP connections of the public port.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return float64(s.Connections) })},
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
	{Name: "throng_draining", Help: "1 while no connections are accepted any more.", kind: gauge,
		read: one(func(s *Snapshot) float64 { return flag(s.Draining) })},

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

	{Name: "throng_events_total", Help: "Events received from clients.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Events) })},
	{Name: "throng_acks_total", Help: "Acknowledgements received from clients.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Acks) })},
	{Name: "throng_emits_total", Help: "Events sent to single sockets.", kind: counter,
		read: one(func(s *Snapshot) float64 { return float64(s.Emits) })},
	{Name: "throng_broadcast_deliveries_total", Help: "Receivers of broadcasts, all together.",
		kind: counter, read: one(func(s *Snapshot) float64 { return float64(s.Deliveries) })},
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

	{Name: "throng_app_calls_total", Help: "What happened to sockets and was told to the " +
		"application, by result.", kind: counter, Labels: []string{"result"}, If: ifApp, when: hasApp,
		read: func(s *Snapshot, add adder) {
			add(float64(s.App.Calls-min(s.App.Failed, s.App.Calls)), "handled")
			add(float64(s.App.Failed), "failed")
		}},
	{Name: "throng_app_requests_total", Help: "Requests to endpoints, repeated ones included.",
		kind: counter, If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Requests) })},
	{Name: "throng_app_waiting_calls", Help: "Calls that wait for their turn or for their answers.",
		kind: gauge, If: ifApp, when: hasApp, read: one(func(s *Snapshot) float64 {
			n := s.App.Waiting + s.App.Flying
			for _, x := range s.App.Streams {
				n += x.Waiting
			}
			return float64(n)
		})},
	{Name: "throng_app_stream_connected", Help: "1 while the broker of a stream answers.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return flag(x.Connected) })},
	{Name: "throng_app_stream_length", Help: "Calls in a stream, of all servers: waiting or in the " +
		"hands of workers.", kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Length) })},
	{Name: "throng_app_stream_pending", Help: "Of them, those in the hands of workers.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Pending) })},
	{Name: "throng_app_stream_dead", Help: "Calls that were given up and are kept in NAME:dead.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Kept) })},
	{Name: "throng_app_stream_calls_total", Help: "Calls by what this server did with them: added, " +
		"redelivered (their workers did not answer), dead (given up).", kind: counter,
		Labels: []string{"stream", "what"}, If: ifStream, when: hasStream,
		read: func(s *Snapshot, add adder) {
			for _, x := range s.App.Streams {
				add(float64(x.Added), x.Name, "added")
				add(float64(x.Redelivered), x.Name, "redelivered")
				add(float64(x.Dead), x.Name, "dead")
			}
		}},
	{Name: "throng_app_stream_answers_total", Help: "Answers of workers: in time, late (nobody waited " +
		"any more), orphan (to a server that is gone), unknown (a second one, or much too late).",
		kind: counter, Labels: []string{"stream", "what"}, If: ifStream, when: hasStream,
		read: func(s *Snapshot, add adder) {
			for _, x := range s.App.Streams {
				others := x.Late + x.Orphans + x.Unknown
				add(float64(x.Answers-min(others, x.Answers)), x.Name, "in_time")
				add(float64(x.Late), x.Name, "late")
				add(float64(x.Orphans), x.Name, "orphan")
				add(float64(x.Unknown), x.Name, "unknown")
			}
		}},

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
	{Name: "throng_loop_silent_seconds", Help: "How long ago a loop took up a tick, of which there " +
		"are ten a second.", kind: gauge, Labels: []string{"loop"},
		read: loops(func(s *Snapshot, i int) float64 { return s.Loops[i].Silent.Seconds() })},

	{Name: "throng_recoveries_total", Help: "Clients that asked for their sessions, by result.",
		kind: counter, Labels: []string{"result"}, If: ifRecovery, when: recovers,
		read: byName(func(s *Snapshot) map[string]uint64 { return s.Recovery.Results })},
	{Name: "throng_recovery_parked_sessions", Help: "Sessions that wait for their clients.",
		kind: gauge, If: ifRecovery, when: recovers,
		read: one(func(s *Snapshot) float64 { return float64(s.Recovery.Parked) })},
	{Name: "throng_recovery_log_bytes", Help: "Bytes of events kept for clients that may have " +
		"missed them.", kind: gauge, If: ifRecovery, when: recovers,
		read: one(func(s *Snapshot) float64 { return float64(s.Recovery.LogBytes) })},

	{Name: "throng_cluster_connected", Help: "1 while the broker answers.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return flag(s.Cluster.Connected) })},
	{Name: "throng_cluster_degraded", Help: "1 while other nodes may miss what this one publishes.",
		kind: gauge, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return flag(s.Cluster.Degraded) })},
	{Name: "throng_cluster_nodes", Help: "Other nodes that live.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(len(s.Cluster.Nodes)) })},
	{Name: "throng_cluster_lag_entries", Help: "Entries of the other node this one is most behind.",
		kind: gauge, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.mostLag()) })},
	{Name: "throng_cluster_queued_entries", Help: "Entries that wait to be sent.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.QueuedEntries) })},
	{Name: "throng_cluster_queued_bytes", Help: "Bytes that wait to be sent.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.QueuedBytes) })},
	{Name: "throng_cluster_entries_total", Help: "Entries sent and received.", kind: counter,
		Labels: []string{"direction"}, If: ifCluster, when: inCluster,
		read: func(s *Snapshot, add adder) {
			add(float64(s.Cluster.Published), "out")
			add(float64(s.Cluster.Received), "in")
		}},
	{Name: "throng_cluster_bytes_total", Help: "Bytes of those entries.", kind: counter,
		Labels: []string{"direction"}, If: ifCluster, when: inCluster,
		read: func(s *Snapshot, add adder) {
			add(float64(s.Cluster.PublishedBytes), "out")
			add(float64(s.Cluster.ReceivedBytes), "in")
		}},
	{Name: "throng_cluster_dropped_total", Help: "Own entries that were not sent, by reason.",
		kind: counter, Labels: []string{"reason"}, If: ifCluster, when: inCluster,
		read: byName(func(s *Snapshot) map[string]uint64 { return s.Cluster.Dropped })},
	{Name: "throng_cluster_missed_total", Help: "Entries of others that did not come.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Missed) })},
	{Name: "throng_cluster_reconnects_total", Help: "How often the broker came back.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Reconnects) })},
	{Name: "throng_cluster_incarnations_total", Help: "How often this node's lease had lapsed.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Incarnations) })},

	{Name: "throng_config_reloads_total", Help: "SIGHUPs, by result.", kind: counter,
		Labels: []string{"result"}, read: func(s *Snapshot, add adder) {
			add(float64(s.ReloadsOK), "ok")
			add(float64(s.ReloadsFailed), "refused")
		}},
	{Name: "throng_config_reload_success", Help: "1 if the last configuration that was read is " +
		"in force.", kind: gauge, read: one(func(s *Snapshot) float64 { return flag(s.LastReloadOK) })},
	{Name: "throng_config_last_reload_success_timestamp_seconds", Help: "When the configuration " +
		"in force was read.", kind: gauge, read: one(func(s *Snapshot) float64 {
		return float64(s.LastReload.UnixMilli()) / 1000
	})},
	{Name: "throng_api_requests_total", Help: "Requests to the HTTP API.", kind: counter,
		Labels: []string{"endpoint", "status"}, read: func(s *Snapshot, add adder) {
			for c, n := range s.API {
				add(float64(n), c.Endpoint, strconv.Itoa(c.Status))
			}
		}},

	{Name: "socket_io_connected", Help: "Connected sockets.", kind: gauge, If: ifNode, when: asNode,
		read: one(func(s *Snapshot) (n float64) {
			for _, v := range s.Sockets {
				n += float64(v)
			}
			return n
		})},
	{Name: "socket_io_connect_total", Help: "Sessions that began.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return total(s.Handshakes) })},
	{Name: "socket_io_disconnect_total", Help: "Sessions that ended.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return total(s.Disconnects) })},
	{Name: "socket_io_recieve_bytes", Help: "Bytes received; spelled as there.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return float64(s.BytesIn) })},
	{Name: "socket_io_transmit_bytes", Help: "Bytes sent.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return float64(s.BytesOut) })},
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
