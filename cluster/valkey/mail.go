package valkey

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
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
// as somebody may wait for them, so that a broker that pauses loses none. Each
// node has a line of its own: one whose stream takes nothing, as when its part
// of a Valkey Cluster is away, holds up no other.
type mail struct {
	t      *Transport
	number atomic.Uint64 // that of the last parcel

	mu sync.Mutex
	// lines are the letters that wait, in order. Each line has a goroutine,
	// which ends with it.
	lines   map[key][]letter
	letters int   // in lines and under way
	bytes   int64 // of those
	closed  bool
	dropped uint64
	sent    uint64
	sentB   uint64
	expires map[key]time.Time
}

func newMail(t *Transport) *mail {
	return &mail{t: t, lines: map[key][]letter{}, expires: map[key]time.Time{}}
}

func (m *mail) add(to cluster.Node, data []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.letters >= mailEntries || m.bytes+int64(len(data)) > mailBytes {
		m.dropped++
		return false
	}
	k := key{to.ID, to.Incarnation}
	line, busy := m.lines[k]
	m.lines[k] = append(line, letter{data, time.Now()})
	m.letters++
	m.bytes += int64(len(data))
	if !busy {
		m.t.wg.Go(func() { m.send(k) })
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
	return len(m.lines) == 0
}

func (m *mail) status(s *cluster.Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.QueuedEntries += m.letters
	s.QueuedBytes += m.bytes
	s.Published += m.sent
	s.PublishedBytes += m.sentB
	if m.dropped > 0 {
		s.Dropped["answer"] += m.dropped
	}
}

// send sends the letters of a line until there are none.
func (m *mail) send(to key) {
	for !m.t.stopped() {
		p, ok := m.next(to)
		if !ok {
			return
		}
		err := m.deliver(&p)
		m.mu.Lock()
		m.letters -= p.letters
		m.bytes -= int64(p.bytes)
		if err != nil {
			m.dropped += uint64(p.letters)
		} else {
			m.sent += uint64(p.letters)
			m.sentB += uint64(p.bytes)
		}
		m.mu.Unlock()
		if err != nil {
			m.t.log.Warn("cluster: answers not sent", "node", to.id, "entries", p.letters,
				"err", err)
		}
	}
}

// next takes what goes together from a line, or ends the line.
func (m *mail) next(to key) (p parcel, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	line := m.lines[to]
	if len(line) == 0 {
		delete(m.lines, to)
		return p, false
	}
	p = pack(line)
	clear(line[:p.letters])
	m.lines[to] = line[p.letters:]
	p.to, p.number = to, m.number.Add(1)
	p.from = m.t.opt.NodeID + "." + strconv.FormatUint(m.t.incarnation(), 10)
	return p, true
}

// pack puts the first letters of a line together. It is worth a try for as
// long as the last of them is.
func pack(line []letter) (p parcel) {
	for _, l := range line {
		if p.letters == batchEntries || p.letters > 0 && len(p.payload)+len(l.data) > batchBytes {
			break
		}
		p.payload = fields.Append(p.payload, l.data)
		p.letters++
		p.bytes += len(l.data)
		p.patience = l.added.Add(askPatience)
	}
	return p
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
	m.mu.Lock()
	fresh := time.Since(m.expires[to]) > expireEvery
	m.mu.Unlock()
	if fresh {
		cmds = append(cmds, c.B().Pexpire().Key(stream).
			Milliseconds(m.t.opt.StreamAge.Milliseconds()).Build())
	}
	res := c.DoMulti(ctx, cmds...)
	if err := res[0].Error(); err != nil {
		return err
	}
	if fresh && res[1].Error() == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		for k := range m.expires {
			if time.Since(m.expires[k]) > expireEvery {
				delete(m.expires, k)
			}
		}
		m.expires[to] = time.Now()
	}
	return nil
}
