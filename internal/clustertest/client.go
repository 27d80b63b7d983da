package clustertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait; none lasts that long when all is well.
const patience = 15 * time.Second

// Client is a client of one namespace, over WebSocket. It answers pings.
type Client struct {
	t    testing.TB
	ns   string
	conn net.Conn
	in   chan string
	mu   sync.Mutex // writes
	// watch sees each text as it comes.
	watch atomic.Pointer[func(text string)]

	// ID is the id of its socket; Node the index of its server.
	ID   string
	Node int
}

// connect joins a namespace of the server at an address.
func connect(t testing.TB, addr, ns string) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderString("X-Kept: yes\r\n")}
	conn, br, _, err := d.Dial(ctx, fmt.Sprintf("ws://%s/socket.io/?EIO=4&transport=websocket&q=1",
		addr))
	require.NoError(t, err)
	c := &Client{t: t, ns: ns, conn: conn, in: make(chan string, 1<<16)}
	t.Cleanup(func() { _ = conn.Close() })
	var r io.Reader = conn
	if br != nil {
		r = br
	}
	go c.read(r)
	require.Contains(t, c.Next(), `0{"sid":"`)
	c.Send("40" + c.prefix())
	got := c.Next()
	_, rest, ok := strings.Cut(got, `"sid":"`)
	require.True(t, ok, got)
	c.ID, _, _ = strings.Cut(rest, `"`)
	return c
}

// prefix is the namespace as packets name it.
func (c *Client) prefix() string {
	if c.ns == "/" {
		return ""
	}
	return c.ns + ","
}

func (c *Client) read(r io.Reader) {
	defer close(c.in)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return
		}
		b := make([]byte, h.Length)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		switch {
		case h.OpCode == ws.OpClose:
			return
		case h.OpCode == ws.OpText && string(b) == "2":
			c.Send("3")
		case h.OpCode == ws.OpBinary:
			c.in <- "b:" + string(b)
		default:
			text := string(b)
			if f := c.watch.Load(); f != nil {
				(*f)(text)
			}
			c.in <- text
		}
	}
}

// Send sends text messages.
func (c *Client) Send(texts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range texts {
		_ = wsutil.WriteClientMessage(c.conn, ws.OpText, []byte(s))
	}
}

// Emit sends an event, and waits for its acknowledgement.
func (c *Client) Emit(json string) {
	c.t.Helper()
	c.Send("42" + c.prefix() + "7" + json)
	require.Contains(c.t, c.Next(), "43"+c.prefix()+"7[")
}

// Next returns the next message, "end" if the connection was closed.
func (c *Client) Next() string {
	c.t.Helper()
	select {
	case s, ok := <-c.in:
		if !ok {
			return "end"
		}
		return s
	case <-time.After(patience):
		require.FailNow(c.t, "nothing received")
		return ""
	}
}

// Event is Next for an event: its JSON array, or the message as it is.
func (c *Client) Event() string {
	c.t.Helper()
	s := c.Next()
	for _, p := range []string{"42", "451-"} {
		if rest, ok := strings.CutPrefix(s, p+c.prefix()); ok {
			return rest
		}
	}
	return s
}

// Until returns the events in front of one that is a fence.
func (c *Client) Until(fence string) (list []string) {
	c.t.Helper()
	for {
		s := c.Event()
		if s == fence {
			return list
		}
		require.NotEqual(c.t, "end", s, "the connection ended behind %v", list)
		list = append(list, s)
	}
}
