package netpoll

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// tunnelEnd marks the connection that is a loop's end of a tunnel.
type tunnelEnd struct{ remote net.Addr }

// tunnelLink is a connection through a tunnel: its address is the client's.
type tunnelLink struct {
	transport
	remote net.Addr
}

// RemoteAddr implements transport.
func (t *tunnelLink) RemoteAddr() net.Addr { return t.remote }

// Tunnel gives the loops a connection that somebody else has accepted, as a
// net/http handler has after hijacking: one of them reads prefix and then what
// comes on conn as if the client had connected to it. Two goroutines carry the
// bytes until either side closes; conn is closed then, or when Tunnel returns
// an error. Any goroutine.
func (s *Server) Tunnel(conn net.Conn, prefix []byte) error {
	err := s.tunnel(conn, prefix)
	if err != nil {
		_ = conn.Close()
	}
	return err
}

func (s *Server) tunnel(conn net.Conn, prefix []byte) error {
	if s.draining.Load() || s.drv == nil {
		return ErrShutdown
	}
	fds, err := unix.Socketpair(unix.AF_UNIX,
		unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	far, err := fileConn(fds[1])
	if err != nil {
		_ = unix.Close(fds[0])
		return err
	}
	// The prefix waits in the pair, so that it is read first.
	if _, err = far.Write(prefix); err == nil {
		err = s.drv.enter(fds[0], &tunnelEnd{remote: conn.RemoteAddr()})
	} else {
		_ = unix.Close(fds[0])
	}
	if err != nil {
		_ = far.Close()
		return err
	}
	go carry(far, conn)
	go carry(conn, far)
	return nil
}

// carry copies until from ends, then closes both: there are no half-closed
// WebSockets.
func carry(to, from net.Conn) {
	// Why it ends is seen by the loop, or was the loop's own doing.
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}
