package netpoll

// msgQueue is the pending output of a connection beyond its first message.
// Queues are pooled by the loop: an idle connection has none.
type msgQueue struct {
	items []*Msg
	head  int
}

func (q *msgQueue) len() int { return len(q.items) - q.head }

// Send queues m for the connection with the priority of replies, acks and
// pings: all that waits for this connection leaves in order with the next
// write. A dead connection ignores it.
func (c *Conn) Send(m *Msg) {
	if c.state > stateWS {
		return
	}
	c.push(m)
	c.markDirect()
}

// SendOwned is Send for a message that nobody else is sent, of an object that is
// to be used again: o.Sent runs when it is written, unless the connection is no
// WebSocket, or ends before. Then it never runs, and the object is left to the
// collector.
func (c *Conn) SendOwned(m *Msg, o Owner) {
	if c.state == stateWS && c.first == nil {
		m.owner = o
	}
	c.Send(m)
}

// SendBulk queues m with the priority of broadcasts, which are written after
// everything direct. It counts against Loop.Spent.
func (c *Conn) SendBulk(m *Msg) {
	l := c.loop
	l.appends++
	if c.state > stateWS {
		return
	}
	l.n.deliveries += uint64(m.frames)
	c.push(m)
	if c.flags&(flagBulk|flagBlocked) == 0 {
		c.flags |= flagBulk
		l.bulk.push(c)
		l.arm()
	}
}

// Writable tells whether a message sent now would go straight to the kernel:
// nothing is pending. Volatile emits are dropped otherwise.
func (c *Conn) Writable() bool {
	return c.state <= stateWS && c.first == nil && c.flags&flagBlocked == 0
}

// Pending returns what waits for the connection.
func (c *Conn) Pending() (frames, bytes int) {
	return int(c.pendFrames), int(c.pendBytes)
}

// push appends m to the pending output and watches the limits. It never
// writes nor closes: its callers may be walking a list. A connection that
// merely waits for its turn is flushed early at half of a limit, so that only
// one that does not read is ever over it. One message alone never is: a client
// that reads may still be on the blocked list when the next one comes, and the
// answer to a poll, in which everything that waited is one, must not end it.
func (c *Conn) push(m *Msg) {
	l := c.loop
	l.n.queued += int64(len(m.wire))
	c.pendBytes += uint32(len(m.wire))
	c.pendFrames += uint32(m.frames)
	if c.first == nil {
		c.first = m
	} else {
		q := c.rest
		if q == nil {
			q = l.getQueue()
			c.rest = q
		}
		q.items = append(q.items, m)
	}
	o := &l.srv.opt
	if int(c.pendBytes) <= o.MaxPendingBytes/2 && int(c.pendFrames) <= o.MaxPendingFrames/2 {
		return
	}
	if c.flags&flagBlocked == 0 {
		if c.flags&flagUrgent == 0 {
			c.flags |= flagUrgent
			l.urgent = append(l.urgent, c)
		}
	} else if c.rest != nil &&
		(int(c.pendBytes) > o.MaxPendingBytes || int(c.pendFrames) > o.MaxPendingFrames) {
		c.doom()
	}
}

// doom marks a connection over its limits; the turn closes it.
func (c *Conn) doom() {
	if c.flags&flagDoomed == 0 {
		c.flags |= flagDoomed
		c.loop.doomed = append(c.loop.doomed, c)
		c.loop.arm()
	}
}

// markDirect puts the connection on the direct flush list.
func (c *Conn) markDirect() {
	if c.flags&(flagDirect|flagBlocked) == 0 {
		c.flags |= flagDirect
		c.loop.direct.push(c)
		c.loop.arm()
	}
}

// shift drops the first pending message, which has been written.
func (c *Conn) shift() {
	l := c.loop
	l.n.queued -= int64(len(c.first.wire))
	c.pendBytes -= uint32(len(c.first.wire))
	c.pendFrames -= uint32(c.first.frames)
	c.release(c.first)
	c.first = nil
	c.off = 0
	q := c.rest
	if q == nil {
		return
	}
	c.first = q.items[q.head]
	q.items[q.head] = nil
	q.head++
	switch n := q.len(); {
	case n == 0:
		c.rest = nil
		l.putQueue(q)
	case q.head >= 512 && q.head >= n:
		// A long-blocked connection must not keep its past.
		copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items = q.items[:n]
		q.head = 0
	}
}

// dropPending forgets all pending output.
func (c *Conn) dropPending() {
	for c.first != nil {
		c.shift()
	}
}

const (
	queuePool = 1 << 15 // queues kept a loop
	queueKeep = 64      // a larger one is left to the collector
)

func (l *Loop) getQueue() *msgQueue {
	if n := len(l.queues); n > 0 {
		q := l.queues[n-1]
		l.queues = l.queues[:n-1]
		return q
	}
	return &msgQueue{items: make([]*Msg, 0, 4)}
}

func (l *Loop) putQueue(q *msgQueue) {
	q.items, q.head = q.items[:0], 0
	if cap(q.items) <= queueKeep && len(l.queues) < queuePool {
		l.queues = append(l.queues, q)
	}
}
