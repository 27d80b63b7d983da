package netpoll

import (
	"sync/atomic"
	"time"
)

// dropReason numbers why something was refused or cut.
type dropReason uint8

const (
	dropFull dropReason = iota
	dropDraining
	dropSlow
	dropTooLarge
	dropUTF8
	dropProtocol
	dropHTTP
	dropHead
	dropReasons
)

var dropNames = [dropReasons]string{
	"connections_full", "draining", "slow_consumer", "message_too_large",
	"invalid_utf8", "websocket_protocol", "http_refused", "no_request",
}

// counters are the server's shared counters; per-message ones are per loop.
type counters struct {
	open     atomic.Int64
	detached atomic.Int64
	accepted atomic.Uint64
	requests atomic.Uint64
	upgrades atomic.Uint64
	handed   atomic.Uint64
	panics   atomic.Uint64
	drops    [dropReasons]atomic.Uint64
}

func (s *Server) drop(r dropReason) { s.drops[r].Add(1) }

// loopCount is counted by the loop alone and published once a turn.
type loopCount struct {
	framesIn, framesOut uint64
	bytesIn, bytesOut   uint64
	deliveries          uint64
	writes, turns       uint64
	queued, websockets  int64
}

// loopPub is what other goroutines read.
type loopPub struct {
	conns                         atomic.Int64
	framesIn, framesOut           atomic.Uint64
	bytesIn, bytesOut, deliveries atomic.Uint64
	writes, turns, wakes          atomic.Uint64
	lag, beat, blocked            atomic.Int64
	queued, websockets            atomic.Int64
}

func (l *Loop) publish() {
	p, n := &l.pub, &l.n
	p.framesIn.Store(n.framesIn)
	p.framesOut.Store(n.framesOut)
	p.bytesIn.Store(n.bytesIn)
	p.bytesOut.Store(n.bytesOut)
	p.deliveries.Store(n.deliveries)
	p.writes.Store(n.writes)
	p.turns.Store(n.turns)
	p.blocked.Store(int64(len(l.blocked)))
	p.queued.Store(n.queued)
	p.websockets.Store(n.websockets)
}

// LoopStats are the figures of one loop.
type LoopStats struct {
	Conns               int
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64
	// Deliveries counts broadcast frames queued to members.
	Deliveries uint64
	// Writes counts send calls, Turns rounds, Wakes the bytes that began them.
	Writes, Turns, Wakes uint64
	// Blocked counts connections whose socket takes nothing more.
	Blocked int
	// WebSockets are those of the connections that are open as such.
	WebSockets int
	// QueuedBytes wait to be written, or for the polls of sessions without a
	// socket.
	QueuedBytes int64
	// Lag is how late the loop took up the last tick of the clock, which comes
	// each 100 ms while there is something to do, else each second.
	Lag time.Duration
	// Silent is how long the loop has not taken up a tick that has come; more
	// than some 100 ms mean that it is stuck or starved.
	Silent time.Duration
}

// Stats are a server's figures since its start. Totals of loops are up to
// a second old.
type Stats struct {
	Conns int
	// Detached counts sessions that have no socket of their own.
	Detached                             int
	Accepted, Requests, Upgrades, Handed uint64
	// HTTPConns counts the connections net/http has.
	HTTPConns int
	Panics    uint64
	// Drops counts refusals and cuts by reason: connections_full, draining,
	// slow_consumer, message_too_large, invalid_utf8, websocket_protocol,
	// http_refused, no_request: nothing came within HeadTimeout of the accept.
	Drops   map[string]uint64
	Loops   []LoopStats
	Workers WorkersStats
}

// Stats returns the server's figures. Any goroutine.
func (s *Server) Stats() Stats {
	st := Stats{
		Conns: int(s.open.Load()), Detached: int(s.detached.Load()), Accepted: s.accepted.Load(), Requests: s.requests.Load(),
		Upgrades: s.upgrades.Load(), Handed: s.handed.Load(), Panics: s.panics.Load(),
		Drops: make(map[string]uint64, dropReasons),
	}
	for i := range s.drops {
		st.Drops[dropNames[i]] = s.drops[i].Load()
	}
	now := nanotime()
	for _, l := range s.Loops() {
		p := &l.pub
		var silent int64
		if asked := l.asked.Load(); asked > p.beat.Load() {
			silent = max(now-asked, 0)
		}
		st.Loops = append(st.Loops, LoopStats{
			Conns: int(p.conns.Load()), FramesIn: p.framesIn.Load(), FramesOut: p.framesOut.Load(),
			BytesIn: p.bytesIn.Load(), BytesOut: p.bytesOut.Load(), Deliveries: p.deliveries.Load(),
			Writes: p.writes.Load(), Turns: p.turns.Load(), Wakes: p.wakes.Load(),
			Blocked: int(p.blocked.Load()), Lag: time.Duration(p.lag.Load()),
			WebSockets: int(p.websockets.Load()), QueuedBytes: p.queued.Load(),
			Silent: time.Duration(silent),
		})
	}
	if s.workers != nil {
		st.Workers = s.workers.Stats()
	}
	if s.hand != nil {
		st.HTTPConns = s.hand.conns()
	}
	return st
}

// Blocked returns how many connections of the loop take no output now. Loop
// only.
func (l *Loop) Blocked() int { return len(l.blocked) }
