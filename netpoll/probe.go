package netpoll

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe finds out whether the address is free, which SO_REUSEPORT would hide,
// and settles port 0. The port that it finds stays taken until release.
func (s *Server) probe() (release func(), err error) {
	release = func() {}
	want, err := net.ResolveTCPAddr("tcp", s.opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("netpoll: listen address %q: %w", s.opt.Addr, err)
	}
	s.addr = want
	if want.Port == 0 {
		fd, err := takePort(want)
		if err != nil {
			return nil, fmt.Errorf("netpoll: listen on %s: %w", s.opt.Addr, err)
		}
		return func() { _ = unix.Close(fd) }, nil
	}
	if s.opt.ReusePort {
		return release, nil
	}
	ln, err := net.Listen("tcp", s.opt.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%w: %s (another server listens there; "+
				"to share the port between processes set ReusePort on all of them)", ErrAddrInUse, s.opt.Addr)
		}
		return nil, fmt.Errorf("netpoll: listen on %s: %w", s.opt.Addr, err)
	}
	return release, ln.Close()
}

// takePort sets the port of addr to a free one, and keeps others from it for as
// long as fd is open: fd is bound as the loops' listeners will be, which may
// join it, and does not listen.
func takePort(addr *net.TCPAddr) (fd int, err error) {
	var to unix.Sockaddr
	family := unix.AF_INET
	switch v4 := addr.IP.To4(); {
	case v4 != nil:
		to = &unix.SockaddrInet4{Addr: [4]byte(v4)}
	case addr.IP != nil:
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Addr: [16]byte(addr.IP.To16()),
			ZoneId: zoneID(addr.Zone)}
	default: // all addresses of both families, if there are both
		family, to = unix.AF_INET6, &unix.SockaddrInet6{}
	}
	fd, err = bound(family, to)
	if err != nil && addr.IP == nil {
		fd, err = bound(unix.AF_INET, &unix.SockaddrInet4{})
	}
	if err != nil {
		return -1, err
	}
	got, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("getsockname", err)
	}
	switch a := got.(type) {
	case *unix.SockaddrInet4:
		addr.Port = a.Port
	case *unix.SockaddrInet6:
		addr.Port = a.Port
	}
	return fd, nil
}

func bound(family int, to unix.Sockaddr) (fd int, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if family == unix.AF_INET6 && to.(*unix.SockaddrInet6).Addr == [16]byte{} {
		err = os.NewSyscallError("IPV6_V6ONLY", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
	}
	err = errors.Join(err, os.NewSyscallError("SO_REUSEPORT",
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)))
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, to))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// zoneID is the number of an interface; 0 if there is none of the name.
func zoneID(name string) uint32 {
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}
