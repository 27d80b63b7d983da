package loadgen

import (
	"golang.org/x/sys/unix"
)

// State of a connection.
const (
	offline   uint8 = iota
	dialing         // TCP connect under way
	upgrading       // the request is sent
	opening         // waiting for the open packet
	entering        // CONNECT is sent
	ready           // in the namespace
	closing         // a close frame is sent
)

// conn is one client, online or not. Offline it keeps what it knows of the
// streams it receives (worker.windows).
type conn struct {
	fd       int32
	gen      uint32 // of the descriptor: events and timers of older ones are stale
	sender   int32  // index in worker.senders, -1 for none
	state    uint8
	joined   bool
	wantOut  bool
	back     bool  // dropped, and to come back
	receives bool  // messages were sent while it was there
	since    int64 // when the attempt began
	lost     int64 // when it was dropped, if back
	heard    int64 // the last ping or the handshake
	in       []byte
	out      []byte
	poll     *pollSession  // polling only
	rec      *recoveryMark // with Plan.Recover only
}

// recoveryMark is what a client must tell to get what it missed.
type recoveryMark struct {
	pid, offset []byte
}

// maxOutput is what waits for a server that does not read; beyond, messages
// are not sent but counted as blocked.
const maxOutput = 1 << 20

// maxInput bounds one message of the server.
const maxInput = 16 << 20

// dial begins to connect the offline connection c.
func (w *worker) dial(i int32) {
	c := &w.conns[i]
	c.gen++
	source := w.sources[w.nextSource%len(w.sources)]
	w.nextSource++
	c.since = now()
	fd, err := open(source, w.targets[w.global(i)%len(w.targets)])
	c.state = dialing
	w.counts.InFlight++
	if err != nil {
		c.fd = -1
		w.drop(i, kindOf(err), "connect: "+err.Error())
		return
	}
	c.fd, c.wantOut = int32(fd), true
	w.timers.add(timer{c.since + int64(w.plan.Timeout), i, c.gen, timerHandshake})
	if w.plan.Transport != Polling && !w.askNow(i) {
		return
	}
	if err := w.watch(unix.EPOLL_CTL_ADD, i, fd, false, c.wantOut); err != nil {
		w.drop(i, errLocal, "epoll: "+err.Error())
	}
}

// askNow sends the request of a connection that is there already, as over
// loopback it is: in a worker with thousands to read its turn might come later
// than servers wait for a request. It is false if the connection is lost.
func (w *worker) askNow(i int32) bool {
	c := &w.conns[i]
	request := w.upgrade[w.global(i)%len(w.targets)]
	n, err := unix.Write(int(c.fd), request)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return true // writable goes on
	case err != nil:
		w.drop(i, kindOf(err), "connect: "+err.Error())
		return false
	}
	c.state, c.wantOut = upgrading, n < len(request)
	c.out = append(c.out, request[n:]...)
	return true
}

// watch registers or changes what is waited for. The event carries the
// connection's number and generation.
func (w *worker) watch(op int, i int32, fd int, aux, out bool) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: i,
		Pad: int32(w.conns[i].gen << 1)}
	if aux {
		e.Pad |= 1
	}
	if out {
		e.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(w.epfd, op, fd, &e)
}

// write sends b on the connection's own descriptor, or keeps what does not
// fit. It is false if the connection is lost by that.
func (w *worker) write(i int32, b []byte) bool {
	c := &w.conns[i]
	if len(c.out) == 0 {
		n, err := unix.Write(int(c.fd), b)
		switch {
		case err == nil:
			b = b[n:]
		case err != unix.EAGAIN && err != unix.EINTR:
			w.drop(i, kindOf(err), "write: "+err.Error())
			return false
		}
		if len(b) == 0 {
			return true
		}
	}
	c.out = append(c.out, b...)
	w.wantOut(i, true)
	return true
}

func (w *worker) wantOut(i int32, on bool) {
	c := &w.conns[i]
	if c.wantOut != on {
		c.wantOut = on
		_ = w.watch(unix.EPOLL_CTL_MOD, i, int(c.fd), false, on)
	}
}

// writable goes on when a connect has ended or the socket takes bytes again.
func (w *worker) writable(i int32) {
	c := &w.conns[i]
	if c.state == dialing {
		if err := socketError(int(c.fd)); err != nil {
			w.drop(i, kindOf(err), "connect: "+err.Error())
			return
		}
		c.state = upgrading
		w.wantOut(i, false)
		if w.plan.Transport == Polling {
			w.pollOpen(i)
			return
		}
		w.write(i, w.upgrade[w.global(i)%len(w.targets)])
		return
	}
	n, err := unix.Write(int(c.fd), c.out)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		w.drop(i, kindOf(err), "write: "+err.Error())
		return
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		w.wantOut(i, false)
	}
}

// readable does one read; what is left makes epoll report it again.
func (w *worker) readable(i int32) {
	c := &w.conns[i]
	n, err := unix.Read(int(c.fd), w.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		w.drop(i, kindOf(err), stateNames[c.state]+": "+err.Error())
		return
	case n == 0:
		if c.state == closing {
			w.hangUp(i, false)
			return
		}
		w.drop(i, errClosed, "closed by the server while "+stateNames[c.state])
		return
	}
	b := w.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	gen := c.gen
	var used int
	if w.plan.Transport == Polling {
		used = w.pollFeed(i, b)
	} else {
		used = w.feed(i, b)
	}
	if c.gen != gen || c.state == offline {
		return // lost meanwhile, and perhaps connected anew
	}
	switch rest := b[used:]; {
	case len(rest) == 0:
		c.in = nil
	case len(rest) > maxInput:
		w.drop(i, errProtocol, errTooLong.Error())
	case used > 0 || len(c.in) == 0:
		c.in = append([]byte(nil), rest...)
	}
}

var stateNames = [...]string{"offline", "connecting", "waiting for the upgrade",
	"waiting for the open packet", "entering the namespace", "in the namespace", "closing"}

// drop gives a connection up because of an error.
func (w *worker) drop(i int32, kind, text string) {
	c := &w.conns[i]
	w.note(kind, text)
	was := c.state
	w.forget(i, false)
	switch was {
	case ready:
		w.counts.Died++
	case closing:
	default:
		w.counts.Failed++
	}
	if w.lostIt != nil {
		w.lostIt(i, was)
	}
}

// hangUp ends a connection on purpose.
func (w *worker) hangUp(i int32, reset bool) {
	was := w.conns[i].state
	w.forget(i, reset)
	if w.hungUp != nil && was == closing {
		w.hungUp(i)
	}
}

// forget closes the descriptors and clears what belongs to them.
func (w *worker) forget(i int32, reset bool) {
	c := &w.conns[i]
	switch c.state {
	case ready:
		w.counts.Ready--
		if c.joined {
			w.counts.Joined--
		}
	case closing, offline:
	default:
		w.counts.InFlight--
	}
	if c.fd >= 0 {
		closeSocket(int(c.fd), reset)
	}
	if c.poll != nil {
		c.poll.close(reset)
		c.poll = nil
	}
	c.fd, c.state, c.joined, c.wantOut, c.in, c.out = -1, offline, false, false, nil, nil
	c.gen++
}
