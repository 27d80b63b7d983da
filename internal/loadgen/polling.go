package loadgen

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// pollSession is a client that polls. One descriptor, the connection's own,
// has the handshake and then a GET that waits. What is sent goes by a second
// descriptor, which is there as long as there is something to send; but who
// sends no stream posts on its own when no GET waits there, as for the answer
// to a ping. A sender must not: it would not hear while it posts, and a server
// gives up who does not read.
type pollSession struct {
	sid    string
	main   request // what is under way on the connection's own descriptor
	outbox []byte  // packets to be sent, with separators

	aux     int32 // descriptor, -1 for none
	auxBusy request
	auxIn   []byte
	auxOut  []byte // what connect or the socket's buffer keeps waiting
}

type request uint8

const (
	idle request = iota
	hello
	get
	post
)

const separator = 0x1e // between packets of a payload

func (s *pollSession) close(reset bool) {
	if s.aux >= 0 {
		closeSocket(int(s.aux), reset)
		s.aux = -1
	}
}

// pollOpen asks for a session on a fresh connection.
func (w *worker) pollOpen(i int32) {
	c := &w.conns[i]
	c.poll = &pollSession{aux: -1, main: hello}
	c.state = opening
	w.write(i, w.pollRequest(i, "GET", nil))
}

// pollRequest makes a request in w.scratch.
func (w *worker) pollRequest(i int32, method string, body []byte) []byte {
	p := &w.plan
	b := fmt.Appendf(w.scratch[:0], "%s %s%sEIO=4&transport=polling", method, p.Path, p.querySign())
	if sid := w.conns[i].poll.sid; sid != "" {
		b = append(append(b, "&sid="...), sid...)
	}
	b = append(append(b, " HTTP/1.1\r\nHost: "...), p.Targets[w.global(i)%len(p.Targets)].Host...)
	if method == "POST" {
		b = append(b, "\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
	}
	b = append(b, headEnd...)
	w.scratch = append(b, body...)
	return w.scratch
}

// pollSend puts a packet into the outbox and sends it if it can be.
func (w *worker) pollSend(i int32, packet []byte) bool {
	s := w.conns[i].poll
	if len(s.outbox) > 0 {
		s.outbox = append(s.outbox, separator)
	}
	s.outbox = append(s.outbox, packet...)
	switch {
	case s.main == idle:
		return true // pollNext will be called when the packets at hand are done
	case s.main != get || s.auxBusy != idle:
		return true // goes when that is answered
	}
	return w.auxPost(i)
}

// pollNext keeps the connection's own descriptor busy.
func (w *worker) pollNext(i int32) {
	c := &w.conns[i]
	s := c.poll
	send := len(s.outbox) > 0 && s.auxBusy == idle
	if send && c.sender < 0 {
		s.main = post
		request := w.pollRequest(i, "POST", s.outbox)
		s.outbox = s.outbox[:0]
		w.write(i, request)
		return
	}
	s.main = get
	if w.write(i, w.pollRequest(i, "GET", nil)) && send {
		w.auxPost(i)
	}
}

// pollFeed takes the answer on the connection's own descriptor, when it is
// whole, and returns its length.
func (w *worker) pollFeed(i int32, b []byte) int {
	body, n, err := response(b)
	if err != nil {
		w.drop(i, errStatus, err.Error())
		return 0
	}
	if n == 0 {
		return 0
	}
	c := &w.conns[i]
	gen, s := c.gen, c.poll
	was := s.main
	s.main = idle
	if was != post && !w.payload(i, gen, body) {
		return 0
	}
	w.pollNext(i)
	return n
}

// payload handles the packets of a body. It is false if the connection was
// lost by one.
func (w *worker) payload(i int32, gen uint32, body []byte) bool {
	for len(body) > 0 {
		p, rest, _ := bytes.Cut(body, []byte{separator})
		w.packet(i, p)
		if w.conns[i].gen != gen {
			return false
		}
		body = rest
	}
	return true
}

// response cuts one HTTP answer with status 200 from b; n is 0 if it is not
// whole. The body is part of b.
func response(b []byte) (body []byte, n int, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return nil, 0, nil
	}
	head := b[:end]
	first, fields, _ := bytes.Cut(head, []byte("\r\n"))
	size := -1
	for len(fields) > 0 {
		var line []byte
		line, fields, _ = bytes.Cut(fields, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || size < 0 {
				return nil, 0, fmt.Errorf("bad Content-Length in %.100s", head)
			}
		}
	}
	if size < 0 || size > maxInput {
		return nil, 0, fmt.Errorf("an answer without Content-Length or too long: %.60s", first)
	}
	n = end + len(headEnd) + size
	if len(b) < n {
		return nil, 0, nil
	}
	body = b[end+len(headEnd) : n]
	if !bytes.HasPrefix(first, []byte("HTTP/1.1 200 ")) {
		return nil, 0, fmt.Errorf("polling: %.60s %.100s", first, body)
	}
	return body, n, nil
}

// auxPost sends the outbox by the second descriptor, which it opens if needed.
func (w *worker) auxPost(i int32) bool {
	c := &w.conns[i]
	s := c.poll
	request := w.pollRequest(i, "POST", s.outbox)
	s.outbox = s.outbox[:0]
	s.auxBusy = post
	if s.aux >= 0 {
		return w.auxWrite(i, request)
	}
	source := w.sources[w.nextSource%len(w.sources)]
	w.nextSource++
	fd, err := open(source, w.targets[w.global(i)%len(w.targets)])
	if err != nil {
		w.drop(i, kindOf(err), "connect to post: "+err.Error())
		return false
	}
	s.aux, s.auxOut = int32(fd), bytes.Clone(request)
	if err := w.watch(unix.EPOLL_CTL_ADD, i, fd, true, true); err != nil {
		w.drop(i, errLocal, "epoll: "+err.Error())
		return false
	}
	return true
}

func (w *worker) auxWrite(i int32, b []byte) bool {
	s := w.conns[i].poll
	n, err := unix.Write(int(s.aux), b)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		w.drop(i, kindOf(err), "post: "+err.Error())
		return false
	}
	if b = b[max(n, 0):]; len(b) > 0 {
		s.auxOut = append([]byte(nil), b...)
		_ = w.watch(unix.EPOLL_CTL_MOD, i, int(s.aux), true, true)
	}
	return true
}

// auxEvent is an event of the second descriptor.
func (w *worker) auxEvent(i int32, events uint32) {
	c := &w.conns[i]
	s := c.poll
	if s == nil || s.aux < 0 {
		return
	}
	if len(s.auxOut) > 0 && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if err := socketError(int(s.aux)); err != nil {
			w.drop(i, kindOf(err), "connect to post: "+err.Error())
			return
		}
		out := s.auxOut
		s.auxOut = nil
		_ = w.watch(unix.EPOLL_CTL_MOD, i, int(s.aux), true, false)
		if !w.auxWrite(i, out) {
			return
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP|unix.EPOLLRDHUP) == 0 {
		return
	}
	n, err := unix.Read(int(s.aux), w.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		w.drop(i, kindOf(err), "post: "+err.Error())
		return
	case n == 0:
		w.drop(i, errClosed, "closed by the server while posting")
		return
	}
	s.auxIn = append(s.auxIn, w.buf[:n]...)
	_, used, err := response(s.auxIn)
	if err != nil {
		w.drop(i, errStatus, err.Error())
		return
	}
	if used == 0 {
		return
	}
	s.auxIn, s.auxBusy = nil, idle
	switch {
	case len(s.outbox) > 0:
		w.auxPost(i)
	case c.sender < 0:
		// It has said what it had to say: one descriptor a client is enough.
		s.close(false)
	}
}
