package netpoll

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// This file is the only one that knows gnet.

// driver is the server as gnet's event handler.
type driver struct {
	gnet.BuiltinEventEngine
	s   *Server
	eng gnet.Engine
	// enrolled: the wake pipes have been given to the loops.
	enrolled bool

	registering sync.Mutex
}

// never is how long gnet's ticker rests.
const never = 1 << 20 * time.Hour

// wakeEnd marks the connection that is the read end of a loop's wake pipe.
type wakeEnd struct {
	writeFD int
	loop    *Loop
}

func runDriver(d *driver) error {
	o := &d.s.opt
	return gnet.Run(d, "tcp://"+d.s.addr.String(),
		gnet.WithNumEventLoop(o.Loops),
		gnet.WithReusePort(true),
		gnet.WithReuseAddr(true),
		gnet.WithTicker(true),
		gnet.WithSocketSendBuffer(o.SocketSendBuffer),
		gnet.WithLogger(gnetLog{d.s.log.With("module", "gnet")}),
	)
}

func (d *driver) stop(ctx context.Context) { _ = d.eng.Stop(ctx) }

func (d *driver) OnBoot(eng gnet.Engine) gnet.Action {
	d.eng = eng
	return gnet.None
}

// OnTick runs on a goroutine of its own, first when all loops are up. The clock
// is ours.
func (d *driver) OnTick() (time.Duration, gnet.Action) {
	if !d.enrolled {
		d.enrolled = true
		if err := d.enroll(); err != nil {
			d.s.bootFailed(fmt.Errorf("netpoll: wake pipe: %w", err))
			return never, gnet.Shutdown
		}
		d.s.clock.run(d.s.Loops)
	}
	return never, gnet.None
}

// enroll gives each loop one end of a socket pair. Register is round-robin,
// so as many calls as loops reach each of them once.
func (d *driver) enroll() error {
	for range d.s.opt.Loops {
		fds, err := unix.Socketpair(unix.AF_UNIX,
			unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socketpair", err)
		}
		if err := d.enter(fds[0], &wakeEnd{writeFD: fds[1]}); err != nil {
			_ = unix.Close(fds[1])
			return err
		}
	}
	return nil
}

// enter gives a loop one end of a socket pair, or closes it; OnOpen finds
// what. Unlike a TCP connection it cannot be reset, which Register does not
// survive. Any goroutine.
func (d *driver) enter(fd int, what any) error {
	nc, err := fileConn(fd)
	if err != nil {
		return err
	}
	ctx := gnet.NewContext(gnet.NewNetConnContext(context.Background(), nc), what)
	d.registering.Lock() // gnet's round-robin counter is not safe
	res, err := d.eng.Register(ctx)
	d.registering.Unlock()
	if err != nil {
		_ = nc.Close()
		return err
	}
	select {
	case r := <-res:
		return r.Err
	case <-d.s.done: // a loop that has ended does not answer
		return ErrShutdown
	}
}

func (d *driver) OnShutdown(gnet.Engine) { d.s.engineStopping() }

func (d *driver) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	l := d.s.loopFor(gc.EventLoop())
	if w, ok := gc.Context().(*wakeEnd); ok {
		w.loop = l
		l.attach(w.writeFD)
		d.s.loopReady()
		return nil, gnet.None
	}
	var link transport = gc
	if t, ok := gc.Context().(*tunnelEnd); ok {
		link = &tunnelLink{transport: gc, remote: t.remote}
	}
	if !l.accept(link, gc.Fd()) {
		gc.SetContext(nil)
		return nil, gnet.Close
	}
	return nil, gnet.None
}

func (d *driver) OnTraffic(gc gnet.Conn) gnet.Action {
	switch v := gc.Context().(type) {
	case *Conn:
		b, err := gc.Next(-1)
		if err == nil && len(b) > 0 {
			v.loop.read(v, b)
		}
	case *wakeEnd:
		_, _ = gc.Next(-1)
		v.loop.calm.turn()
		v.loop.turn()
	}
	return gnet.None
}

func (d *driver) OnClose(gc gnet.Conn, err error) gnet.Action {
	switch v := gc.Context().(type) {
	case *Conn:
		if err == nil || err == io.EOF {
			err = ErrPeerGone
		} else {
			err = fmt.Errorf("%w: %w", ErrPeerGone, err)
		}
		if d.s.stopping.Load() {
			err = ErrShutdown
		}
		v.closed(err)
	case *wakeEnd:
		if v.loop != nil {
			v.loop.detach()
		}
	}
	return gnet.None
}

// bind ties a connection to gnet's.
func bind(t transport, c *Conn) {
	if _, ok := t.(*fed); !ok {
		below(t).SetContext(c)
	}
}

// below returns gnet's own connection.
func below(t transport) gnet.Conn {
	if tl, ok := t.(*tunnelLink); ok {
		t = tl.transport
	}
	return t.(gnet.Conn)
}

// closeTransport closes the socket at once. It must run on the loop;
// Conn.Close of gnet would wait behind everything else.
func closeTransport(t transport) {
	if _, ok := t.(*fed); ok {
		return
	}
	gc := below(t)
	_ = gc.EventLoop().Close(gc)
}

// gnetLog sends gnet's own words to slog.
type gnetLog struct{ log *slog.Logger }

func (g gnetLog) Debugf(f string, a ...any) { g.log.Debug(fmt.Sprintf(f, a...)) }
func (g gnetLog) Infof(f string, a ...any)  { g.log.Debug(fmt.Sprintf(f, a...)) }
func (g gnetLog) Warnf(f string, a ...any)  { g.log.Warn(fmt.Sprintf(f, a...)) }
func (g gnetLog) Errorf(f string, a ...any) { g.log.Error(fmt.Sprintf(f, a...)) }
func (g gnetLog) Fatalf(f string, a ...any) { g.log.Error(fmt.Sprintf(f, a...)) }
