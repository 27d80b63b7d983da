package netpoll

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchBytes  = 64 << 10 // one write a connection and visit
	batchFrames = 256
	// clockEvery is how many writes go between two looks at the clock.
	clockEvery = 16

	blockedMin = 2 * time.Millisecond
	blockedMax = 20 * time.Millisecond
)

// connRing is a FIFO of connections with pending output.
type connRing struct {
	items []*Conn
	head  int
}

func (r *connRing) push(c *Conn) { r.items = append(r.items, c) }
func (r *connRing) len() int     { return len(r.items) - r.head }

func (r *connRing) pop() *Conn {
	c := r.items[r.head]
	r.items[r.head] = nil
	r.head++
	if r.head == len(r.items) {
		r.items, r.head = r.items[:0], 0
	} else if r.head >= 4096 && r.head >= len(r.items)/2 {
		n := copy(r.items, r.items[r.head:])
		clear(r.items[n:])
		r.items, r.head = r.items[:n], 0
	}
	return c
}

// flush writes to waiting connections until the budget is used up: direct
// ones get up to half of it before broadcasts have their share, and the rest
// of it if those need less.
func (l *Loop) flush() {
	start := nanotime()
	half := start + int64(l.srv.opt.TurnBudget)/2
	end := start + int64(l.srv.opt.TurnBudget)
	l.flushRing(&l.direct, flagDirect, half)
	l.flushRing(&l.bulk, flagBulk, end)
	if l.direct.len() > 0 {
		l.flushRing(&l.direct, flagDirect, end)
	}
}

func (l *Loop) flushRing(r *connRing, flag connFlags, end int64) {
	for n := 1; r.len() > 0; n++ {
		c := r.pop()
		c.flags &^= flag
		l.flushConn(c)
		if c.first != nil && c.flags&(flag|flagBlocked) == 0 {
			c.flags |= flag
			r.push(c)
		}
		if n%clockEvery == 0 && nanotime() >= end {
			return
		}
	}
}

// flushUrgent empties connections that hold half of a limit although they are
// not known to be slow.
func (l *Loop) flushUrgent() {
	for len(l.urgent) > 0 {
		c := l.urgent[len(l.urgent)-1]
		l.urgent = l.urgent[:len(l.urgent)-1]
		c.flags &^= flagUrgent
		for c.first != nil && c.flags&flagBlocked == 0 {
			l.flushConn(c)
		}
	}
}

// flushConn writes one batch. When the kernel does not take all of it the
// connection goes to the blocked list.
func (l *Loop) flushConn(c *Conn) {
	if c.link == nil || c.flags&flagBlocked != 0 {
		if c.state == stateDetached && c.flags&flagBlocked == 0 {
			c.drain()
		}
		return
	}
	if c.first == nil {
		c.finished()
		return
	}
	batch := c.first.wire[c.off:]
	single := c.rest == nil || len(batch) >= batchBytes/2
	if !single {
		batch = l.gather(c, batch)
	}
	var (
		n     int
		errno syscall.Errno
	)
	if c.fd >= 0 {
		n, errno = send(c.fd, batch)
	} else {
		n, errno = c.take(batch)
	}
	l.n.writes++
	if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
		c.Abort(ErrPeerGone)
		return
	}
	l.n.bytesOut += uint64(n)
	c.advance(n)
	if n < len(batch) {
		c.handTail()
		return
	}
	if c.first == nil {
		c.finished()
	}
}

// gather concatenates pending messages into the loop's scratch buffer; below
// about 1 KiB a message this beats writev.
func (l *Loop) gather(c *Conn, head []byte) []byte {
	buf := append(l.scratch[:0], head...)
	frames := int(c.first.frames)
	for _, m := range c.rest.items[c.rest.head:] {
		if len(buf)+len(m.wire) > batchBytes || frames >= batchFrames {
			break
		}
		buf = append(buf, m.wire...)
		frames += int(m.frames)
	}
	l.scratch = buf[:0]
	return buf
}

// advance drops n written bytes from the pending output.
func (c *Conn) advance(n int) {
	for n > 0 {
		left := len(c.first.wire) - int(c.off)
		if n < left {
			c.off += uint32(n)
			return
		}
		n -= left
		c.loop.n.framesOut += uint64(c.first.frames)
		c.shift()
	}
	// An empty message would stay for ever.
	for c.first != nil && len(c.first.wire) == 0 {
		c.shift()
	}
}

// handTail gives gnet the next piece of at most one batch, so that its poller
// waits for the socket to take more, and blocks the connection until then. Only
// here does gnet get bytes to keep, so for a connection that is not blocked it
// has none, and flushConn need not ask: its object is seldom in the cache.
func (c *Conn) handTail() {
	tail := c.first.wire[c.off:]
	if len(tail) > batchBytes {
		tail = tail[:batchBytes]
	}
	if _, err := c.link.Write(tail); err != nil || c.link == nil {
		return // a failed write has closed the connection
	}
	c.loop.n.bytesOut += uint64(len(tail))
	c.advance(len(tail))
	c.loop.block(c)
}

// block parks a connection whose socket takes nothing more.
func (l *Loop) block(c *Conn) {
	if c.flags&flagBlocked == 0 {
		c.flags |= flagBlocked
		l.blocked = append(l.blocked, c)
		if !l.blockedSet {
			l.blockedWait = blockedMin
			l.armBlocked()
		}
	}
}

// armBlocked lets the loop look at its blocked connections again. gnet has no
// event for "writable again", so they are polled, less often while none moves.
func (l *Loop) armBlocked() {
	l.blockedSet = true
	l.blockedDue = nanotime() + int64(l.blockedWait)
	if l.blockedTimer == nil {
		l.blockedTimer = time.AfterFunc(l.blockedWait, l.arm)
	} else {
		l.blockedTimer.Reset(l.blockedWait)
	}
}

// checkBlocked moves connections whose socket takes bytes again to the bulk
// list.
func (l *Loop) checkBlocked() {
	if !l.blockedSet || nanotime() < l.blockedDue {
		return
	}
	keep := l.blocked[:0]
	moved := false
	for _, c := range l.blocked {
		switch {
		case c.link == nil:
			c.flags &^= flagBlocked
		case c.link.OutboundBuffered() > 0:
			keep = append(keep, c)
		default:
			moved = true
			c.flags &^= flagBlocked
			if c.first != nil {
				if c.flags&flagBulk == 0 {
					c.flags |= flagBulk
					l.bulk.push(c)
				}
			} else {
				c.finished()
			}
		}
	}
	clear(l.blocked[len(keep):])
	l.blocked = keep
	l.blockedSet = false
	if len(keep) > 0 {
		if moved {
			l.blockedWait = blockedMin
		} else {
			l.blockedWait = min(2*l.blockedWait, blockedMax)
		}
		l.armBlocked()
	}
}

// send writes without telling the scheduler: the call never blocks, and the
// bookkeeping of a blocking one would cost as much as a small copy, millions
// of times.
func send(fd int32, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	runtime.KeepAlive(p)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

var epoch = time.Now()

// nanotime is monotonic time since the process began.
func nanotime() int64 { return int64(time.Since(epoch)) }
