package valkey

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/throng-server/throng/cluster"
)

// enter begins to take part: it notes where the streams of the others end and
// then takes the lease as a live node.
func (t *Transport) enter() error {
	// The tail first: news that come during the next steps are not missed.
	tail, _, err := t.dir.top(t.emitKey(), "+")
	if err != nil {
		return err
	}
	records, now, err := t.dir.renew(&lease{node: t.self, owner: t.owner, state: stateHeld}, true)
	if err != nil {
		return err
	}
	t.started = now
	for i := range records {
		r := &records[i]
		if r.id != t.self.ID && r.state == stateLive && t.peers.get(r.id) == nil {
			if _, err := t.meet(r, now); err != nil {
				return err
			}
		}
	}
	t.reader.begin(tail, t.self)
	return t.renew()
}

// meet puts a node into the table that is not there, with the position from
// which its stream is read: the beginning if it came after this node, else the
// end. The receiver does not know it yet.
func (t *Transport) meet(r *record, now int64) (*peer, error) {
	if err := t.reckon(r.id); err != nil {
		return nil, err
	}
	x := &peer{node: r.node(), head: r.info.Head, expires: r.expires, seen: time.Now()}
	stream := t.streamKey(r.id, r.incarnation)
	pos := messageID(0)
	if r.since < t.started {
		tail, _, err := t.dir.tail(stream)
		if err != nil {
			return nil, err
		}
		// The stream may have expired, or the broker may have lost its end.
		pos = messageID(max(r.info.Head, tail.seq))
	}
	x.src = newSource(stream, pos, x)
	t.peers.set(x)
	return x, nil
}

// unread returns the first incarnation of a node, up to that of its record, that
// began after this node and is not over for it: several may have come and gone
// while this node was cut off, and it gets all that they published, in order.
func (t *Transport) unread(r *record) (*record, error) {
	if r.since < t.started {
		return r, nil
	}
	past, err := t.dir.past(r)
	if err != nil {
		return nil, err
	}
	first := r
	for i := range slices.Backward(past) {
		p := &past[i]
		if t.peers.isLost(p.id, p.incarnation) {
			break
		}
		if p.since >= t.started && p.incarnation != r.incarnation {
			first = p
		}
	}
	return first, nil
}

// reckon counts what a node has added to its stream after it was over for this
// one: when the broker forgets who was lost, a node that nobody waits for any
// more may take itself for alive until it is told.
func (t *Transport) reckon(id string) error {
	e, ok := t.peers.lastOf(id)
	if !ok {
		return nil
	}
	stream := t.streamKey(e.node.ID, e.node.Incarnation)
	// First: behind the end nothing is added any more.
	if err := t.dir.fence(stream, fenceLost, t.opt.StreamAge); err != nil {
		return err
	}
	tail, _, err := t.dir.tail(stream)
	if err != nil {
		return err
	}
	if missed := t.peers.saw(e.node, tail.seq); missed > 0 {
		t.reader.late(e.node, missed)
	}
	return nil
}

// lessee keeps the lease alive and the table of the others true.
func (t *Transport) lessee() {
	// When the broker comes back the others wait for one lease, no longer: there
	// have to be several tries in it.
	b := backoff{most: t.opt.Lease / 3}
	for {
		err := t.renew()
		t.health.report(partLease, err)
		if err != nil {
			t.touched = time.Time{}
			// A read may hang on a dead connection for longer than the broker
			// is away.
			if !answered(err) {
				t.readLines.hangUp()
			}
			if b.wait(t.stop, t.kicked) {
				return
			}
			continue
		}
		if b.total > 0 {
			b.reset()
			t.writer.wakeUp()
		}
		if !t.pause() {
			return
		}
	}
}

// pause waits until the next renewal is due, or a kick; false: all ends.
func (t *Transport) pause() bool {
	third := t.opt.Lease / 3
	if t.unsure {
		third = min(third, maxWait)
	}
	timer := time.NewTimer(third - rand.N(third/10+1))
	defer timer.Stop()
	select {
	case <-t.stop:
		return false
	case <-timer.C:
		return true
	case <-t.kicked:
	}
	// Many kicks make one look.
	select {
	case <-t.stop:
		return false
	case <-time.After(minWait):
		return true
	}
}

// kick makes the lessee look now.
func (t *Transport) kick() {
	select {
	case t.kicked <- struct{}{}:
	default:
	}
}

// renew renews the lease and looks at the others.
func (t *Transport) renew() error {
	t.mu.RLock()
	l := lease{node: t.self, owner: t.owner, state: stateLive, since: t.since}
	t.mu.RUnlock()
	l.node.Sockets = t.recv.Sockets()
	l.head = t.writer.headOf(l.node.Incarnation)
	begun := time.Now().Round(0) // the wall's clock, which goes on in suspended machines
	records, now, err := t.dir.renew(&l, false)
	if errors.Is(err, errLost) || errors.Is(err, cluster.ErrTaken) {
		records, now, err = t.reincarnate(l)
	}
	if err != nil {
		return err
	}
	// In touch means on time: a node that was frozen knows nothing of the time
	// between.
	if t.touched.IsZero() || begun.Sub(t.renewed) > t.opt.Lease*2/3 {
		t.touched = time.Now()
	}
	t.renewed = time.Now().Round(0)
	t.mu.Lock()
	t.self.Sockets = l.node.Sockets
	t.mu.Unlock()
	if t.since == 0 {
		t.since = now
	}
	t.reader.trimMail()
	// What cannot be found out about another node is no trouble with the lease.
	err = t.look(records, now)
	t.health.report(partLook, err)
	t.unsure = err != nil
	return nil
}

// reincarnate goes on as a new incarnation: the others have seen the old one
// end. It fails as long as another process has the id.
func (t *Transport) reincarnate(l lease) ([]record, int64, error) {
	old := l.node.Incarnation
	l.node.Incarnation, l.node.Secret = newIncarnation(), newSecret()
	l.head, l.since = 0, 0
	records, now, err := t.dir.renew(&l, true)
	if err != nil {
		return nil, 0, err
	}
	t.since = now
	t.mu.Lock()
	t.self.Incarnation, t.self.Secret = l.node.Incarnation, l.node.Secret
	t.mu.Unlock()
	t.incarnations.Add(1)
	t.log.Warn("cluster: the lease had lapsed; going on as a new incarnation",
		"node", l.node.ID, "old", old, "new", l.node.Incarnation)
	t.reader.moved(l.node)
	t.writer.wakeUp()
	t.announce()
	return records, now, nil
}

// look compares the directory with the table.
func (t *Transport) look(records []record, now int64) error {
	seen := make(map[string]bool, len(records))
	var errs []error
	for i := range records {
		r := &records[i]
		if r.id == t.self.ID {
			continue
		}
		seen[r.id] = true
		if err := t.lookAt(r, now); err != nil {
			errs = append(errs, err)
		}
	}
	for _, x := range t.peers.all() {
		if seen[x.node.ID] {
			continue
		}
		if err := t.lapsed(x, true); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (t *Transport) lookAt(r *record, now int64) error {
	x := t.peers.get(r.id)
	switch {
	case x == nil && t.peers.isLost(r.id, r.incarnation):
		// It came back into a directory that had forgotten. For this node it is
		// over, so that it has to be for all.
		if r.live(now) {
			return t.banish(r.id, r.incarnation)
		}
		if r.state == stateLost && r.expires <= now {
			return t.dir.forget(r)
		}
		return nil
	case x == nil && (r.live(now) || r.state == stateLost && r.since >= t.started):
		r, err := t.unread(r)
		if err != nil {
			return err
		}
		x, err := t.meet(r, now)
		if err != nil {
			return err
		}
		t.join(x)
		if r.state == stateLost {
			return t.finish(x)
		}
		return nil
	case x == nil && r.state == stateLive:
		// It was dead when this node came, or lives and has not renewed yet.
		_, err := t.meet(r, now)
		return err
	case x == nil:
		if r.expires <= now {
			return t.dir.forget(r)
		}
		return nil
	case x.node.Incarnation != r.incarnation && t.peers.isLost(r.id, r.incarnation):
		// A broker that was restarted with an old state; it will be renewed.
		return t.lapsed(x, true)
	case x.node.Incarnation != r.incarnation:
		// A process has the id only when the one before it is over.
		return t.finish(x)
	case r.state == stateLost:
		return t.finish(x)
	case r.state == stateHeld && r.expires > now:
		return nil
	}
	t.peers.change(func() {
		x.node = r.node()
		x.head = max(x.head, r.info.Head)
		if r.expires > x.expires {
			x.expires, x.seen = r.expires, time.Now()
		}
	})
	if !r.live(now) {
		return t.lapsed(x, false)
	}
	x.absent = time.Time{}
	t.warnLag(x)
	if !x.live {
		t.join(x)
	}
	return nil
}

// warnLag tells of a stream that is read so late that entries may be trimmed
// before, if the other node's limits are those of this one.
func (t *Transport) warnLag(x *peer) {
	read := x.src.read.Load()
	late := x.head > read && x.head-read > uint64(t.opt.StreamEntries)/2
	if late && !x.late {
		t.log.Warn("cluster: entries of a node are read late and may be trimmed before",
			"node", x.node.ID, "behind", x.head-read)
	}
	x.late = late
}

// join tells the receiver of a node and begins to read its stream.
func (t *Transport) join(x *peer) {
	t.reader.deliver.Lock()
	t.peers.change(func() { x.live = true })
	t.recv.NodeJoined(x.node)
	t.reader.deliver.Unlock()
	t.reader.add(x.src)
	t.reader.wake()
}

// lapsed is a node whose lease has lapsed, or is missing. It is not lost before
// this node itself has reached the broker for one full lease: if the broker
// was away everybody's lease has lapsed. If it is missing, the broker may just
// have forgotten everything, so that it must be missing for a lease.
func (t *Transport) lapsed(x *peer, missing bool) error {
	if x.absent.IsZero() {
		x.absent = time.Now()
	}
	if time.Since(t.touched) < t.opt.Lease || missing && time.Since(x.absent) < t.opt.Lease {
		return nil
	}
	over, err := t.dir.lose(x.node.ID, x.node.Incarnation, false)
	if err != nil || !over {
		return err
	}
	return t.finish(x)
}

// finish ends the stream of an incarnation that is over in the directory. The
// reader finds the end there and tells the receiver. One that the receiver was
// not told of, because it did not seem to live, may have added something all
// the same.
func (t *Transport) finish(x *peer) error {
	stream := t.streamKey(x.node.ID, x.node.Incarnation)
	if err := t.dir.fence(stream, fenceLost, t.opt.StreamAge); err != nil || x.live {
		return err
	}
	tail, _, err := t.dir.tail(stream)
	if err != nil {
		return err
	}
	if tail.seq > x.src.read.Load() {
		t.join(x)
		return nil
	}
	t.peers.remove(x)
	t.kick()
	return nil
}

// banish is finish for an incarnation that lives, though it must not.
func (t *Transport) banish(id string, incarnation uint64) error {
	if _, err := t.dir.lose(id, incarnation, true); err != nil {
		return err
	}
	return t.dir.fence(t.streamKey(id, incarnation), fenceLost, t.opt.StreamAge)
}
