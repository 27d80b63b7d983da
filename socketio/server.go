package socketio

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// Server is a Socket.IO server. Its methods may be called from any goroutine.
// Those about events and emits mean the namespace "/".
type Server struct {
	opt  Options
	root *Namespace
	mux  *http.ServeMux
	eng  *engine.Server
	net  *netpoll.Server

	namespaces namespaceSet
	recovery   *recovery   // nil if off
	mesh       *mesh       // nil if alone
	outgoing   atomic.Bool // some socket has an OnAnyOutgoing handler
	refusals   refusalHook
	tasks      tasks
	forwarder  *forwarder // nil if alone
	kin        *siblings  // nil if the port is not shared

	// loops is filled as the loops start.
	loops   []atomic.Pointer[loop]
	state   atomic.Int32
	ended   chan struct{} // closed when no loop runs any more
	endOnce sync.Once
	// idRooms: somebody joined a room named like a socket id of this server.
	idRooms atomic.Bool

	// names are those of Options.EventNames with their numbers, from 1 on; nil
	// if there are none.
	names map[string]uint16

	rate      atomic.Pointer[eventRate] // nil: no bound
	addresses addresses

	panics  atomic.Uint64
	errors  atomic.Uint64
	dropped [dropKinds]atomic.Uint64
	notes   [noteKinds]note

	_       [64]byte // the next is written by whoever emits
	encodes atomic.Uint64
	_       [64]byte
}

const (
	srvNew int32 = iota
	srvRunning
	srvEnding
)

// NewServer makes a server that does not listen yet. An *OptionError names the
// option it refuses.
func NewServer(o Options) (*Server, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Cluster != nil {
		o.NodeTag = o.Cluster.Self().Tag
	} else if o.NodeTag == 0 {
		var b [2]byte
		_, _ = rand.Read(b[:]) // never fails; see crypto/rand
		o.NodeTag = binary.BigEndian.Uint16(b[:])
	}
	s := &Server{opt: o, mux: http.NewServeMux(), ended: make(chan struct{}),
		loops: make([]atomic.Pointer[loop], o.Loops)}
	s.names = numberNames(o.EventNames)
	s.tasks.init()
	s.recovery = newRecovery(s)
	s.mesh = newMesh(s)
	s.root = s.Of("/")
	s.kin = newSiblings(s)
	s.forwarder = newForwarder(s)
	s.eng = engine.New(engine.Options{
		Path: o.Path, PingInterval: o.PingInterval, PingTimeout: o.PingTimeout,
		MaxPayload: o.MaxPayload, CORSAllowedOrigins: o.CORSAllowedOrigins,
		CORSCredentials: o.CORSCredentials, CORSMethods: o.CORSMethods,
		CORSAllowedHeaders: o.CORSAllowedHeaders, CORSExposedHeaders: o.CORSExposedHeaders,
		CORSMaxAge: o.CORSMaxAge, Transports: o.Transports, DisableUpgrades: o.DisableUpgrades,
		UpgradeTimeout: o.UpgradeTimeout, CompressFrom: o.HTTPCompression, Cookie: o.Cookie,
		AllowEIO3: o.AllowEIO3, InitialHeaders: o.InitialHeaders, Headers: o.Headers,
		AllowRequest: o.AllowRequest, AllowTimeout: defaultAllowTimeout,
		HandOver: s.clientFile, NodeTag: o.NodeTag, Elsewhere: s.forwarder.elsewhere(s),
		Logger:    o.Logger,
		StartLoop: s.startLoop, Open: s.open, Refused: s.refused,
		Crowded: s.crowded,
		Watched: func() bool { return s.refusals.list.Load() != nil },
	})
	if err := s.bind(); err != nil {
		return nil, err
	}
	s.limit(&o)
	return s, nil
}

// Start joins the cluster, if there is one, listens, and returns when clients
// can connect. A port that somebody listens on is an error, as is a cluster
// that cannot be joined within 30 s. From Linux 6.12 on, the threads of the
// process give their processor to others that wait after 0.2 ms instead of
// some 3, so that a loop that wakes need not wait for what computes. With
// CAP_SYS_NICE, the monitor thread of Go's runtime wakes less often.
func (s *Server) Start() error {
	if !s.state.CompareAndSwap(srvNew, srvRunning) {
		return ErrStarted
	}
	adviseProcessors(s.opt.Logger, s.opt.Loops)
	// Without the right to them things are as they were.
	_ = netpoll.ShortSlices(slice)
	_ = netpoll.LazyMonitor(monitorSlack)
	if err := s.mesh.start(s.tasks.ctx); err != nil {
		s.end()
		s.leave()
		return err
	}
	s.kin.open(s.opt.Addr) // first: a client's next request may come to another process
	if err := s.net.Start(); err != nil {
		s.kin.close()
		s.end()
		s.leave()
		return err
	}
	s.kin.open(s.net.Addr().String()) // a port that the kernel has chosen
	go func() {
		_ = s.net.Wait() // ListenAndServe returns the error
		asked := s.state.Load() == srvEnding
		s.kin.close()
		s.end()
		if !asked {
			s.leave()
		}
	}()
	return nil
}

// leave leaves the cluster when nobody has asked for it.
func (s *Server) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), meshEnd)
	defer cancel()
	_ = s.mesh.close(ctx) // the others notice by the lease
}

func (s *Server) end() {
	s.state.Store(srvEnding)
	s.tasks.stop()
	if s.recovery != nil {
		s.recovery.stop()
	}
	s.endOnce.Do(func() { close(s.ended) })
}

// ListenAndServe listens on addr, if one is given, else on Options.Addr, and
// returns when the server has ended: nil after Shutdown.
func (s *Server) ListenAndServe(addr ...string) error {
	if len(addr) > 0 && addr[0] != "" {
		if err := s.relocate(addr[0]); err != nil {
			return err
		}
	}
	if err := s.Start(); err != nil {
		return err
	}
	return s.net.Wait()
}

// relocate changes the address before the start.
func (s *Server) relocate(addr string) error {
	if s.state.Load() != srvNew {
		return ErrStarted
	}
	s.opt.Addr = addr
	if err := s.opt.validate(); err != nil {
		return err
	}
	return s.bind()
}

// bind makes the server below for the options.
func (s *Server) bind() error {
	o := &s.opt
	n, err := netpoll.New(netpoll.Options{
		Addr: o.Addr, Loops: o.Loops, ReusePort: o.ReusePort, MaxConns: o.MaxConnections,
		MaxMessage: o.MaxPayload, MaxPendingBytes: o.MaxPendingBytes,
		MaxPendingFrames: o.MaxPendingFrames, MaxWorkers: o.MaxWorkers,
		HTTP: http.HandlerFunc(s.serveHTTP), Logger: o.Logger,
	}, s.eng)
	if err == nil {
		s.net = n
	}
	return err
}

// Loops returns the number of event loops.
func (s *Server) Loops() int { return len(s.loops) }

// Wait returns when the server has ended: nil after Shutdown.
func (s *Server) Wait() error { return s.net.Wait() }

// Addr returns the address listened on, nil before Start.
func (s *Server) Addr() net.Addr {
	if s.state.Load() == srvNew {
		return nil
	}
	return s.net.Addr()
}

// Shutdown refuses new connections, ends the context of what Go runs, closes
// the open connections with the reason "server shutting down", and returns when
// their handlers and the background tasks have returned, and the cluster is
// left, or ctx has ended.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.state.Load() == srvNew {
		s.state.Store(srvEnding)
		s.end()
		err := s.tasks.wait(ctx)
		return errors.Join(err, s.mesh.close(ctx))
	}
	s.state.Store(srvEnding)
	s.tasks.stop()
	s.eng.Drain()
	s.net.Drain()
	r := newRoll()
	for i := range s.loops {
		if lp := s.loops[i].Load(); lp != nil {
			r.expect()
			lp.Post(&farewell{done: r.answer})
		}
	}
	select {
	case <-r.all():
	case <-s.ended:
	case <-ctx.Done():
	}
	err := s.net.Shutdown(ctx)
	s.end()
	if late := s.tasks.wait(ctx); err == nil {
		err = late
	}
	// Behind the disconnect handlers, which may still emit to others.
	if left := s.mesh.close(ctx); err == nil {
		err = left
	}
	return err
}

// farewell ends every session of a loop that has a socket, a slice in each
// turn. netpoll closes the rest.
type farewell struct {
	at   int
	done func()
}

func (f *farewell) Run(l *netpoll.Loop) (again bool) {
	lp := loopOf(l)
	for n := 0; f.at < len(lp.sockets); n++ {
		if n == walkSlice {
			return true
		}
		if s := lp.sockets[f.at]; s != nil {
			s.c.End(ReasonShutdown)
		}
		f.at++
	}
	f.done()
	return false
}

func (s *Server) running() bool { return s.state.Load() == srvRunning && s.allLoops() }

func (s *Server) allLoops() bool {
	for i := range s.loops {
		if s.loops[i].Load() == nil {
			return false
		}
	}
	return true
}

// postAll posts t to each loop; before the start there is nobody to reach.
func (s *Server) postAll(t netpoll.Task) {
	for i := range s.loops {
		if lp := s.loops[i].Load(); lp != nil {
			lp.Post(t)
		}
	}
}

// background runs f on a worker.
func (s *Server) background(f func()) { s.net.Workers().Go(jobFunc(f)) }

type jobFunc func()

func (f jobFunc) Run() { f() }
