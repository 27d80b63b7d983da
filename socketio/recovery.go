package socketio

import (
	"container/list"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/throng-server/throng/internal/engine"
)

// ConnectionStateRecovery lets clients that lost their connection come back to
// their session: same id, rooms and data, and the events they have missed. It
// holds for events that are not volatile and want no acknowledgement; each of
// them carries its position as one more argument, which clients see as the
// last one; clients 1.x and 2.x (AllowEIO3), which cannot come back, get events
// without it. Sessions live in this process.
//
// What a handler joins or leaves with its Socket after the connection was lost
// holds for the session: the client finds itself there when it comes back, with
// the events that came behind the join. Values set then are not the session's,
// and what is done to all members of a room (SocketsJoin, CloseRoom) is not done
// to clients that are away.
//
// Events then have one order for the whole server, so that a client may come
// back on any loop; a short mutex gives it at each emit.
type ConnectionStateRecovery struct {
	// MaxDisconnectionDuration is how long a session waits for its client.
	// Default 2 minutes.
	MaxDisconnectionDuration time.Duration
	// RunMiddlewares runs the middleware of the namespace for a client that
	// comes back, too. Default: it was let in before.
	RunMiddlewares bool
	// MaxParked bounds the sessions that wait for their clients; the one that
	// has waited longest goes first. Default 100,000.
	MaxParked int
	// MaxLogBytes bounds the events kept for clients that may have missed
	// them, on the whole server. A client that would need older ones gets a new
	// session. Default 64 MiB.
	MaxLogBytes int
}

const (
	defaultRecoveryTime  = 2 * time.Minute
	defaultMaxParked     = 100_000
	defaultRecoveryBytes = 64 << 20

	// claimTries bounds how often a claim meets an owner it has to oust.
	claimTries = 3
)

func (c *ConnectionStateRecovery) withDefaults() *ConnectionStateRecovery {
	o := *c
	if o.MaxDisconnectionDuration == 0 {
		o.MaxDisconnectionDuration = defaultRecoveryTime
	}
	if o.MaxParked == 0 {
		o.MaxParked = defaultMaxParked
	}
	if o.MaxLogBytes == 0 {
		o.MaxLogBytes = defaultRecoveryBytes
	}
	return &o
}

// recoveryResult numbers what became of clients that wanted their session.
type recoveryResult uint8

const (
	recoveryDone recoveryResult = iota
	recoveryUnknown
	recoveryBadOffset
	recoveryTooFar
	recoveryBusy
	recoveryResults
)

var recoveryNames = [recoveryResults]string{
	"recovered", "unknown_session", "bad_offset", "too_far_behind", "busy",
}

// recovery is the log of events and the directory of sessions. The mutex is
// held for a few instructions, by whoever emits too, so that the order of the
// log is that of every loop's inbox.
type recovery struct {
	srv *Server
	opt *ConnectionStateRecovery
	// unnoticed is the longest time between the last event a client has
	// surely received and the end of its connection; see the heartbeat.
	unnoticed time.Duration
	epoch     string // in front of this server's offsets
	blank     string // an offset to be filled in

	mu       sync.Mutex
	seq      uint64 // of the last event
	log      []logged
	logBytes int
	trimmed  int    // entries that the array behind log still holds
	lost     logged // the last event dropped for the bytes, f is nil if none
	sessions map[engine.ID]*session
	moved    map[engine.ID]*Socket // restored sockets by their ids
	parked   list.List             // of *session, soonest to expire first
	timer    *time.Timer
	ended    bool

	restored atomic.Int64 // len(moved)
	results  [recoveryResults]atomic.Uint64
	expired  atomic.Uint64
	evicted  atomic.Uint64
}

// logged is an event in the log; sequence numbers have no gaps.
type logged struct {
	f   *fanout
	seq uint64
	at  int64 // when it was emitted, Unix nanoseconds
}

// logCost is what an entry of the log takes apart from its frames.
const logCost = int(unsafe.Sizeof(fanout{}) + unsafe.Sizeof(logged{}))

func newRecovery(s *Server) *recovery {
	o := s.opt.ConnectionStateRecovery
	if o == nil {
		return nil
	}
	var b [epochLen]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	for i := range b {
		b[i] = offsetAlphabet[b[i]&63]
	}
	// A pong shows that all sent before its ping was received. The next ping
	// goes out an interval after it, and waits for a timeout.
	unnoticed := s.opt.PingInterval + 2*s.opt.PingTimeout + time.Second
	return &recovery{srv: s, opt: o, unnoticed: unnoticed, epoch: string(b[:]),
		blank:    string(b[:]) + strings.Repeat(offsetAlphabet[:1], seqLen),
		sessions: make(map[engine.ID]*session), moved: make(map[engine.ID]*Socket)}
}

// Offsets: the server's epoch, then a sequence number, most significant digit
// first in an alphabet in the order of ASCII.
const (
	offsetAlphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	epochLen       = 4
	seqLen         = 8
	offsetLen      = epochLen + seqLen
)

// putSeq fills in the offset at the end of an event's text, `...SEQUENCE"]`.
func putSeq(text []byte, seq uint64) {
	digits := text[len(text)-2-seqLen : len(text)-2]
	for i := seqLen - 1; i >= 0; i-- {
		digits[i] = offsetAlphabet[seq&63]
		seq >>= 6
	}
}

// position reads an offset. One of another server's is 0: this server has sent
// its bearer nothing, or it would have a newer one.
func (r *recovery) position(offset string) (seq uint64, ok bool) {
	if len(offset) != offsetLen {
		return 0, false
	}
	for i := range offset {
		v := strings.IndexByte(offsetAlphabet, offset[i])
		if v < 0 {
			return 0, false
		}
		if i >= epochLen {
			seq = seq<<6 | uint64(v)
		}
	}
	if offset[:epochLen] != r.epoch {
		return 0, true
	}
	return seq, true
}

// withoutOffset takes the offset off an event's raw arguments.
func (r *recovery) withoutOffset(args []byte) []byte {
	const quoted = offsetLen + 2
	at := len(args) - quoted
	if r == nil || at < 0 || args[at] != '"' || args[len(args)-1] != '"' ||
		string(args[at+1:at+1+epochLen]) != r.epoch {
		return args
	}
	if at > 0 && args[at-1] == ',' {
		at--
	}
	return args[:at:at]
}

// post gives an event its place in the order of all, and posts it to every
// loop. Any goroutine.
func (r *recovery) post(f *fanout) {
	text, _ := payload(f.Wire())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	f.seq = r.seq
	putSeq(text, r.seq)
	now := time.Now().UnixNano()
	r.log = append(r.log, logged{f: f, seq: r.seq, at: now})
	r.logBytes += f.Len() + logCost
	r.trim(now)
	r.srv.postAll(f)
}

// trim drops events that nobody can have missed, and the oldest ones if there
// are too many. mu is held.
func (r *recovery) trim(now int64) {
	old := now - int64(r.opt.MaxDisconnectionDuration+r.unnoticed)
	n := 0
	for ; n < len(r.log); n++ {
		e := &r.log[n]
		if e.at >= old {
			if r.logBytes <= r.opt.MaxLogBytes {
				break
			}
			r.lost = *e
			r.lost.f = nil
		}
		r.logBytes -= e.f.Len() + logCost
	}
	if n == 0 {
		return
	}
	// Readers have slices of the log: what they see is not overwritten, and
	// goes when the array does.
	r.log = r.log[n:]
	if r.trimmed += n; r.trimmed > len(r.log)/4+64 {
		r.trimmed = 0
		r.log = append(make([]logged, 0, len(r.log)+len(r.log)/2+64), r.log...)
	}
}

// span returns the events behind from, up to upTo. mu is held; the slice may be
// read afterwards.
func (r *recovery) span(from, upTo uint64) []logged {
	if len(r.log) == 0 || upTo <= from {
		return nil
	}
	first := r.log[0].seq
	if upTo < first {
		return nil
	}
	lo := uint64(0)
	if from >= first {
		lo = from - first + 1
	}
	hi := min(upTo-first+1, uint64(len(r.log)))
	if lo >= hi {
		return nil
	}
	return r.log[lo:hi:hi]
}

// claim is a client's wish for its session.
type claim struct {
	pid   engine.ID
	from  uint64 // the position of the last event it has; 0: none
	bad   bool   // the offset is none
	late  bool   // it has waited for the loop to get there
	tries int
}

// wish reads the claim of a CONNECT's auth object, nil if there is none.
func (r *recovery) wish(auth []byte) *claim {
	var a struct {
		PID    any `json:"pid"`
		Offset any `json:"offset"`
	}
	if len(auth) == 0 || json.Unmarshal(auth, &a) != nil {
		return nil
	}
	text, ok := a.PID.(string)
	if !ok {
		return nil
	}
	w := &claim{}
	if w.pid, ok = engine.ParseID(text); !ok {
		r.results[recoveryUnknown].Add(1)
		return nil
	}
	if a.Offset != nil {
		offset, _ := a.Offset.(string)
		w.from, ok = r.position(offset)
		w.bad = !ok
	}
	return w
}

// stop forgets the sessions that wait.
func (r *recovery) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
	for e := r.parked.Front(); e != nil; e = r.parked.Front() {
		delete(r.sessions, r.parked.Remove(e).(*session).pid)
	}
}

// RecoveryStats are the figures of connection state recovery.
type RecoveryStats struct {
	// Results counts claims of sessions: "recovered", or why there was a new
	// session: "unknown_session", "bad_offset", "too_far_behind", "busy".
	Results map[string]uint64
	// Parked sessions wait for their clients; Expired and Evicted ones do no
	// more: their time was over, or there were too many.
	Parked           int
	Expired, Evicted uint64
	// LogEvents and LogBytes are kept for clients that may have missed them.
	LogEvents, LogBytes int
}

func (r *recovery) stats() (st RecoveryStats) {
	if r == nil {
		return st
	}
	st.Results = make(map[string]uint64)
	for k := range r.results {
		if v := r.results[k].Load(); v > 0 {
			st.Results[recoveryNames[k]] = v
		}
	}
	st.Expired, st.Evicted = r.expired.Load(), r.evicted.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim(time.Now().UnixNano())
	st.Parked, st.LogEvents, st.LogBytes = r.parked.Len(), len(r.log), r.logBytes
	return st
}
