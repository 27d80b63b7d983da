package brokertest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Proxy is a TCP proxy that makes a broker slow, cut off or half open, for
// those alone who go through it. Any goroutine may call any method.
type Proxy struct {
	// Addr is where it listens, host:port.
	Addr string

	to       string
	listener net.Listener

	mu    sync.Mutex
	cond  *sync.Cond
	conns map[net.Conn]struct{}
	cut   bool
	held  bool
	mute  bool
	delay time.Duration
	over  bool
	wg    sync.WaitGroup
}

// NewProxy makes a proxy to an address; it ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{Addr: l.Addr().String(), to: to, listener: l, conns: map[net.Conn]struct{}{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.over = true
		p.mu.Unlock()
		l.Close()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// URL is the address as the options of transports take it.
func (p *Proxy) URL() string { return "valkey://" + p.Addr }

// Cut closes all connections and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.held, p.mute = true, false, false
	for c := range p.conns {
		c.Close()
	}
	p.cond.Broadcast()
}

// Break closes all connections once.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Hold leaves connections open and passes nothing until Heal: half open, as
// when a cable is pulled. New connections are accepted and silent.
func (p *Proxy) Hold() {
	p.mu.Lock()
	p.held = true
	p.mu.Unlock()
}

// Slow delays everything, in each direction, by d.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	p.delay = d
	p.mu.Unlock()
}

// Mute passes what clients send and holds every answer, until Heal or Cut.
func (p *Proxy) Mute() {
	p.mu.Lock()
	p.mute = true
	p.mu.Unlock()
}

// Heal ends Cut, Hold, Mute and Slow. What was held goes on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.cut, p.held, p.mute, p.delay = false, false, false, 0
	p.cond.Broadcast()
	p.mu.Unlock()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	if !p.add(c) {
		return
	}
	defer p.remove(c)
	s, err := net.DialTimeout("tcp", p.to, time.Second)
	if err != nil {
		return
	}
	defer s.Close()
	if !p.add(s) {
		return
	}
	defer p.remove(s)
	var wg sync.WaitGroup
	wg.Go(func() { p.pass(s, c, false) })
	p.pass(c, s, true)
	wg.Wait()
}

// add refuses a connection while the proxy is cut.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

type piece struct {
	b   []byte
	due time.Time
}

// pass copies until one side ends. The delay is a delay, not a throttle: a
// reader and a writer work on a queue between them.
func (p *Proxy) pass(to, from net.Conn, answers bool) {
	pieces := make(chan piece, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer from.Close() // ends the reads below
		defer to.Close()
		for x := range pieces {
			time.Sleep(time.Until(x.due))
			p.wait(answers)
			if _, err := to.Write(x.b); err != nil {
				from.Close()
				for range pieces {
				}
				return
			}
		}
	})
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			p.mu.Lock()
			due := time.Now().Add(p.delay)
			p.mu.Unlock()
			pieces <- piece{b[:n], due}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	wg.Wait()
}

// wait returns when nothing is held.
func (p *Proxy) wait(answers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for (p.held || p.mute && answers) && !p.over {
		p.cond.Wait()
	}
}
