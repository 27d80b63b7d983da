package socketio

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
	"github.com/throng-server/throng/protocol/sio"
)

// maxInquiryWait bounds how long answers are collected for another node that
// does not tell how long it waits.
const maxInquiryWait = time.Minute

// reply sends answers of this node to one question.
type reply struct {
	m     *mesh
	to    cluster.Node
	id    uint64
	batch []byte
	n     uint64
}

// send sends an entry: n records, or with First the announcement of n.
func (r *reply) send(flags cluster.Flags, n uint64, records []byte) {
	op := cluster.Op{Kind: cluster.Answer, Flags: flags, Request: r.id,
		Body: append(binary.AppendUvarint(nil, n), records...)}
	r.m.t.Send(r.to, op.Append(make([]byte, 0, op.Size())))
}

// announce tells how many records will come.
func (r *reply) announce(n int) { r.send(cluster.First, uint64(n), nil) }

// add adds the record that edit appends.
func (r *reply) add(edit func(dst []byte) []byte) {
	r.batch = edit(r.batch)
	r.n++
	if len(r.batch) >= batchBytes {
		r.flush(0)
	}
}

// flush sends the records that wait.
func (r *reply) flush(flags cluster.Flags) {
	if r.n > 0 || flags != 0 {
		r.send(flags, r.n, r.batch)
	}
	r.batch, r.n = r.batch[:0], 0
}

// asks treats a question of another node: the loops and workers answer it.
func (m *mesh) asks(from cluster.Node, op *cluster.Op) error {
	if len(op.Names) > 0 && !slices.Contains(op.Names, m.t.Self().ID) {
		return nil
	}
	r := &reply{m: m, to: from, id: op.Request}
	nothing := func() error {
		r.send(cluster.Last, 0, nil)
		return nil
	}
	if op.Kind == cluster.ServerEvent {
		return m.serverEvent(from, op)
	}
	ns := m.namespace(op.NS)
	if ns == nil || ns.match != nil || !m.srv.running() {
		return nothing()
	}
	b := selected(ns, op)
	switch op.Kind {
	case cluster.Emit:
		p, err := checkEvent(op)
		if err != nil {
			return err
		}
		m.inquire(b, r, op, p)
	case cluster.Count:
		b.count(func(n int) {
			r.add(func(dst []byte) []byte { return binary.AppendUvarint(dst, uint64(n)) })
			r.flush(cluster.Last)
		})
	case cluster.Fetch:
		b.collect(func(list []inRooms) { m.srv.background(func() { r.sockets(list) }) })
	case cluster.Rooms:
		m.srv.background(func() { r.rooms(ns) })
	default:
		return fmt.Errorf("kind %d is no question", op.Kind)
	}
	return nil
}

type inquiryKey struct {
	node    string
	request uint64
}

// inquiry collects the acknowledgements of this server's sockets for another
// node and sends them as they come. Its state is guarded by the ask's mutex.
type inquiry struct {
	*ask
	m     *mesh
	from  cluster.Node
	key   inquiryKey
	ns    *Namespace
	reply *reply
	timer *time.Timer
	told  bool // the number of members
	busy  bool // a worker sends
	sent  int
}

// inquire emits an event with an acknowledgement id of this server's own.
func (m *mesh) inquire(b Broadcast, r *reply, op *cluster.Op, p *received) {
	srv := m.srv
	i := &inquiry{m: m, from: r.to, key: inquiryKey{r.to.ID, op.Request}, ns: b.ns, reply: r}
	i.ask = &ask{key: askKey{b.ns, b.ns.nextAck()}, began: nanotime(), done: make(chan struct{}),
		parts: len(srv.loops), changed: i.changed}
	wait := maxInquiryWait
	if op.Wait > 0 {
		wait = min(time.Duration(op.Wait)*time.Millisecond, time.Hour)
	}
	m.mu.Lock()
	m.inquiries[i.key] = i
	m.mu.Unlock()

	b.flags &^= volatileFlag
	f := &fanout{b: b, ask: i.ask}
	f.Init(p.reframe(b.ns.name, int64(i.ask.key.id), ""), 1+p.Attachments)
	if b.flags&plainFlag != 0 {
		f.SetPlain()
	}
	f.measure(srv)
	srv.postAll(f)
	// Behind the event: what end posts must find what the event has left.
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.over {
		i.timer = time.AfterFunc(wait, i.expire)
	}
}

// changed is told of each change; the ask's mutex is held.
func (i *inquiry) changed() {
	if i.busy || i.parts > 0 {
		return
	}
	i.busy = true
	i.m.srv.background(i.run)
}

// run sends what there is, on a worker.
func (i *inquiry) run() {
	for {
		i.mu.Lock()
		list, all := i.list, i.open == 0
		i.list = nil
		tell := !i.told
		i.told = true
		members := i.open + i.gone + i.sent + len(list)
		i.sent += len(list)
		if !tell && !all && len(list) == 0 {
			i.busy = false
			i.mu.Unlock()
			return
		}
		gone := i.gone
		i.mu.Unlock()
		if tell {
			i.reply.announce(members)
		}
		for k := range list {
			i.reply.add(list[k].append)
		}
		if !all {
			i.reply.flush(0)
			continue
		}
		for range gone { // records of those that left without an answer
			i.reply.add(func(dst []byte) []byte { return fields.Append(dst, "") })
		}
		i.reply.flush(cluster.Last)
		i.end() // busy stays set: nothing more is sent
		return
	}
}

// expire is end for sockets that were given enough time.
func (i *inquiry) expire() {
	i.mu.Lock()
	i.m.srv.loops[0].Load().m.late.Add(uint64(i.open))
	i.mu.Unlock()
	i.end()
}

// end forgets the inquiry. Any goroutine.
func (i *inquiry) end() {
	i.m.mu.Lock()
	if i.m.inquiries[i.key] == i {
		delete(i.m.inquiries, i.key)
	}
	i.m.mu.Unlock()
	i.mu.Lock()
	i.over = true
	if i.timer != nil {
		i.timer.Stop()
	}
	i.mu.Unlock()
	i.m.srv.postAll((*askOver)(i.ask))
}

// append appends the answer as a record: the socket, its arguments, its
// attachments.
func (a *Answer) append(dst []byte) []byte {
	dst = fields.Append(dst, a.From)
	return a.Ack.append(dst)
}

func (a *Ack) append(dst []byte) []byte {
	return fields.AppendList(fields.Append(dst, a.args), a.atts)
}

// packet reads what Ack.append has written: text and attachments.
func (r *records) packet() (text []byte, atts [][]byte) {
	return r.Bytes(), fields.List[[]byte](&r.Reader, math.MaxInt)
}

// ack reads an acknowledgement.
func (r *records) ack() (a Ack) {
	a.args, a.atts = r.packet()
	if r.Bad || !validArgs(a.args) {
		r.Fail()
		return Ack{}
	}
	return a
}

// validArgs tells whether b is JSON values, in UTF-8, with commas between them.
// Nobody looks at them again on their way to clients.
func validArgs(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	text := append(append([]byte("30["), b...), ']')
	pk, err := sio.Parse(text[:], 0)
	return err == nil && pk.Type == sio.Ack
}

// answers reads the answers of other nodes; gone counts sockets that have left
// without one.
func answers(parts []part) (list []Answer, gone int, err error) {
	for _, p := range parts {
		r := recordsOf(p.records)
		for range p.n {
			from := string(r.Bytes())
			if r.Bad {
				break
			}
			if from == "" {
				gone++
				continue
			}
			if ack := r.ack(); !r.Bad {
				list = append(list, Answer{From: from, Ack: ack})
			}
		}
		if r.Bad {
			err = &PartialError{Missing: []string{p.from}, Err: cluster.ErrEntry}
		}
	}
	return list, gone, err
}
