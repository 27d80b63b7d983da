package netpoll

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// groupEvery is how often a server looks who else listens on its port.
	groupEvery = time.Second
	// deafStep is between telling the kernel where connections go and closing
	// a listener: a processor may just be choosing.
	deafStep = 2 * time.Millisecond
)

// starting keeps two servers of one process, which only tests have, from
// taking each other's listeners for their own.
var starting sync.Mutex

// port is what a server with ReusePort knows of the group of sockets that
// share its port. The kernel keeps it as an array: whoever listens is put at
// the end, whoever leaves is replaced by the last. So a server's places are
// known as long as those before it stay, and again when it has been alone.
type port struct {
	addr   *net.TCPAddr
	before []uint64 // inodes of all listeners, not only ours

	mu     sync.Mutex
	own    []listenSocket
	elders []uint64 // stand before ours
	seen   []uint64 // the group at the last look
}

// openPort notes who listens already; the caller holds starting.
func openPort(addr *net.TCPAddr) (*port, error) {
	all, err := portGroup(addr)
	return &port{addr: addr, before: all}, err
}

// settle finds our listeners when they are all there.
func (p *port) settle() error {
	all, err := portGroup(p.addr)
	if err != nil {
		return err
	}
	var fresh []uint64
	for _, inode := range all {
		if !slices.Contains(p.before, inode) {
			fresh = append(fresh, inode)
		}
	}
	own, err := ownListeners(fresh)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own, p.seen = own, all
	for _, inode := range p.before {
		if slices.Contains(all, inode) {
			p.elders = append(p.elders, inode)
		}
	}
	return nil
}

// look notices who has left: then nobody is steered around any more.
func (p *port) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := portGroup(p.addr)
	if err != nil || len(p.own) == 0 || slices.Equal(all, p.seen) {
		return
	}
	left := slices.ContainsFunc(p.seen, func(i uint64) bool { return !slices.Contains(all, i) })
	p.seen = all
	if len(all) == len(p.own) {
		p.elders = nil
	}
	if left {
		unsteer(p.own[0].fd)
	}
}

// watch looks until done.
func (p *port) watch(done <-chan struct{}) {
	t := time.NewTicker(groupEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.look()
		case <-done:
			return
		}
	}
}

// LeavePort hands the port to the other processes that listen on it with
// ReusePort: from its return on, new connections go to them. It reports whether
// there are any, and where our sockets stand among theirs; if not, nothing has
// changed. Connections that were being set up are still served: when settled
// is closed, after grace, those are here and the listeners are gone, so that
// the end of this process resets nobody. Any goroutine, once.
func (s *Server) LeavePort(ctx context.Context, grace time.Duration) (settled <-chan struct{}, ok bool) {
	p := s.port
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	all, err := portGroup(p.addr)
	others := len(all) - len(p.own)
	first := span{0, len(p.elders)}
	then := span{first.n + len(p.own), others - first.n}
	known := !slices.ContainsFunc(p.elders, func(i uint64) bool { return !slices.Contains(all, i) })
	switch {
	case err != nil || len(p.own) == 0 || others <= 0:
	case !known:
		s.log.Warn("others listen on the port, too, but one has left before this server has " +
			"been alone there: some connections may be reset")
	default:
		if err = steer(p.own[0].fd, first, then); err == nil {
			ok = true
		}
	}
	own := p.own
	if ok {
		p.own = nil // look leaves the program alone
	}
	p.mu.Unlock()
	if err != nil {
		s.log.Warn("cannot hand the port to the others that listen on it", "err", err)
	}
	if !ok {
		return nil, false
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		s.leave(ctx, own, first.n, others-first.n, grace)
	}()
	return end, true
}

// leave closes our listeners one by one, behind so many others and before so
// many; at every moment the kernel chooses a place that is not ours.
func (s *Server) leave(ctx context.Context, own []listenSocket, behind, before int, grace time.Duration) {
	if !s.taken(ctx, own, grace) {
		return
	}
	n := len(own)
	for i, l := range own {
		// Each that goes is replaced by the last, which is not ours if others
		// stand behind us: the places of those shrink by one.
		choice := span{0, behind}
		if behind == 0 {
			choice = span{n, max(before-i-1, 1)}
		}
		err := steer(l.fd, choice, span{})
		time.Sleep(deafStep)
		// If the others have fewer sockets, no place is theirs both before and
		// behind the closing of the last ones: ours get connections, too.
		if !s.taken(ctx, own[i:], 0) {
			return
		}
		if err == nil {
			err = deaf(l.fd)
		}
		if err != nil {
			s.log.Warn("cannot close a listener", "err", err)
			return
		}
	}
	s.log.Info("the port is left to other processes")
}

// taken waits for a time and until no connection waits to be accepted.
func (s *Server) taken(ctx context.Context, own []listenSocket, grace time.Duration) bool {
	over := time.After(grace)
	t := time.NewTicker(min(max(grace/20, time.Millisecond), 20*time.Millisecond))
	defer t.Stop()
	for late := grace == 0; ; {
		if late && !slices.ContainsFunc(own, func(l listenSocket) bool { return backlog(l.fd) > 0 }) {
			return true
		}
		select {
		case <-over:
			late = true
		case <-t.C:
		case <-ctx.Done():
			return false
		case <-s.done:
			return false
		}
	}
}
