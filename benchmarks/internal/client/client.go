package client

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	dialTime  = 30 * time.Second
	firstSize = 1 << 10
)

// Client is one connection, joined to the namespace "/". One goroutine at a
// time may read (Next, Expect) and one write (Write, Emit); Next also writes
// when it answers a heartbeat. Close: any goroutine.
type Client struct {
	conn *net.TCPConn
	buf  []byte
	r, w int
}

// Dial connects to a server at addr from the IP address local ("": the
// kernel's choice) and returns when the namespace "/" has been joined.
func Dial(addr, local string) (*Client, error) {
	d := net.Dialer{Timeout: dialTime}
	if local != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
		d.Control = lateBind
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn.(*net.TCPConn), buf: make([]byte, firstSize)}
	_ = conn.SetDeadline(time.Now().Add(dialTime))
	if err := c.greet(addr); err != nil {
		c.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	return c, nil
}

// lateBind has the kernel choose the source port when it knows the other end:
// then only the pair must be unique, not the port.
func lateBind(_, _ string, raw syscall.RawConn) (err error) {
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}); e != nil {
		err = e
	}
	return err
}

// The accept key of the fixed nonce is the example of RFC 6455 section 1.3.
const (
	request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	acceptKey = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func (c *Client) greet(addr string) error {
	if _, err := fmt.Fprintf(c.conn, request, addr); err != nil {
		return err
	}
	for {
		if i := bytes.Index(c.buf[:c.w], []byte("\r\n\r\n")); i >= 0 {
			head := c.buf[:i]
			if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) ||
				!bytes.Contains(head, []byte(acceptKey)) {
				return fmt.Errorf("client: not upgraded: %s", bytes.SplitN(head, []byte("\r"), 2)[0])
			}
			c.r = i + 4
			break
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
	// The open packet is not for Next: like the heartbeat it is Engine.IO's.
	if err := c.Emit("40"); err != nil {
		return err
	}
	return c.Expect(`40{"sid":`)
}

// Write sends a frame made by Frame.
func (c *Client) Write(frame []byte) error {
	_, err := c.conn.Write(frame)
	return err
}

// Emit sends a packet, such as `42["echo",1]`.
func (c *Client) Emit(packet string) error { return c.Write(Frame(packet)) }

// Next returns the next Socket.IO packet, with the leading "4" of Engine.IO.
// It is valid until the next call.
func (c *Client) Next() ([]byte, error) {
	for {
		op, payload, n, err := parse(c.buf[c.r:c.w])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if err := c.fill(); err != nil {
				return nil, err
			}
			continue
		}
		c.r += n
		k, err := classify(op, payload)
		if err != nil {
			return nil, err
		}
		if k == packet {
			return payload, nil
		}
		if k == heartbeat {
			if err := c.Write(pong); err != nil {
				return nil, err
			}
		}
	}
}

// Expect reads the next packet, which must begin with prefix.
func (c *Client) Expect(prefix string) error {
	p, err := c.Next()
	if err == nil && !bytes.HasPrefix(p, []byte(prefix)) {
		err = fmt.Errorf("client: got %.60q, not %q", p, prefix)
	}
	return err
}

func (c *Client) fill() error {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := c.conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// SetDeadline is that of the connection.
func (c *Client) SetDeadline(t time.Time) { _ = c.conn.SetDeadline(t) }

// Close resets the connection, so that its port is free at once. Reads and
// writes that wait fail.
func (c *Client) Close() {
	_ = c.conn.SetLinger(0)
	_ = c.conn.Close()
}
