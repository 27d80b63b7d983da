package socketio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// siblings are the processes that share the port with this one
// (Options.ReusePort). The kernel gives a client's next connection to any of
// them, so that a request may come to one that has not its session. Each
// listens on a Unix socket whose name is made of the address and its tag, which
// the session id has: a sibling is found by connecting to it, without a broker
// and without a file. The names are those of the network namespace, as ports
// are; who is on the other end must be the same user, as for the port.
type siblings struct {
	srv    *Server
	addr   atomic.Pointer[string] // that the names begin with; nil: not known yet
	hops   atomic.Uint64          // requests that siblings have forwarded to us
	web    http.Server
	served chan struct{} // closed when nothing is accepted any more; nil: nothing was

	mu    sync.RWMutex
	known map[uint16]bool // answered when they were asked last
}

const (
	// siblingHost ends what stands for a sibling in a URL.
	siblingHost = ".sibling.invalid"
	// remoteHeader tells a sibling where the client's connection came from.
	remoteHeader = "Throng-Remote"
	// siblingHeadTime and siblingIdleTime are for connections between siblings:
	// a forwarder drops them first.
	siblingHeadTime = 10 * time.Second
	siblingIdleTime = 2 * forwardIdle
)

var errStranger = errors.New("the process on the other end is another user's")

// newSiblings returns nil for a server that shares its port with nobody.
func newSiblings(s *Server) *siblings {
	if !s.opt.ReusePort {
		return nil
	}
	return &siblings{srv: s, known: make(map[uint16]bool)}
}

// open makes this process known to its siblings; addr is the server's, and
// nothing happens while its port is 0.
func (b *siblings) open(addr string) {
	if b == nil || b.served != nil {
		return
	}
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil || a.Port == 0 {
		return // who listens there will tell
	}
	name := fmt.Sprint("@throng/*:", a.Port)
	if len(a.IP) > 0 && !a.IP.IsUnspecified() {
		name = "@throng/" + a.String()
	}
	b.addr.Store(&name)
	log := b.srv.opt.Logger
	ln, err := net.Listen("unix", b.name(b.srv.opt.NodeTag))
	if err != nil {
		log.Warn("processes that share the port cannot forward requests to this one", "error", err)
		return
	}
	b.web = http.Server{Handler: b, ReadHeaderTimeout: siblingHeadTime, IdleTimeout: siblingIdleTime,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	b.served = make(chan struct{})
	go func() {
		defer close(b.served)
		_ = b.web.Serve(familiar{ln}) // ends with close
	}()
}

// close ends it: siblings tell the clients of the sessions here that there are
// none any more.
func (b *siblings) close() {
	if b != nil && b.served != nil {
		_ = b.web.Close()
		<-b.served
	}
}

func (b *siblings) name(tag uint16) string { return fmt.Sprintf("%s/%04x", *b.addr.Load(), tag) }

// ServeHTTP answers a request that a sibling has forwarded, as if its client
// had come here.
func (b *siblings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.hops.Add(1)
	r.RemoteAddr = r.Header.Get(remoteHeader)
	r.Header.Del(remoteHeader)
	b.srv.eng.ServeHTTP(w, r)
}

// lives tells whether there is a sibling with a tag. It takes some
// microseconds for one that is not known yet: there is no wait in connecting to
// a Unix socket. Any goroutine, loops too.
func (b *siblings) lives(tag uint16) bool {
	if b == nil || b.addr.Load() == nil {
		return false
	}
	b.mu.RLock()
	known := b.known[tag]
	b.mu.RUnlock()
	if known {
		return true
	}
	fd, err := syscall.Socket(syscall.AF_UNIX,
		syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if syscall.Connect(fd, &syscall.SockaddrUnix{Name: b.name(tag)}) != nil || !ours(fd) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[tag] = true
	return true
}

// gone notes that a sibling does not answer.
func (b *siblings) gone(tag uint16) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, tag)
}

// count is how many requests siblings have forwarded to this one.
func (b *siblings) count() uint64 {
	if b == nil {
		return 0
	}
	return b.hops.Load()
}

// siblingURL is what stands for a sibling in a URL.
func siblingURL(tag uint16) string { return fmt.Sprintf("%04x%s", tag, siblingHost) }

// dial connects to a sibling by what stands for it, or to any other address.
func (b *siblings) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: forwardDial}
	tag, _, is := strings.Cut(addr, siblingHost)
	if b == nil || !is {
		return d.DialContext(ctx, network, addr)
	}
	c, err := d.DialContext(ctx, "unix", *b.addr.Load()+"/"+tag)
	if err != nil {
		return nil, err
	}
	if !familiarConn(c) {
		_ = c.Close()
		return nil, errStranger
	}
	return c, nil
}

// familiar accepts connections of this process's user only.
type familiar struct{ net.Listener }

// Accept implements net.Listener.
func (f familiar) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil || familiarConn(c) {
			return c, err
		}
		_ = c.Close()
	}
}

func familiarConn(c net.Conn) (yes bool) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) { yes = ours(int(fd)) })
	return yes && err == nil
}

// ours tells whether the other end of a Unix socket is of the same user.
func ours(fd int) bool {
	cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	return err == nil && int(cred.Uid) == os.Geteuid()
}
