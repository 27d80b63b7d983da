package valkey

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
)

// Bounds of one read of one stream. How many entries are asked for follows the
// size of those that came, so that an answer stays near readBytes.
const (
	readMax   = 128
	readBytes = 4 << 20
	// maxBlock is how long a read waits at the broker for something to come.
	maxBlock = 2 * time.Second
)

// source is a stream that is read.
type source struct {
	key  string
	peer *peer // nil: answers for this node, or entries of emitters
	done chan struct{}

	pos  streamID      // of the goroutine that reads it
	read atomic.Uint64 // pos.seq, for others
	// stamp is pos.ms of what came since the last look, for others.
	stamp atomic.Uint64
}

func newSource(key string, pos streamID, p *peer) *source {
	s := &source{key: key, peer: p, done: make(chan struct{})}
	s.at(pos)
	return s
}

func (s *source) at(pos streamID) {
	s.pos = pos
	s.read.Store(pos.seq)
}

func (s *source) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// reader reads all streams: in one goroutine, or, because a Valkey Cluster
// reads together only what shares a slot, one for each stream.
type reader struct {
	t     *Transport
	split bool
	block time.Duration

	// deliver is held while the receiver is called.
	deliver sync.Mutex

	mu      sync.Mutex
	sources []*source
	mail    *source
	running bool

	// letters has the last number of each sender of answers. Under deliver.
	letters map[key]uint64

	received, bytes, missed, duplicates atomic.Uint64
}

func newReader(t *Transport) *reader {
	return &reader{t: t, split: t.client.Mode() == vk.ClientModeCluster,
		block: min(maxBlock, t.opt.Lease/3), letters: map[key]uint64{}}
}

// begin sets the streams that are no other node's.
func (r *reader) begin(emitTail streamID, self cluster.Node) {
	r.mu.Lock()
	r.sources = slices.DeleteFunc(r.sources, func(s *source) bool { return s.peer == nil })
	r.mail = newSource(r.t.mailKey(self.ID, self.Incarnation), streamID{}, nil)
	r.sources = append(r.sources, r.mail, newSource(r.t.emitKey(), emitTail, nil))
	r.mu.Unlock()
}

func (r *reader) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = true
	if !r.split {
		r.t.wg.Go(func() { r.loop(nil) })
		return
	}
	for _, s := range r.sources {
		r.t.wg.Go(func() { r.loop(s) })
	}
}

// add begins to read a stream, once wake was called.
func (r *reader) add(s *source) {
	r.mu.Lock()
	r.sources = append(r.sources, s)
	if r.running && r.split {
		r.t.wg.Go(func() { r.loop(s) })
	}
	r.mu.Unlock()
}

func (r *reader) remove(s *source) {
	r.mu.Lock()
	r.sources = slices.DeleteFunc(r.sources, func(x *source) bool { return x == s })
	r.mu.Unlock()
	close(s.done)
}

// moved replaces the stream of answers by that of a new incarnation.
func (r *reader) moved(self cluster.Node) {
	r.mu.Lock()
	old := r.mail
	r.mail = newSource(r.t.mailKey(self.ID, self.Incarnation), streamID{}, nil)
	fresh := r.mail
	r.mu.Unlock()
	r.add(fresh)
	r.remove(old)
	r.wakeBy(old.key)
}

// wake ends the blocking read, so that it is issued anew.
func (r *reader) wake() {
	r.mu.Lock()
	mail, wake := r.mail, r.running && !r.split
	r.mu.Unlock()
	if wake {
		r.wakeBy(mail.key)
	}
}

// trimMail drops answers that were read: nobody else reads them.
func (r *reader) trimMail() {
	r.mu.Lock()
	mail := r.mail
	r.mu.Unlock()
	if read := mail.stamp.Swap(0); read > 0 {
		if err := r.t.dir.trim(mail.key, streamID{read, 0}); err != nil {
			r.t.log.Debug("cluster: answers not trimmed", "err", err)
		}
	}
}

func (r *reader) wakeBy(stream string) {
	if err := r.t.dir.add(stream, fieldWake, "1", mailKeep, r.t.opt.StreamAge); err != nil {
		r.t.log.Debug("cluster: reader not woken", "err", err)
	}
}

// loop reads one stream, or all of them.
func (r *reader) loop(one *source) {
	part := partRead
	if one != nil {
		part += " " + one.key
	}
	defer r.t.health.report(part, nil)
	var b backoff
	count := readMax
	for {
		if r.t.stopped() || one != nil && one.over() {
			return
		}
		sources := []*source{one}
		if one == nil {
			r.mu.Lock()
			sources = slices.Clone(r.sources)
			r.mu.Unlock()
		}
		n, err := r.once(sources, count)
		if r.t.stopped() {
			return
		}
		r.t.health.report(part, err)
		if err != nil {
			count = max(1, count/2)
			if b.wait(r.t.stop, nil) {
				return
			}
			continue
		}
		b.reset()
		switch {
		case n > readBytes && count > 1:
			count /= 2
		case n < readBytes/4 && count < readMax:
			count *= 2
		}
	}
}

// once reads the streams and delivers what came, whose size it returns.
func (r *reader) once(sources []*source, count int) (size int, err error) {
	keys := make([]string, len(sources))
	ids := make([]string, len(sources))
	heads := make([]uint64, len(sources))
	for i, s := range sources {
		keys[i], ids[i] = s.key, s.pos.String()
		if s.peer != nil {
			_, heads[i] = r.t.peers.headOf(s.peer)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(),
		r.block+r.t.opt.timeoutFor(r.t.opt.MaxEntry))
	defer cancel()
	c := r.t.readClient
	res, err := c.Do(ctx, c.B().Xread().Count(int64(count)).Block(r.block.Milliseconds()).
		Streams().Key(keys...).Id(ids...).Build()).AsXRead()
	if err != nil && !vk.IsValkeyNil(err) {
		return 0, err
	}
	for i, s := range sources {
		entries := res[s.key]
		if len(entries) == 0 {
			// What the node had added by its last renewal is not there any
			// more, and nothing behind it.
			if s.peer != nil && s.pos.seq < heads[i] && !s.over() {
				r.deliver.Lock()
				r.gap(s, heads[i])
				r.deliver.Unlock()
			}
			continue
		}
		for _, e := range entries {
			if s.over() {
				break
			}
			n, err := r.take(s, e)
			if err != nil {
				r.t.log.Error("cluster: entry not understood", "stream", s.key, "id", e.ID, "err", err)
			}
			size += n
		}
	}
	return size, nil
}

// gap tells that everything up to number to was lost. Under deliver.
func (r *reader) gap(s *source, to uint64) {
	missed := to - s.pos.seq
	s.at(messageID(to))
	node, _ := r.t.peers.headOf(s.peer)
	r.miss(node, missed)
}

// late is gap for an incarnation that is over.
func (r *reader) late(node cluster.Node, missed uint64) {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.miss(node, missed)
}

func (r *reader) miss(node cluster.Node, missed uint64) {
	r.missed.Add(missed)
	r.t.log.Warn("cluster: entries of a node are lost", "node", node.ID, "missed", missed)
	r.t.recv.Gap(node, missed)
}

// take delivers one entry.
func (r *reader) take(s *source, e vk.XRangeEntry) (size int, err error) {
	id, err := parseID(e.ID)
	if err != nil {
		return 0, err
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	payload := bytesOf(e.FieldValues[fieldMessages])
	if s.peer == nil {
		s.at(id)
		s.stamp.Store(id.ms)
		return len(payload), r.takeLoose(e, payload)
	}
	if id.ms != epoch {
		// Whatever it says, Valkey takes no message behind it.
		r.fence(s, e.FieldValues[fieldFence] == fenceLeft)
		return 0, nil
	}
	list, err := messages(payload)
	if err != nil {
		r.gap(s, id.seq)
		return len(payload), err
	}
	node, _ := r.t.peers.headOf(s.peer)
	if uint64(len(list)) > id.seq {
		r.gap(s, id.seq)
		return len(payload), errBatch
	}
	places, err := parsePlaces(e.FieldValues[fieldMaybe])
	if r.t.peers.sawAny(node.ID, places) {
		r.duplicates.Add(uint64(len(list)))
		s.at(id)
		return len(payload), nil
	}
	before := id.seq - uint64(len(list))
	if before > s.pos.seq {
		r.gap(s, before)
	}
	known := s.pos.seq - before
	r.duplicates.Add(known)
	s.at(id)
	for _, m := range list[known:] {
		r.count(m)
		r.t.recv.Receive(node, m)
	}
	return len(payload), err
}

func (r *reader) count(m []byte) {
	r.received.Add(1)
	r.bytes.Add(uint64(len(m)))
}

// takeLoose delivers what has no numbers: answers and entries of emitters.
func (r *reader) takeLoose(e vk.XRangeEntry, payload []byte) error {
	if _, news := e.FieldValues[fieldNews]; news {
		r.t.kick()
	}
	if len(payload) == 0 {
		return nil
	}
	var node cluster.Node
	if from, ok := e.FieldValues[fieldFrom]; ok {
		i := strings.LastIndexByte(from, '.')
		if i < 0 {
			return errors.New("no sender")
		}
		incarnation, err := strconv.ParseUint(from[i+1:], 10, 64)
		if err != nil {
			return errors.New("no sender")
		}
		if node, ok = r.t.peers.from(from[:i], incarnation); !ok {
			return nil
		}
		if !r.fresh(key{node.ID, node.Incarnation}, e.FieldValues[fieldNumber]) {
			r.duplicates.Add(1)
			return nil
		}
	}
	list, err := messages(payload)
	for _, m := range list {
		r.count(m)
		r.t.recv.Receive(node, m)
	}
	return err
}

// fresh tells whether the entry of answers with this number is the first one.
// Under deliver.
func (r *reader) fresh(from key, number string) bool {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return true // who gives no numbers does not try again
	}
	if n <= r.letters[from] {
		return false
	}
	r.letters[from] = n
	if len(r.letters) > lostKept {
		maps.DeleteFunc(r.letters, func(k key, _ uint64) bool {
			return !r.t.peers.has(k.id, k.incarnation)
		})
	}
	return true
}

// fence is the end of a node. Under deliver.
func (r *reader) fence(s *source, left bool) {
	if s.over() {
		return
	}
	node, head := r.t.peers.headOf(s.peer)
	if head > s.pos.seq {
		r.gap(s, head)
	}
	r.remove(s)
	r.t.peers.remove(s.peer)
	delete(r.letters, key{node.ID, node.Incarnation})
	r.t.log.Info("cluster: a node is gone", "node", node.ID, "incarnation", node.Incarnation,
		"left", left)
	r.t.recv.NodeLost(node, left)
	r.t.kick()
}

func (r *reader) status(s *cluster.Status) {
	s.Received, s.ReceivedBytes = r.received.Load(), r.bytes.Load()
	s.Missed, s.Duplicates = r.missed.Load(), r.duplicates.Load()
}
