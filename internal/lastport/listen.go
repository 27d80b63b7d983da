package lastport

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen listens on addr, as processes of the same user do that have called it,
// too. From its return on new connections come here, until a later process
// listens. When this one ends they go to the others again; of more than one,
// to any of them until the next comes. An error with a listener tells that the
// kernel could not be asked for that: connections come to any process then.
func Listen(addr string) (*net.TCPListener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		bad := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(bad, os.NewSyscallError("SO_REUSEPORT", err))
	}}
	lc.SetMultipathTCP(false) // the kernel does not steer it
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	ln := l.(*net.TCPListener)
	others, err := Others(ln)
	if err == nil && others > 0 {
		err = steer(ln, others) // who listens last is put at the end
	}
	return ln, err
}

// Others counts the other listeners on the address of ln.
func Others(ln *net.TCPListener) (int, error) {
	const stateListen = "0A"
	addr := ln.Addr().(*net.TCPAddr)
	ip, table := addr.IP.To16(), "/proc/self/net/tcp6"
	if v4 := addr.IP.To4(); v4 != nil {
		ip, table = v4, "/proc/self/net/tcp"
	}
	// The kernel writes words of the machine's order.
	words := make([]byte, len(ip))
	for i := 0; i < len(ip); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(ip[i:]))
	}
	local := fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(words)), addr.Port)
	f, err := os.Open(table)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines, n := bufio.NewScanner(f), -1
	lines.Scan() // the titles
	for lines.Scan() {
		// Listeners stand before all connections, which are not read.
		col := strings.Fields(lines.Text())
		if len(col) < 4 || col[3] != stateListen {
			break
		}
		if col[1] == local {
			n++
		}
	}
	return max(n, 0), lines.Err()
}

// steer makes the kernel choose the listener at a place of the group that ln is
// in. If there is no such place any more, it chooses by chance.
func steer(ln *net.TCPListener, place int) error {
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	prog := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: uint32(place)}}
	bad := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
	})
	return errors.Join(bad, os.NewSyscallError("SO_ATTACH_REUSEPORT_CBPF", err))
}
