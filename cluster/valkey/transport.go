package valkey

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
)

// Transport carries entries through Valkey. Make one with Open.
type Transport struct {
	opt    Options
	log    *slog.Logger
	client vk.Client
	lines  lines // of client
	// Reads block: they have connections of their own, to be cut at the end.
	readClient vk.Client
	readLines  lines

	dir    *directory
	health *health
	queue  *queue
	writer *writer
	mail   *mail
	reader *reader
	peers  *peers
	owner  string

	// The lessee: one goroutine.
	since   int64         // of the lease, as the server's clock has it
	started int64         // when Start looked first
	touched time.Time     // since when the broker answers without a break
	renewed time.Time     // the last time, by the wall's clock
	unsure  bool          // something could not be found out about another node
	kicked  chan struct{} // look now

	mu   sync.RWMutex
	self cluster.Node
	recv cluster.Receiver // set by Start
	life struct{ started, closed bool }

	incarnations atomic.Uint64
	stop         chan struct{} // closed: everything ends
	wg           sync.WaitGroup
}

var _ cluster.Transport = (*Transport)(nil)

// tagTries is how many tags are tried until one is free.
const tagTries = 64

// Open connects to Valkey and takes the node id; nothing is published or
// received before Start. If a process that lives has the id the error is
// cluster.ErrTaken; if it died, Open waits until its lease has lapsed, or for
// ctx. A broker that cannot be reached within 5 s is an error.
func Open(ctx context.Context, opt Options) (*Transport, error) {
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("valkey: %w", err)
	}
	t := &Transport{opt: opt, log: opt.Logger, owner: rand.Text(),
		kicked: make(chan struct{}, 1), stop: make(chan struct{})}
	client, err := opt.connect(ctx, &t.lines)
	if err != nil {
		return nil, fmt.Errorf("valkey: %w", err)
	}
	t.client = client
	if t.readClient, err = opt.connect(ctx, &t.readLines); err != nil {
		client.Close()
		return nil, fmt.Errorf("valkey: %w", err)
	}
	t.dir = &directory{client: client, prefix: opt.Prefix, lease: opt.Lease, limit: opt.Timeout}
	t.queue = newQueue(opt.SpillEntries, opt.SpillBytes)
	t.health = newHealth(t.log, t.queue.setAway)
	t.peers = newPeers()
	t.writer = newWriter(t)
	t.mail = newMail(t)
	t.reader = newReader(t)
	t.self = cluster.Node{ID: opt.NodeID, Incarnation: newIncarnation(), Addr: opt.Addr,
		Secret: newSecret()}
	if err := t.claim(ctx); err != nil {
		client.Close()
		t.readClient.Close()
		return nil, fmt.Errorf("valkey: node %q at %s: %w", opt.NodeID, opt.where(), err)
	}
	return t, nil
}

// newIncarnation is larger than those before it, as far as the clock goes.
func newIncarnation() uint64 {
	var r [2]byte
	rand.Read(r[:])
	return uint64(time.Now().UnixMicro())<<11 | uint64(r[0])<<3 | uint64(r[1])>>5
}

// newSecret is what only those can know who may read the directory.
func newSecret() string { return rand.Text() }

// claim takes the node id and a tag.
func (t *Transport) claim(ctx context.Context) error {
	h := fnv.New64a()
	h.Write([]byte(t.opt.NodeID))
	base := uint16(h.Sum64() ^ h.Sum64()>>16 ^ h.Sum64()>>32)
	t.self.Tag = base
	var b backoff
	var seen int64 // when the lease of the other one ends
	for tries := 1; ; {
		_, _, err := t.dir.renew(&lease{node: t.self, owner: t.owner, state: stateHeld}, true)
		var taken *takenError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errTagTaken):
			if tries++; tries > tagTries {
				return err
			}
			t.self.Tag = base + uint16(tries*tries)
			continue
		case errors.As(err, &taken):
			if seen != 0 && taken.expires > seen {
				return cluster.ErrTaken // it has renewed: it lives
			}
			seen = taken.expires
		case permanent(err) || b.total > connectPatience && seen == 0:
			return err
		}
		if b.wait(ctx.Done(), nil) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// streamKey is where an incarnation publishes; mailKey what is for it alone.
func (t *Transport) streamKey(id string, incarnation uint64) string {
	return t.opt.Prefix + "{" + id + "." + strconv.FormatUint(incarnation, 10) + "}"
}

func (t *Transport) mailKey(id string, incarnation uint64) string {
	return t.streamKey(id, incarnation) + ":r"
}

// Self implements cluster.Transport.
func (t *Transport) Self() cluster.Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := t.self
	n.Sockets = maps.Clone(n.Sockets)
	return n
}

// incarnation returns that of this node.
func (t *Transport) incarnation() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.self.Incarnation
}

// Start implements cluster.Transport.
func (t *Transport) Start(ctx context.Context, r cluster.Receiver) error {
	t.mu.Lock()
	if t.life.started || t.life.closed {
		t.mu.Unlock()
		return fmt.Errorf("valkey: Start: %w", errors.Join(cluster.ErrClosed,
			errors.New("it was started or closed before")))
	}
	t.life.started = true
	t.recv = r
	t.mu.Unlock()
	var b backoff
	for {
		err := t.enter()
		if err == nil {
			break
		}
		if errors.Is(err, cluster.ErrTaken) || b.wait(ctx.Done(), nil) {
			return fmt.Errorf("valkey: Start: %w", errors.Join(err, ctx.Err()))
		}
	}
	t.wg.Go(t.lessee)
	t.wg.Go(t.writer.run)
	t.reader.start()
	t.announce()
	return nil
}

// Publish implements cluster.Transport.
func (t *Transport) Publish(c cluster.Class, entry []byte) bool {
	if len(entry) > t.opt.MaxEntry {
		t.queue.drop("large")
		return false
	}
	return t.queue.add(c, entry)
}

// Send implements cluster.Transport.
func (t *Transport) Send(to cluster.Node, entry []byte) bool {
	if len(entry) > t.opt.MaxEntry {
		t.queue.drop("large")
		return false
	}
	if !t.peers.has(to.ID, to.Incarnation) {
		t.queue.drop("gone")
		return false
	}
	return t.mail.add(to, entry)
}

// Nodes implements cluster.Transport.
func (t *Transport) Nodes() []cluster.Node { return t.peers.nodes() }

// NodeByTag implements cluster.Transport.
func (t *Transport) NodeByTag(tag uint16) (cluster.Node, bool) { return t.peers.byTag(tag) }

// Status implements cluster.Transport.
func (t *Transport) Status() cluster.Status {
	s := cluster.Status{Self: t.Self(), Broker: "valkey", Nodes: t.peers.status(),
		Incarnations: t.incarnations.Load()}
	s.Connected, s.Since, s.Err, s.Degraded, s.Reconnects = t.health.state()
	t.queue.mu.Lock()
	s.QueuedEntries = t.queue.n + t.queue.sending.n
	s.QueuedBytes = t.queue.bytes + t.queue.sending.bytes
	s.Published, s.PublishedBytes = t.queue.accepted, t.queue.accBytes
	s.Dropped = maps.Clone(t.queue.dropped)
	t.queue.mu.Unlock()
	t.mail.status(&s)
	t.reader.status(&s)
	return s
}

// Close implements cluster.Transport.
func (t *Transport) Close(ctx context.Context) error {
	t.mu.Lock()
	if t.life.closed {
		t.mu.Unlock()
		return nil
	}
	t.life.closed = true
	started := t.life.started
	t.mu.Unlock()
	t.queue.close()
	t.mail.close()
	var errs []error
	if started {
		errs = append(errs, t.drain(ctx))
	}
	t.end()
	if ctx.Err() == nil {
		if started {
			errs = append(errs, t.goodbye())
		}
		errs = append(errs, t.dir.leave(t.opt.NodeID, t.owner))
		if started {
			t.announce()
		}
	}
	t.client.Close()
	if n := t.queue.abandon(); n > 0 {
		errs = append(errs, fmt.Errorf("%d entries were not sent", n))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("valkey: Close: %w", err)
	}
	return nil
}

// end ends all goroutines.
func (t *Transport) end() {
	close(t.stop)
	t.readLines.close()
	t.wg.Wait()
	t.readClient.Close()
}

func (t *Transport) stopped() bool {
	select {
	case <-t.stop:
		return true
	default:
		return false
	}
}

// drain waits until all that is queued has been sent.
func (t *Transport) drain(ctx context.Context) error {
	for !t.queue.empty() || !t.mail.empty() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// goodbye ends the own stream, so that the others see the end at once and in
// order. Nothing else runs any more.
func (t *Transport) goodbye() error {
	return t.dir.fence(t.streamKey(t.self.ID, t.self.Incarnation), fenceLeft, t.opt.StreamAge)
}

// announce tells the others to look into the directory. Without it they do so
// at their next renewal.
func (t *Transport) announce() {
	if err := t.dir.add(t.emitKey(), fieldNews, "1", emitKeep, t.opt.StreamAge); err != nil {
		t.log.Debug("cluster: news not told", "err", err)
	}
}

func (t *Transport) emitKey() string { return t.opt.Prefix + "{emit}" }
