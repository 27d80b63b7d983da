package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialers    = 16
	perAddress = 5_000 // connections from one source address
	readSize   = 64 << 10
)

// Crowd is many connections joined to the namespace "/". Everything is for one
// goroutine.
type Crowd struct {
	// OnPacket is called by Poll with each packet of member i. The packet is
	// valid until it returns.
	OnPacket func(i int, packet []byte)
	// AfterRead, if set, is called by Poll when all packets of a read of member
	// i have been handled: the moment to answer them in one write.
	AfterRead func(i int) error

	epfd    int
	members []member
	early   []int         // members that have read more than they handled
	index   map[int32]int // by descriptor
	events  []unix.EpollEvent
	buf     []byte
}

type member struct {
	fd   int
	part []byte // the beginning of a frame
}

// Gather connects n members to addr. Each emits the packet hello, if there is
// one, and waits for one packet in return. The source addresses are 127.0.1.1
// and following, so that neither ports nor clients of the usual address are in
// the way.
func Gather(addr string, n int, hello string) (*Crowd, error) {
	return GatherBehind(addr, 0, n, hello)
}

// GatherBehind is Gather for a process beside others that have as many members
// as behind says: it uses other source addresses.
func GatherBehind(addr string, behind, n int, hello string) (*Crowd, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	c := &Crowd{
		epfd: epfd, index: make(map[int32]int, n), members: make([]member, n),
		events: make([]unix.EpollEvent, 512), buf: make([]byte, readSize),
	}
	for i := range c.members {
		c.members[i].fd = -1
	}
	var wg sync.WaitGroup
	errs := make([]error, dialers)
	for d := range dialers {
		wg.Go(func() {
			for i := d; i < n && errs[d] == nil; i += dialers {
				c.members[i], errs[d] = enter(addr, behind+i, hello)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.Close()
		return nil, err
	}
	for i, m := range c.members {
		c.index[int32(m.fd)] = i
		if len(m.part) > 0 {
			c.early = append(c.early, i)
		}
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(m.fd)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, m.fd, &e); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// enter makes member i: a Client's descriptor without the Client.
func enter(addr string, i int, hello string) (member, error) {
	cl, err := Dial(addr, fmt.Sprintf("127.0.1.%d", 1+i/perAddress))
	if err != nil {
		return member{fd: -1}, err
	}
	if hello != "" {
		cl.SetDeadline(time.Now().Add(dialTime))
		if err = cl.Emit(hello); err == nil {
			_, err = cl.Next()
		}
	}
	m := member{fd: -1}
	if err == nil {
		m.fd, err = Detach(cl.conn)
	}
	if err != nil {
		cl.Close()
		return m, err
	}
	m.part = append(m.part, cl.buf[cl.r:cl.w]...)
	// Without SetLinger: the socket lives on in the copy.
	return m, cl.conn.Close()
}

// Detach returns a descriptor of a connection's socket, which does not block and
// stays when the connection is closed.
func Detach(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	if e := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		err = e
	}
	return fd, err
}

// ReadSome reads what has come on a socket that does not block: 0 bytes if
// nothing has, io.ErrUnexpectedEOF if nothing will.
func ReadSome(fd int, p []byte) (int, error) {
	n, err := unix.Read(fd, p)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// Len returns the number of members.
func (c *Crowd) Len() int { return len(c.members) }

// Send writes a frame made by Frame for member i, waiting if need be.
func (c *Crowd) Send(i int, frame []byte) error {
	fd := c.members[i].fd
	for len(frame) > 0 {
		n, err := unix.Write(fd, frame)
		switch {
		case err == unix.EAGAIN:
			if err := writable(fd); err != nil {
				return err
			}
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("client: member %d: %w", i, err)
		case err == nil:
			frame = frame[n:]
		}
	}
	return nil
}

func writable(fd int) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if _, err := unix.Poll(p, 1000); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// Poll waits at most d for members that can read and handles what they got.
func (c *Crowd) Poll(d time.Duration) error {
	for ; len(c.early) > 0; c.early = c.early[1:] {
		i := c.early[0]
		if err := c.handle(i, bytes.Clone(c.members[i].part)); err != nil {
			return fmt.Errorf("client: member %d: %w", i, err)
		}
		d = 0
	}
	n, err := unix.EpollWait(c.epfd, c.events, int(d.Milliseconds()))
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range c.events[:n] {
		if err := c.read(c.index[e.Fd]); err != nil {
			return fmt.Errorf("client: member %d: %w", c.index[e.Fd], err)
		}
	}
	return nil
}

// read does one read of member i; what is left makes epoll report it again.
func (c *Crowd) read(i int) error {
	m := &c.members[i]
	if len(m.part) > len(c.buf)/2 {
		c.buf = make([]byte, 4*len(m.part))
	}
	held := copy(c.buf, m.part)
	n, err := ReadSome(m.fd, c.buf[held:])
	if n == 0 {
		return err
	}
	return c.handle(i, c.buf[:held+n])
}

// handle takes the frames at the beginning of b, which is not part of the
// member, and keeps the rest.
func (c *Crowd) handle(i int, b []byte) error {
	m := &c.members[i]
	for {
		op, payload, n, err := parse(b)
		if err != nil {
			return err
		}
		if n == 0 {
			m.part = append(m.part[:0], b...)
			if c.AfterRead != nil {
				return c.AfterRead(i)
			}
			return nil
		}
		b = b[n:]
		k, err := classify(op, payload)
		if err != nil {
			return err
		}
		switch k {
		case packet:
			c.OnPacket(i, payload)
		case heartbeat:
			if err := c.Send(i, pong); err != nil {
				return err
			}
		}
	}
}

// Close resets all connections.
func (c *Crowd) Close() {
	for _, m := range c.members {
		if m.fd >= 0 {
			reset := unix.Linger{Onoff: 1}
			_ = unix.SetsockoptLinger(m.fd, unix.SOL_SOCKET, unix.SO_LINGER, &reset)
			_ = unix.Close(m.fd)
		}
	}
	c.members = nil
	_ = unix.Close(c.epfd)
}
