package socketio

import (
	"time"

	"github.com/throng-server/throng/cluster"
)

// dropKind numbers the reasons why something was refused or lost.
type dropKind uint8

const (
	dropMailbox dropKind = iota
	dropInvalid
	dropConnectTimeout
	dropHalfReceived
	dropNamespaces
	dropVolatile
	dropDynamic
	dropRooms
	dropRoomEvents
	dropOutgoing
	dropRefusalNotes
	dropEntry
	dropServerEvents
	dropRate
	dropAddress
	dropKinds
)

var dropNames = [dropKinds]string{
	"mailbox_overflow", "invalid_packet", "connect_timeout", "attachments_timeout",
	"max_namespaces", "volatile", "max_dynamic_namespaces", "max_rooms", "room_events",
	"outgoing_listener", "connection_error_hook",
	"cluster_entry", "server_events", "event_rate", "connections_per_address",
}

func (s *Server) drop(k dropKind) { s.dropped[k].Add(1) }

// Stats are the figures of a server since its start, a moment old.
type Stats struct {
	// Connections that are open, HTTP ones included.
	Connections int
	// Detached sessions have no connection of their own: they poll, or their
	// WebSocket is on another loop than they are.
	Detached int
	// ConnectionsLimit is how many connections may be open. Draining tells that
	// no more are accepted.
	ConnectionsLimit int
	Draining         bool
	// Handshakes counts the sessions that began, by transport; Disconnects
	// those that ended, by reason. What is not in Disconnects is open, or parked
	// for recovery.
	Handshakes  map[string]uint64
	Disconnects map[string]uint64
	// Accepted connections and Upgrades to WebSocket, ever.
	Accepted, Upgrades uint64
	// Sockets by namespace, and all Rooms. A room with members on several
	// loops counts once for each.
	Sockets map[string]int
	Rooms   int
	// RoomMembers are the memberships in them, all together.
	RoomMembers int
	// WebSockets are those of the connections that are open as such.
	WebSockets int
	// QueuedBytes wait to be written to clients, or for their polls.
	QueuedBytes int64
	// Events and Acks received, Emits to single sockets sent.
	Events, Acks, Emits uint64
	// Deliveries are the receivers of broadcasts, all together.
	Deliveries uint64
	// Fanouts are the broadcasts by how many receivers they had here. Encodes
	// is how often one was encoded: once, and once more on a loop for clients
	// that read another form.
	Fanouts Histogram
	Encodes uint64
	// EventsByName and SentByName are the events of Options.EventNames: those
	// received, and those sent, each receiver counted; "" are all others.
	EventsByName, SentByName map[string]uint64
	// HandlerTimes are those that the handlers of an event took together, in
	// seconds; when a loop is busy one event in eight is timed, and counts for
	// those before it. AckTimes are those until an acknowledgement came that the
	// server had asked for, AckTimeouts those that were not waited for any
	// longer.
	HandlerTimes, AckTimes Histogram
	AckTimeouts            uint64
	// MessagesIn and MessagesOut count WebSocket messages, heartbeat included.
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
	// Drops counts refusals and losses by reason.
	Drops map[string]uint64
	// HandlerErrors and Panics of handlers.
	HandlerErrors, Panics uint64
	// Workers that run or wait for handlers, QueuedMailboxes that wait for a
	// worker, MailboxBytes that wait for handlers.
	Workers, QueuedMailboxes int
	MailboxBytes             int64
	Recovery                 RecoveryStats
	// ForwardedOut requests were sent to the nodes of their sessions, of which
	// ForwardErrors had no answer; ForwardedIn came from other nodes, or from
	// processes that share the port.
	ForwardedOut, ForwardedIn, ForwardErrors uint64
	// Cluster is zero on a server that is in none.
	Cluster cluster.Status
	Loops   []LoopStats
}

// LoopStats are the figures of one event loop.
type LoopStats struct {
	Connections int
	// Blocked connections take no output now.
	Blocked int
	// Lag is how late the loop was for its last tick.
	Lag time.Duration
	// Silent is how long it has not taken up a tick that has come; one comes
	// each second at least.
	Silent time.Duration
}

// Stats returns the server's figures.
func (s *Server) Stats() Stats {
	st := Stats{Sockets: make(map[string]int), Drops: make(map[string]uint64),
		Handshakes: make(map[string]uint64), Disconnects: make(map[string]uint64),
		EventsByName: make(map[string]uint64), SentByName: make(map[string]uint64),
		HandlerErrors: s.errors.Load(), Encodes: s.encodes.Load()}
	for _, n := range s.Namespaces() {
		st.Sockets[n.name] = n.Len()
	}
	st.Recovery = s.recovery.stats()
	st.ForwardedIn = s.eng.Forwarded() + s.kin.count()
	if f := s.forwarder; f != nil {
		st.ForwardedOut, st.ForwardErrors = f.sent.Load(), f.fails.Load()
	}
	if s.mesh != nil {
		st.Cluster = s.mesh.t.Status()
	}
	n := s.net.Stats()
	st.Connections, st.Detached = n.Conns, n.Detached
	st.ConnectionsLimit, st.Draining = s.net.MaxConns(), s.eng.Draining() || s.net.Draining()
	st.Accepted, st.Upgrades = n.Accepted, n.Upgrades
	st.Panics = n.Panics + s.panics.Load()
	st.Workers, st.QueuedMailboxes = n.Workers.Workers, n.Workers.Queued
	for name, v := range n.Drops {
		if v > 0 {
			st.Drops[name] = v
		}
	}
	s.eng.Refusals(st.Drops)
	for k := range s.dropped {
		if v := s.dropped[k].Load(); v > 0 {
			st.Drops[dropNames[k]] = v
		}
	}
	for _, l := range n.Loops {
		st.MessagesIn += l.FramesIn
		st.MessagesOut += l.FramesOut
		st.BytesIn += l.BytesIn
		st.BytesOut += l.BytesOut
		st.WebSockets += l.WebSockets
		st.QueuedBytes += l.QueuedBytes
		st.Loops = append(st.Loops,
			LoopStats{Connections: l.Conns, Blocked: l.Blocked, Lag: l.Lag, Silent: l.Silent})
	}
	for i := range s.loops {
		lp := s.loops[i].Load()
		if lp == nil {
			continue
		}
		st.Events += uint64(lp.n.eventsIn.Load())
		st.Acks += uint64(lp.n.acksIn.Load())
		st.Emits += uint64(lp.n.emits.Load())
		st.Deliveries += uint64(lp.n.deliveries.Load())
		lp.n.sessions.add(&st)
		lp.m.addTo(&st, s.opt.EventNames)
		st.Rooms += int(lp.n.rooms.Load())
		st.MailboxBytes += lp.boxBytes.Load()
	}
	if len(s.opt.EventNames) == 0 {
		st.EventsByName[""] = st.Events
		st.SentByName[""] = st.Emits + uint64(st.Fanouts.Sum)
	}
	return st
}
