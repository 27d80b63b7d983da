package socketio

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
)

// PartialError comes with what a question to the cluster has brought when some
// nodes did not answer it completely.
type PartialError struct {
	// Missing are the IDs of those nodes.
	Missing []string
	// Omitted counts answers that were dropped because there were more than
	// 10,000.
	Omitted int
	// Err is why the first one is missing: ErrTimeout, the context's error,
	// ErrNodeLost, ErrNoAnswer, or ErrNotSent.
	Err error
}

func (e *PartialError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("socketio: %d answers too many", e.Omitted)
	}
	return fmt.Sprintf("socketio: no complete answer of the nodes %q: %v", e.Missing, e.Err)
}

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }

var (
	// ErrNodeLost is why a node that has left the cluster did not answer.
	ErrNodeLost = errors.New("socketio: the node is lost")
	// ErrNotSent is why no node was asked: the broker is away.
	ErrNotSent = errors.New("socketio: the cluster cannot be reached")
	// ErrNoAnswer is why a node is missing that sent fewer answers than it has
	// announced: entries are lost, or it has no handler for a server's event.
	ErrNoAnswer = errors.New("socketio: the node has no answer")
)

const (
	// defaultQuestionTimeout ends a question without any bound.
	defaultQuestionTimeout = 5 * time.Second
	// maxAnswers and maxAnswerBytes bound what is collected for one.
	maxAnswers     = 10_000
	maxAnswerBytes = 64 << 20
	// batchBytes is where an answer is cut into several entries.
	batchBytes = 64 << 10
)

// question waits for the answers of other nodes. Its lock is inside that of the
// mesh.
type question struct {
	id   uint64
	done chan struct{}

	mu      sync.Mutex
	open    map[string]*respondent
	parts   []part
	answers int
	bytes   int
	partial PartialError
	over    bool
}

// respondent is a node that has not answered completely.
type respondent struct {
	node             cluster.Node
	announced, heard uint64
}

// part is the body of an answer: what was asked decides what its records are.
type part struct {
	from    string
	records []byte
	n       int
}

// ask publishes a question. With only set it is for that node alone. Whoever
// asks calls wait in the end.
func (m *mesh) ask(op *cluster.Op, only *cluster.Node, wait time.Duration) *question {
	q := &question{done: make(chan struct{}), open: make(map[string]*respondent)}
	m.mu.Lock()
	m.asked++
	q.id = m.asked
	if only != nil {
		q.open[only.ID] = &respondent{node: *only}
		op.Names = []string{only.ID}
	} else {
		// Under the lock: a node that is lost from now on finds the question.
		for _, n := range m.t.Nodes() {
			q.open[n.ID] = &respondent{node: n}
		}
	}
	if len(q.open) == 0 {
		m.mu.Unlock()
		close(q.done)
		return q
	}
	m.questions[q.id] = q
	m.mu.Unlock()
	op.Request, op.Wait = q.id, uint32(max(wait.Milliseconds(), 1))
	if !m.publish(cluster.Asked, op) {
		q.end(ErrNotSent)
	}
	return q
}

// bound returns how long a question may take: the timeout, until the context
// ends, or the default.
func bound(ctx context.Context, timeout, otherwise time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		// The context is to end first, so that its error is returned.
		if left := max(time.Until(end), 0) + 100*time.Millisecond; timeout <= 0 || left < timeout {
			return left
		}
	}
	if timeout <= 0 {
		return otherwise
	}
	return timeout
}

// wait returns the answers, and the reason if they are not all.
func (m *mesh) wait(ctx context.Context, q *question, wait time.Duration) ([]part, error) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-q.done:
	case <-t.C:
		q.end(cmp.Or(ctx.Err(), ErrTimeout)) // both may be over
	case <-ctx.Done():
		q.end(ctx.Err())
	case <-m.srv.ended:
		q.end(ErrNotStarted)
	}
	m.mu.Lock()
	delete(m.questions, q.id)
	m.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.partial.Err == nil && q.partial.Omitted == 0 {
		return q.parts, nil
	}
	p := q.partial
	slices.Sort(p.Missing)
	return q.parts, &p
}

// answered takes a part of an answer. It is called by the transport.
func (m *mesh) answered(from cluster.Node, op *cluster.Op) {
	m.mu.Lock()
	q := m.questions[op.Request]
	m.mu.Unlock()
	if q == nil {
		return // too late
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.open[from.ID]
	if q.over || r == nil || !r.node.Same(&from) {
		return
	}
	n, size := binary.Uvarint(op.Body)
	if size <= 0 {
		q.miss(r, cluster.ErrEntry)
		return
	}
	switch body := op.Body[size:]; {
	case op.Flags&cluster.First != 0:
		r.announced = n
		n = 0
	case n == 0:
	case n > maxAnswers || q.answers+int(n) > maxAnswers || q.bytes+len(body) > maxAnswerBytes:
		r.heard += n
		q.partial.Omitted += int(min(n, 1<<30))
	default:
		r.heard += n
		q.answers += int(n)
		q.bytes += len(body)
		q.parts = append(q.parts, part{from: from.ID, records: body, n: int(n)})
	}
	if op.Flags&cluster.Last == 0 {
		return
	}
	if r.heard < r.announced {
		q.miss(r, ErrNoAnswer)
		return
	}
	delete(q.open, from.ID)
	q.check()
}

// miss gives a node up. mu is held.
func (q *question) miss(r *respondent, err error) {
	delete(q.open, r.node.ID)
	q.partial.Missing = append(q.partial.Missing, r.node.ID)
	if q.partial.Err == nil {
		q.partial.Err = err
	}
	q.check()
}

func (q *question) check() {
	if len(q.open) == 0 && !q.over {
		q.over = true
		close(q.done)
	}
}

// lost gives an incarnation up.
func (q *question) lost(n cluster.Node) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.open[n.ID]; r != nil && r.node.Same(&n) {
		q.miss(r, ErrNodeLost)
	}
}

// end gives up all nodes that have not answered.
func (q *question) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.open {
		q.miss(r, err)
	}
}

// records reads the records of an answer: names, numbers, bytes.
type records struct{ fields.Reader }

func recordsOf(b []byte) *records { return &records{fields.Reader{Rest: b}} }
