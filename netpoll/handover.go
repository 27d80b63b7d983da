package netpoll

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of the net/http server that connections are handed to. There is no
// ReadTimeout and no WriteTimeout: they would cut uploads and streams, which
// are what connections are handed over for; a handler sets its own through
// http.ResponseController.
const (
	// handoverHeadTimeout bounds the head of each request but the first,
	// which has been read before.
	handoverHeadTimeout = 10 * time.Second
	// handoverIdleTimeout is longer than the 60 s that nginx keeps an idle
	// upstream connection, so that the proxy closes first and no request is
	// lost in between.
	handoverIdleTimeout = 75 * time.Second
	// handoverHeadBytes is more than the loops allow: cookies of the other
	// applications on a host can be big.
	handoverHeadBytes = 64 << 10
)

// handover gives connections of the loops to net/http: an http.Server behind
// a listener in memory. Its methods may be called from any goroutine.
type handover struct {
	srv *http.Server
	ln  *memListener
	log *slog.Logger
	// served is closed when the server's accept loop has ended.
	served chan struct{}
	// entering counts connections on the way to the listener and those whose
	// first request no handler has yet.
	entering sync.WaitGroup

	mu     sync.Mutex
	closed bool
	// open holds every connection until it is closed. net/http forgets the
	// hijacked ones; shutdown must not.
	open map[net.Conn]struct{}
	// pending counts the descriptors given and not in open yet.
	pending int
}

// newHandover starts a server for handler, nil for one that answers 404. addr
// is what the listener says its address is.
func newHandover(handler http.Handler, log *slog.Logger, addr net.Addr) *handover {
	if handler == nil {
		// net/http would take its global mux, which nobody asked for.
		handler = http.NotFoundHandler()
	}
	h := &handover{
		ln:     &memListener{conns: make(chan net.Conn), done: make(chan struct{}), addr: addr},
		log:    log,
		served: make(chan struct{}),
		open:   make(map[net.Conn]struct{}),
	}
	h.srv = &http.Server{
		Handler:           beginning{handler},
		ConnContext:       withReplay,
		ReadHeaderTimeout: handoverHeadTimeout,
		IdleTimeout:       handoverIdleTimeout,
		MaxHeaderBytes:    handoverHeadBytes,
		ErrorLog:          slog.NewLogLogger(panicsAsErrors{log.Handler()}, slog.LevelWarn),
	}
	go func() {
		defer close(h.served)
		// Serve ends with ErrServerClosed, and Accept with nothing else than
		// the listener's end.
		_ = h.srv.Serve(h.ln)
	}()
	return h
}

// give hands a connection over: fd is a duplicate of its descriptor that
// belongs to h from now on, in non-blocking mode; prefix holds the bytes read
// from it so far, from the head of the request on, and is copied. The caller
// closes its own descriptor without shutdown(2). give does not block; what
// fails is logged and closes fd.
func (h *handover) give(fd int, prefix []byte) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		_ = unix.Close(fd)
		return
	}
	h.pending++
	h.entering.Add(1)
	h.mu.Unlock()
	go h.enter(fd, bytes.Clone(prefix))
}

// enter makes a net.Conn of fd and queues it for the server.
func (h *handover) enter(fd int, prefix []byte) {
	defer h.entering.Done()
	c, err := fileConn(fd)
	h.mu.Lock()
	h.pending--
	if err != nil || c.RemoteAddr() == nil {
		h.mu.Unlock()
		// A client that has reset the connection meanwhile has no address
		// any more and is no event; running out of descriptors is.
		if err != nil {
			h.log.Warn("connection could not be handed to net/http", "error", err)
		} else {
			_ = c.Close()
		}
		return
	}
	rc := h.wrap(c, prefix)
	h.open[rc] = struct{}{}
	h.mu.Unlock()
	select {
	case h.ln.conns <- rc:
	case <-h.ln.done:
		_ = rc.Close()
	}
}

// fileConn turns fd into a net.Conn; fd is closed in any case.
func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "handover")
	if f == nil {
		return nil, os.ErrInvalid
	}
	// FileConn works on a duplicate of its own.
	defer f.Close()
	return net.FileConn(f)
}

// wrap makes c deliver prefix first and report its first handler and its end
// to h.
func (h *handover) wrap(c net.Conn, prefix []byte) net.Conn {
	h.entering.Add(1)
	rc := &replayConn{Conn: c, prefix: prefix, began: sync.OnceFunc(h.entering.Done)}
	if tc, ok := c.(*net.TCPConn); ok {
		t := &replayTCP{TCPConn: tc, replay: rc}
		rc.closed = func() { h.forget(t) }
		return t
	}
	rc.closed = func() { h.forget(rc) }
	return rc
}

func (h *handover) forget(c net.Conn) {
	h.mu.Lock()
	delete(h.open, c)
	h.mu.Unlock()
}

// conns returns how many connections net/http and handlers that hijacked one
// hold, those on the way included. Each uses one descriptor.
func (h *handover) conns() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open) + h.pending
}

// shutdown waits until the requests in progress are answered or ctx is done,
// then closes what is left, hijacked connections too. Idle connections are
// closed at once. The error is ctx's when requests had to be cut off.
func (h *handover) shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	// What was given before still gets its answer: once Shutdown has begun,
	// net/http drops a connection whose handler has not.
	begun := make(chan struct{})
	go func() {
		h.entering.Wait()
		close(begun)
	}()
	select {
	case <-begun:
	case <-ctx.Done():
	}
	err := h.srv.Shutdown(ctx)
	_ = h.srv.Close()
	<-h.served
	h.mu.Lock()
	left := make([]net.Conn, 0, len(h.open))
	for c := range h.open {
		left = append(left, c)
	}
	h.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	return err
}

// memListener is a net.Listener whose connections come from handover.give.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

// Accept implements net.Listener.
func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *memListener) Addr() net.Addr { return l.addr }

// replayConn reads prefix before what the network has. Like any net.Conn it
// may be read by one goroutine at a time.
type replayConn struct {
	net.Conn
	prefix []byte
	once   sync.Once
	closed func()
	// began counts the connection off handover.entering, once.
	began func()
}

// Read implements net.Conn.
func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.prefix) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.prefix)
	if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
		c.prefix = nil
	}
	return n, nil
}

// Close implements net.Conn.
func (c *replayConn) Close() error {
	err := c.Conn.Close()
	c.began()
	c.once.Do(c.closed)
	return err
}

type replayKey struct{}

// withReplay lets a request find the connection it came on.
func withReplay(ctx context.Context, c net.Conn) context.Context {
	switch c := c.(type) {
	case *replayTCP:
		return context.WithValue(ctx, replayKey{}, c.replay)
	case *replayConn:
		return context.WithValue(ctx, replayKey{}, c)
	}
	return ctx
}

// beginning tells a connection that a handler has its request.
type beginning struct{ http.Handler }

// ServeHTTP implements http.Handler.
func (b beginning) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c, ok := r.Context().Value(replayKey{}).(*replayConn); ok {
		c.began()
	}
	b.Handler.ServeHTTP(w, r)
}

// replayTCP keeps what net/http and handlers look for in a *net.TCPConn:
// ReadFrom for sendfile and splice, CloseWrite, SetLinger, SyscallConn, which
// sees the socket alone and not the prefix.
type replayTCP struct {
	*net.TCPConn
	replay *replayConn
}

// Read implements net.Conn.
func (c *replayTCP) Read(p []byte) (int, error) { return c.replay.Read(p) }

// Close implements net.Conn.
func (c *replayTCP) Close() error { return c.replay.Close() }

// WriteTo implements io.WriterTo; TCPConn's own would leave the prefix out.
func (c *replayTCP) WriteTo(w io.Writer) (int64, error) {
	var sent int64
	if p := c.replay.prefix; len(p) > 0 {
		n, err := w.Write(p)
		sent = int64(n)
		if c.replay.prefix = p[n:]; err != nil {
			return sent, err
		}
		c.replay.prefix = nil
	}
	n, err := c.TCPConn.WriteTo(w)
	return sent + n, err
}

// panicsAsErrors raises net/http's report of a handler's panic, which it
// writes to the same ErrorLog as the mistakes of clients.
type panicsAsErrors struct{ slog.Handler }

// Handle implements slog.Handler.
func (h panicsAsErrors) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic serving") {
		r.Level = slog.LevelError
	}
	return h.Handler.Handle(ctx, r)
}
