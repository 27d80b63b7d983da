package socketio

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/netpoll"
)

const (
	// drainStep is the time between two groups of sessions that Drain ends.
	drainStep = 20 * time.Millisecond
	// leaveShare of the time of a Drain, at most leaveMax, is left to
	// connections that were being set up while the port was handed over, and
	// as much again to their first requests.
	leaveShare = 4
	leaveMax   = time.Second
)

// Drain prepares a Shutdown that clients hardly notice: new sessions are
// refused (their connections are closed without an answer, so that proxies
// turn to another server), while those that are open go on, and are ended with
// the reason "server shutting down" one after the other, spread evenly over
// the given time, so that the other servers do not get all clients at once. So
// are WebSockets of other nodes' sessions that came to this one; requests that
// poll such sessions are forwarded until Shutdown. It returns when no session
// with a socket is left or ctx has ended, with its error then. Shutdown is
// called behind it in either case. Any goroutine.
//
// If other processes listen on the same port (Options.ReusePort on all), new
// connections go to them from the beginning, and those that are on the way here
// are still served: nobody is refused.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	if !s.running() {
		return ErrNotStarted
	}
	gone := s.leavePort(ctx, min(over/leaveShare, leaveMax))
	begun := time.Now()
	all := s.sendAway(ctx, 0)
	tunnels, cut := s.forwarder.sendAway(0), 0
	ended := 0
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	for {
		part := 1.0
		if t := time.Since(begun); t < over {
			part = float64(t) / float64(over)
		}
		due := int(float64(all) * part)
		left := s.sendAway(ctx, due-ended)
		ended = max(ended, all-left) // some leave by themselves
		through := s.forwarder.sendAway(int(float64(tunnels)*part) - cut)
		cut = max(cut, tunnels-through)
		if left == 0 && through == 0 && closed(gone) {
			return ctx.Err()
		}
		if part == 1 {
			all += left // sessions that were opening when it began
			tunnels += through
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return nil
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// leavePort refuses new sessions: now, or if others serve the port when what is
// under way to this server has come. The channel is closed then.
func (s *Server) leavePort(ctx context.Context, grace time.Duration) <-chan struct{} {
	left := make(chan struct{})
	settled, ok := s.net.LeavePort(ctx, grace)
	if !ok {
		s.eng.Drain()
		close(left)
		return left
	}
	go func() {
		defer close(left)
		<-settled
		select {
		case <-time.After(grace):
		case <-ctx.Done():
		case <-s.ended:
		}
		s.eng.Drain()
	}()
	return left
}

// sendAway ends so many sessions, and returns how many are left.
func (s *Server) sendAway(ctx context.Context, quota int) (left int) {
	var todo, rest atomic.Int64
	todo.Store(int64(quota))
	r := newRoll()
	for i := range s.loops {
		r.expect()
		s.loops[i].Load().Post(&parting{todo: &todo, left: &rest, done: r.answer})
	}
	select {
	case <-r.all():
	case <-ctx.Done():
	case <-s.ended:
	}
	return int(rest.Load())
}

// parting ends sessions of a loop as long as there is something to do, a slice
// in each turn.
type parting struct {
	todo *atomic.Int64
	left *atomic.Int64
	at   int
	done func()
}

// Run implements netpoll.Task.
func (p *parting) Run(l *netpoll.Loop) (again bool) {
	lp := loopOf(l)
	for n := 0; p.at < len(lp.sockets); n++ {
		if n == walkSlice {
			return true
		}
		// Each socket counts: most sessions have one.
		if s := lp.sockets[p.at]; s != nil && s.c.Open() {
			if p.todo.Add(-1) >= 0 {
				s.c.End(ReasonShutdown)
			} else {
				p.left.Add(1)
			}
		}
		p.at++
	}
	p.done()
	return false
}
