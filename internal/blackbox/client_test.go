package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// join opens a WebSocket and a socket in the namespace /; every read and write
// of the connection has half a minute.
func join(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, br, _, err := ws.Dial(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	if br != nil {
		c = &buffered{c, br.Read}
	}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if err = wsutil.WriteClientText(c, []byte("40")); err == nil {
		for _, want := range []string{"0{", "40"} {
			got, bad := wsutil.ReadServerText(c)
			if bad != nil || !strings.HasPrefix(string(got), want) {
				err = fmt.Errorf("%.40q, %w instead of %q", got, bad, want)
				break
			}
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

type buffered struct {
	net.Conn
	read func([]byte) (int, error)
}

func (b *buffered) Read(p []byte) (int, error) { return b.read(p) }

// guest is a client that has joined.
type guest interface {
	// hear returns the next packets; an error is the end.
	hear() ([]string, error)
	io.Closer
}

// byWebSocket makes a guest of a WebSocket.
func byWebSocket(addr string) (guest, error) {
	c, err := join(addr)
	if err != nil {
		return nil, err
	}
	return socket{c}, nil
}

type socket struct{ net.Conn }

func (s socket) hear() ([]string, error) {
	got, err := wsutil.ReadServerText(s.Conn)
	if string(got) == "2" {
		_ = wsutil.WriteClientText(s.Conn, []byte("3"))
	}
	return []string{string(got)}, err
}

// crowd is clients that stay, come back when they are sent away, and note the
// numbers of the events they hear.
type crowd struct {
	addr string
	wait time.Duration // before coming back: up to this, by chance
	come func(addr string) (guest, error)
	wg   sync.WaitGroup
	stop atomic.Bool

	here, joins, refused atomic.Int64
	unknown              atomic.Int64 // sent away by "Session ID unknown"
	failure              atomic.Pointer[error]

	mu    sync.Mutex
	conns map[guest]bool
	heard []map[int]int
	away  []time.Duration
}

func gather(addr string, n int, wait time.Duration, come func(addr string) (guest, error)) *crowd {
	c := &crowd{addr: addr, wait: wait, come: come, conns: map[guest]bool{}, heard: make([]map[int]int, n)}
	for i := range n {
		c.heard[i] = map[int]int{}
		c.wg.Go(func() { c.live(i) })
	}
	return c
}

// fail notes what should not have been.
func (c *crowd) fail(err error) {
	if !c.stop.Load() {
		c.refused.Add(1)
		c.failure.CompareAndSwap(nil, &err)
	}
}

// live is one client's life.
func (c *crowd) live(i int) {
	var lost time.Time
	for !c.stop.Load() {
		conn, err := c.come(c.addr)
		if err != nil {
			c.fail(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c.mu.Lock()
		c.conns[conn] = true
		if !lost.IsZero() {
			c.away = append(c.away, time.Since(lost))
		}
		c.mu.Unlock()
		c.joins.Add(1)
		c.here.Add(1)
		c.listen(i, conn)
		lost = time.Now()
		c.here.Add(-1)
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
		_ = conn.Close()
		if !c.stop.Load() {
			time.Sleep(rand.N(c.wait) + 1)
		}
	}
}

func (c *crowd) listen(i int, conn guest) {
	for {
		packets, err := conn.hear()
		switch broken := (*brokenPoll)(nil); {
		case c.stop.Load():
		case errors.Is(err, errUnknownSession):
			c.unknown.Add(1)
		case errors.As(err, &broken):
			c.fail(err)
		}
		if err != nil {
			return
		}
		for _, packet := range packets {
			var n int
			if _, err := fmt.Sscanf(packet, `42["n",%d`, &n); err == nil {
				c.mu.Lock()
				c.heard[i][n]++
				c.mu.Unlock()
			}
		}
	}
}

// leave ends all of them.
func (c *crowd) leave() {
	c.stop.Store(true)
	c.mu.Lock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// passers are clients that come one after the other, join and go.
type passers struct {
	stop       atomic.Bool
	well, lost atomic.Int64
	failure    atomic.Pointer[error]
	wg         sync.WaitGroup
}

func pass(addr string, at int, come func(addr string) (guest, error)) *passers {
	p := &passers{}
	for range at {
		p.wg.Go(func() {
			for !p.stop.Load() {
				conn, err := come(addr)
				if err != nil {
					p.lost.Add(1)
					p.failure.CompareAndSwap(nil, &err)
					continue
				}
				p.well.Add(1)
				_ = conn.Close()
			}
		})
	}
	return p
}

func (p *passers) end() error {
	p.stop.Store(true)
	p.wg.Wait()
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}
