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
	to   key
	data []byte
}

// mail sends entries to single nodes, best effort: what fails is not tried
// again, because nobody could tell it from a second one.
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

	expires map[key]time.Time // of run alone
}

func newMail(t *Transport) *mail {
	return &mail{t: t, ready: make(chan struct{}, 1), expires: map[key]time.Time{}}
}

func (m *mail) add(to cluster.Node, data []byte) bool {
	m.t.queue.mu.Lock()
	away := m.t.queue.away
	m.t.queue.mu.Unlock()
	m.mu.Lock()
	if m.closed || away || len(m.letters) >= mailEntries || m.bytes+int64(len(data)) > mailBytes {
		m.dropped++
		m.mu.Unlock()
		return false
	}
	m.letters = append(m.letters, letter{key{to.ID, to.Incarnation}, data})
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
	for len(letters) > 0 {
		to := letters[0].to
		var payload []byte
		var rest []letter
		n, bytes := 0, 0
		for _, l := range letters {
			if l.to != to || n > 0 && len(payload)+len(l.data) > batchBytes || n == batchEntries {
				rest = append(rest, l)
				// What follows for this node must not pass it.
				if l.to == to {
					n = batchEntries
				}
				continue
			}
			payload = fields.Append(payload, l.data)
			n++
			bytes += len(l.data)
		}
		count := len(letters) - len(rest)
		err := m.post(to, payload)
		m.mu.Lock()
		if err != nil {
			m.dropped += uint64(count)
		} else {
			m.sent += uint64(count)
			m.sentB += uint64(bytes)
		}
		m.mu.Unlock()
		if err != nil {
			m.t.log.Warn("cluster: answers not sent", "node", to.id, "entries", count, "err", err)
		}
		letters = rest
	}
}

func (m *mail) post(to key, payload []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.t.opt.timeoutFor(len(payload)))
	defer cancel()
	from := m.t.opt.NodeID + "." + strconv.FormatUint(m.t.incarnation(), 10)
	c := m.t.client
	stream := m.t.mailKey(to.id, to.incarnation)
	cmds := []vk.Completed{c.B().Xadd().Key(stream).Maxlen().Almost().
		Threshold(strconv.Itoa(mailKeep)).Id("*").FieldValue().
		FieldValue(fieldFrom, from).
		FieldValue(fieldMessages, vk.BinaryString(payload)).Build()}
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
