package valkey

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	vk "github.com/valkey-io/valkey-go"
)

// writer appends the queue to the stream of this node: one batch at a time,
// again and again until it is there. Its goroutine alone calls run and below.
type writer struct {
	t *Transport

	mu          sync.Mutex
	incarnation uint64
	seq         uint64 // the last one added

	// maybe is where the batch under way may have arrived, in streams that have
	// ended: readers who have it from there do not take it again.
	maybe []place

	woken   chan struct{}
	marks   marks
	expires time.Time // when the stream's time to live was set last
}

func newWriter(t *Transport) *writer {
	return &writer{t: t, woken: make(chan struct{}, 1)}
}

// headOf is the last number that readers of an incarnation's stream can know.
func (w *writer) headOf(incarnation uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.incarnation != incarnation {
		return 0
	}
	return w.seq + w.t.queue.tail()
}

// wakeUp ends the wait between two tries.
func (w *writer) wakeUp() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *writer) run() {
	w.move(w.t.incarnation())
	for {
		b, ok := w.t.queue.take()
		if !ok {
			select {
			case <-w.t.stop:
				return
			case <-w.t.queue.ready:
			}
			continue
		}
		if !w.send(b) {
			return
		}
	}
}

// move begins the stream of an incarnation.
func (w *writer) move(incarnation uint64) {
	w.mu.Lock()
	w.incarnation, w.seq = incarnation, 0
	w.mu.Unlock()
	w.marks = marks{}
	w.expires = time.Time{}
}

// send returns false when everything ends.
func (w *writer) send(b batch) bool {
	var back backoff
	tried := false // under this incarnation, and it may have arrived
	w.maybe = nil
	for {
		if w.t.stopped() {
			return false
		}
		err := w.step(b, &tried)
		w.t.health.report(partWrite, err)
		if err == nil {
			return true
		}
		if back.wait(w.t.stop, w.woken) {
			return false
		}
	}
}

var errFenced = errors.New("others took this node for dead; waiting for a new incarnation")

// step tries once to have the batch added.
func (w *writer) step(b batch, tried *bool) error {
	if now := w.t.incarnation(); now != w.incarnation {
		if *tried {
			was := place{w.incarnation, w.seq + b.skip + uint64(b.n)}
			there, err := w.settle(was)
			if err != nil {
				return err
			}
			if there {
				w.move(now)
				w.t.queue.done()
				return nil
			}
			w.maybe = append(w.maybe, was)
			*tried = false
		}
		w.move(now)
	}
	last := w.seq + b.skip + uint64(b.n)
	key := w.t.streamKey(w.t.opt.NodeID, w.incarnation)
	err := w.add(key, last, b.payload)
	if refused(err) {
		err = w.refusal(key, last, *tried)
	}
	if err != nil {
		*tried = *tried || !answered(err)
		return err
	}
	w.mu.Lock()
	w.seq = last
	w.t.queue.done()
	w.mu.Unlock()
	w.marks.add(last, int64(len(b.payload)))
	return nil
}

// settle finds out whether the batch that was under way is in the stream of
// the old incarnation. From then on nothing can be added there. If it is not,
// it may have been: the broker may have forgotten the stream.
func (w *writer) settle(at place) (there bool, err error) {
	stream := w.t.streamKey(w.t.opt.NodeID, at.incarnation)
	if err := w.t.dir.fence(stream, fenceLost, w.t.opt.StreamAge); err != nil {
		return false, err
	}
	tail, found, err := w.t.dir.tail(stream)
	if err != nil {
		return false, err
	}
	return found && !tail.less(messageID(at.seq)), nil
}

// refusal is why Valkey did not take an id: an earlier try did arrive, or the
// stream has ended, or somebody else has written to it, which ends it as well.
func (w *writer) refusal(stream string, last uint64, tried bool) error {
	top, found, err := w.t.dir.top(stream, "+")
	if err != nil {
		return err
	}
	if found && top.ms < fenceEpoch && tried && !top.less(messageID(last)) {
		return nil
	}
	if _, err := w.t.dir.lose(w.t.opt.NodeID, w.incarnation, true); err != nil {
		return err
	}
	w.t.kick()
	return errFenced
}

func refused(err error) bool {
	e, ok := vk.IsValkeyErr(err)
	return ok && strings.Contains(e.Error(), "equal or smaller")
}

// add is the command itself.
func (w *writer) add(stream string, last uint64, payload []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.t.opt.timeoutFor(len(payload)))
	defer cancel()
	c := w.t.client
	from := messageID(w.marks.from(&w.t.opt))
	fields := c.B().Xadd().Key(stream).Minid().Almost().Threshold(from.String()).
		Id(messageID(last).String()).FieldValue().
		FieldValue(fieldMessages, vk.BinaryString(payload))
	if len(w.maybe) > 0 {
		fields = fields.FieldValue(fieldMaybe, formatPlaces(w.maybe))
	}
	cmd := fields.Build()
	if time.Since(w.expires) < expireEvery {
		err := c.Do(ctx, cmd).Error()
		if full(err) {
			w.makeRoom(stream, from)
		}
		return err
	}
	res := c.DoMulti(ctx, cmd, c.B().Pexpire().Key(stream).
		Milliseconds(w.t.opt.StreamAge.Milliseconds()).Build())
	if err := res[0].Error(); err != nil {
		if full(err) {
			w.makeRoom(stream, from)
		}
		return err
	}
	if res[1].Error() == nil {
		w.expires = time.Now()
	}
	return nil
}

// expireEvery bounds how often the time to live is set; the stream of a node
// that has stopped goes so much earlier at most.
const expireEvery = time.Second

func full(err error) bool {
	e, ok := vk.IsValkeyErr(err)
	return ok && strings.HasPrefix(e.Error(), "OOM")
}

// makeRoom trims the own stream, which Valkey does with an XADD only, and that
// it refuses when its memory is full.
func (w *writer) makeRoom(stream string, from streamID) {
	if err := w.t.dir.trim(stream, from); err != nil {
		w.t.log.Debug("cluster: stream not trimmed", "err", err)
	}
}

// marks remember how the stream grew, coarsely, so that it can be trimmed by
// number, by size and by age.
type marks struct {
	list  []mark
	seq   uint64 // trimmed up to here
	bytes int64  // ever
	last  uint64
}

type mark struct {
	seq   uint64
	bytes int64 // ever, seq included
	at    time.Time
}

// markEvery is the grain of trimming by age.
const markEvery = 100 * time.Millisecond

func (m *marks) add(seq uint64, bytes int64) {
	m.bytes += bytes
	m.last = seq
	now := time.Now()
	if n := len(m.list); n > 0 && now.Sub(m.list[n-1].at) < markEvery {
		m.list[n-1].seq, m.list[n-1].bytes = seq, m.bytes
		return
	}
	m.list = append(m.list, mark{seq, m.bytes, now})
}

// from returns the first number that stays.
func (m *marks) from(o *Options) uint64 {
	now := time.Now()
	k := 0
	for k < len(m.list) {
		x := m.list[k]
		if m.last-x.seq < uint64(o.StreamEntries) && m.bytes-x.bytes < o.StreamBytes &&
			now.Sub(x.at) < o.StreamAge {
			break
		}
		m.seq = x.seq
		k++
	}
	if k > 0 {
		m.list = append(m.list[:0], m.list[k:]...)
	}
	return m.seq + 1
}
