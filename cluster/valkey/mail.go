package valkey

import (
	"context"
	"strconv"
	"sync"
	"time"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
)

// Bounds of what is sent to single nodes.
const (
	mailEntries = 65_536
	mailBytes   = 64 << 20
	// mailKeep is how many entries of answers a node's stream keeps, about.
	mailKeep = 10_000
)

// letter is an entry for one node.
type letter struct {
	to    key
	data  []byte
	added time.Time
}

// parcel is what one entry of a stream carries: letters to one node. What is
// tried again has the same number, and no later one goes before, so that the
// reader tells a second one.
type parcel struct {
	to       key
	from     string
	number   uint64
	payload  []byte
	letters  int
	bytes    int
	patience time.Time // until then
}

// mail sends entries to single nodes, best effort: again and again for as long
// as somebody may wait for them, so that a broker that pauses loses none.
type mail struct {
	t     *Transport
	ready chan struct{}

	mu      sync.Mutex
	letters []letter
	bytes   int64
	busy    bool
	closed  bool
	dropped uint64
	sent    uint64
	sentB   uint64

	expires map[key]time.Time // of run alone, as is
	number  uint64            // that of the last parcel
}

func newMail(t *Transport) *mail {
	return &mail{t: t, ready: make(chan struct{}, 1), expires: map[key]time.Time{}}
}

func (m *mail) add(to cluster.Node, data []byte) bool {
	m.mu.Lock()
	if m.closed || len(m.letters) >= mailEntries || m.bytes+int64(len(data)) > mailBytes {
		m.dropped++
		m.mu.Unlock()
		return false
	}
	m.letters = append(m.letters, letter{key{to.ID, to.Incarnation}, data, time.Now()})
	m.bytes += int64(len(data))
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
	return true
}

func (m *mail) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
}

func (m *mail) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.letters) == 0 && !m.busy
}

func (m *mail) status(s *cluster.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.QueuedEntries += len(m.letters)
	s.QueuedBytes += m.bytes
	s.Published += m.sent
	s.PublishedBytes += m.sentB
	if m.dropped > 0 {
		s.Dropped["answer"] += m.dropped
	}
}

func (m *mail) run() {
	for {
		select {
		case <-m.t.stop:
			return
		case <-m.ready:
		}
		m.mu.Lock()
		letters := m.letters
		m.letters, m.bytes, m.busy = nil, 0, true
		m.mu.Unlock()
		m.send(letters)
		m.mu.Lock()
		m.busy = false
		m.mu.Unlock()
	}
}

// send groups what goes to the same node; the order within each group stays.
func (m *mail) send(letters []letter) {
	from := m.t.opt.NodeID + "." + strconv.FormatUint(m.t.incarnation(), 10)
	for len(letters) > 0 {
		m.number++
		p := parcel{to: letters[0].to, from: from, number: m.number,
			patience: letters[0].added.Add(askPatience)}
		var rest []letter
		full := false
		for _, l := range letters {
			if l.to != p.to || full || p.letters == batchEntries ||
				p.letters > 0 && len(p.payload)+len(l.data) > batchBytes {
				// What follows for this node must not pass it.
				full = full || l.to == p.to
				rest = append(rest, l)
				continue
			}
			p.payload = fields.Append(p.payload, l.data)
			p.letters++
			p.bytes += len(l.data)
		}
		err := m.deliver(&p)
		m.mu.Lock()
		if err != nil {
			m.dropped += uint64(p.letters)
		} else {
			m.sent += uint64(p.letters)
			m.sentB += uint64(p.bytes)
		}
		m.mu.Unlock()
		if err != nil {
			m.t.log.Warn("cluster: answers not sent", "node", p.to.id, "entries", p.letters,
				"err", err)
		}
		letters = rest
	}
}

// deliver posts a parcel until it is there or nobody waits for it any more.
func (m *mail) deliver(p *parcel) error {
	var b backoff
	for {
		err := m.post(p)
		if err == nil || time.Now().After(p.patience) || b.wait(m.t.stop, nil) {
			return err
		}
	}
}

func (m *mail) post(p *parcel) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.t.opt.timeoutFor(len(p.payload)))
	defer cancel()
	c := m.t.client
	stream, to := m.t.mailKey(p.to.id, p.to.incarnation), p.to
	cmds := []vk.Completed{c.B().Xadd().Key(stream).Maxlen().Almost().
		Threshold(strconv.Itoa(mailKeep)).Id("*").FieldValue().
		FieldValue(fieldFrom, p.from).
		FieldValue(fieldNumber, strconv.FormatUint(p.number, 10)).
		FieldValue(fieldMessages, vk.BinaryString(p.payload)).Build()}
	fresh := time.Since(m.expires[to]) > expireEvery
	if fresh {
		cmds = append(cmds, c.B().Pexpire().Key(stream).
			Milliseconds(m.t.opt.StreamAge.Milliseconds()).Build())
	}
	res := c.DoMulti(ctx, cmds...)
	if err := res[0].Error(); err != nil {
		return err
	}
	if fresh && res[1].Error() == nil {
		for k := range m.expires {
			if time.Since(m.expires[k]) > expireEvery {
				delete(m.expires, k)
			}
		}
		m.expires[to] = time.Now()
	}
	return nil
}
