package netpoll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Server listens on one address with several loops. Its methods are safe for
// any goroutine.
type Server struct {
	opt     Options
	handler Handler
	log     *slog.Logger
	addr    net.Addr
	fdLimit int
	fdCap   int // connections with a descriptor from here on are refused
	// tight: no processor beyond the loops' own, see Loop.sendReady.
	tight bool

	headTicks, keepTicks, closeTicks uint32

	drv       *driver
	clock     clock
	port      *port // nil without ReusePort
	hand      *handover
	workers   *Workers
	admission *Workers

	byPoller sync.Map // gnet's loop -> *Loop
	loopMu   sync.Mutex
	made     int
	attached int
	loops    atomic.Pointer[[]*Loop]

	boot     chan error
	bootOnce sync.Once
	done     chan struct{}
	err      error // set before done is closed

	maxConns atomic.Int64 // Options.MaxConns, as it is now

	started  atomic.Bool
	draining atomic.Bool
	stopping atomic.Bool

	counters
}

// New checks the options and makes a server that does not listen yet.
func New(o Options, h Handler) (*Server, error) {
	if h == nil {
		return nil, errors.New("netpoll: New needs a Handler")
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	limit, err := raiseLimit()
	if err != nil {
		return nil, fmt.Errorf("netpoll: descriptor limit: %w", err)
	}
	reserve := o.ReserveFDs
	if reserve == 0 {
		reserve = max(limit/reserveShare, reserveMin)
	}
	if reserve >= limit {
		reserve = limit / 2
	}
	s := &Server{
		opt: o, handler: h, log: o.Logger,
		fdLimit: limit, fdCap: limit - reserve,
		headTicks: ticksOf(o.HeadTimeout), keepTicks: ticksOf(o.KeepAliveTimeout),
		closeTicks: ticksOf(o.CloseTimeout),
		boot:       make(chan error, 1), done: make(chan struct{}),
	}
	s.maxConns.Store(int64(o.MaxConns))
	none := []*Loop{}
	s.loops.Store(&none)
	return s, nil
}

// Start binds the address, starts the loops and returns when they run. An
// address that somebody listens on gives an error wrapping ErrAddrInUse.
func (s *Server) Start() error {
	if s.started.Swap(true) {
		return errors.New("netpoll: Start called twice")
	}
	release, err := s.probe()
	if err != nil {
		close(s.done)
		return err
	}
	defer release()
	s.tight = runtime.GOMAXPROCS(0) <= s.opt.Loops
	onPanic := func(v any, stack []byte) {
		s.panics.Add(1)
		s.log.Error("panic in a handler", "value", v, "stack", string(stack))
	}
	s.workers = NewWorkers(WorkersOptions{Max: s.opt.MaxWorkers, Logger: s.log, OnPanic: onPanic})
	s.admission = NewWorkers(WorkersOptions{Max: s.opt.AdmissionWorkers, Logger: s.log, OnPanic: onPanic})
	if s.opt.HTTP != nil {
		s.hand = newHandover(s.opt.HTTP, s.log, s.addr)
	}
	s.drv = &driver{s: s}
	if s.opt.ReusePort {
		return s.runShared()
	}
	return s.launch()
}

// launch starts the engine and returns when all loops run.
func (s *Server) launch() error {
	go s.run()
	select {
	case err := <-s.boot:
		return err
	case <-s.done:
		return s.err
	}
}

// runShared is launch on a port of several processes.
func (s *Server) runShared() error {
	starting.Lock()
	defer starting.Unlock()
	p, err := openPort(s.addr.(*net.TCPAddr))
	if bad := s.launch(); bad != nil {
		return bad
	}
	if err == nil {
		err = p.settle()
	}
	if err != nil {
		s.log.Warn("cannot see who shares the port", "err", err)
		return nil
	}
	s.port = p
	go p.watch(s.done)
	return nil
}

func (s *Server) run() {
	err := runDriver(s.drv)
	s.clock.stop()
	if s.stopping.Load() {
		err = nil
	} else {
		if err == nil {
			err = ErrEngineEnded
		} else {
			err = fmt.Errorf("%w: %w", ErrEngineEnded, err)
		}
		s.log.Error("event engine ended", "err", err)
		s.draining.Store(true)
	}
	for _, l := range s.Loops() {
		l.detach()
	}
	s.err = err
	s.bootFailed(err)
	close(s.done)
}

// loopFor returns the Loop of one of gnet's; it runs on that loop.
func (s *Server) loopFor(key any) *Loop {
	if v, ok := s.byPoller.Load(key); ok {
		return v.(*Loop)
	}
	s.loopMu.Lock()
	l := newLoop(s, s.made)
	s.made++
	loops := append(append([]*Loop(nil), s.Loops()...), l)
	s.loops.Store(&loops)
	s.loopMu.Unlock()
	s.byPoller.Store(key, l)
	func() {
		defer l.recovered("Handler.StartLoop")
		s.handler.StartLoop(l)
	}()
	return l
}

// loopReady counts loops with a wake pipe; with the last one Start returns.
func (s *Server) loopReady() {
	s.loopMu.Lock()
	s.attached++
	all := s.attached == s.opt.Loops
	s.loopMu.Unlock()
	if all {
		s.bootOnce.Do(func() { s.boot <- nil })
	}
}

func (s *Server) bootFailed(err error) {
	s.bootOnce.Do(func() { s.boot <- err })
}

// engineStopping runs when gnet begins to end.
func (s *Server) engineStopping() { s.draining.Store(true) }

// Addr returns the address listened on, after Start.
func (s *Server) Addr() net.Addr { return s.addr }

// Loops returns all loops, after Start.
func (s *Server) Loops() []*Loop { return *s.loops.Load() }

// Workers returns the pool that runs handlers, after Start.
func (s *Server) Workers() *Workers { return s.workers }

// Admission returns the small pool for hooks that may block, after Start.
func (s *Server) Admission() *Workers { return s.admission }

// Draining tells that new connections are refused.
func (s *Server) Draining() bool { return s.draining.Load() }

// Drain makes the server refuse new connections and close HTTP ones after
// their response; open WebSockets stay.
func (s *Server) Drain() { s.draining.Store(true) }

// FDLimit returns the process's descriptor limit and the number below which
// connections are accepted.
func (s *Server) FDLimit() (limit, conns int) { return s.fdLimit, s.fdCap }

// closeAll ends every connection of a loop: WebSockets by the close
// handshake with code 1001, the others at once.
type closeAll struct{}

func (closeAll) Run(l *Loop) bool {
	for _, c := range l.conns {
		if c == nil {
			continue
		}
		switch c.state {
		case stateWS:
			c.CloseWS(1001, "server shutting down")
		case stateDetached:
			c.Abort(ErrShutdown)
		case stateHTTP:
			switch {
			case c.in != nil && c.in.wait != nil:
				// Its answer may be on the way from another loop.
				c.in.wait.last = true
				c.setTimer(l.srv.closeTicks)
			case c.first != nil:
				c.linger(ErrShutdown)
			default:
				c.Abort(ErrShutdown)
			}
		}
	}
	return false
}

// Shutdown refuses new connections, closes the open ones, waits until they
// are gone or ctx ends, then stops the loops and workers. Handlers that run
// are waited for. It returns ctx's error when something had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	if !s.started.Load() || s.addr == nil {
		return nil
	}
	s.draining.Store(true)
	for _, l := range s.Loops() {
		l.Post(closeAll{})
	}
	var cut error
	if s.hand != nil {
		cut = s.hand.shutdown(ctx)
	}
	if err := s.awaitClosed(ctx); err != nil {
		cut = err
	}
	s.stopping.Store(true)
	if s.drv != nil {
		// Stop polls for the end; done comes first and cancels it.
		stopCtx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go s.drv.stop(stopCtx)
	}
	<-s.done
	for _, w := range []*Workers{s.workers, s.admission} {
		if w != nil {
			if err := w.Close(ctx); err != nil {
				cut = err
			}
		}
	}
	return cut
}

func (s *Server) awaitClosed(ctx context.Context) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for s.open.Load() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return nil
		case <-t.C:
		}
	}
	return nil
}

// Wait blocks until the server has ended: nil after Shutdown, an error
// wrapping ErrEngineEnded when the engine failed.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}
