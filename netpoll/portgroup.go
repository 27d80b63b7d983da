package netpoll

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// listenSocket is a listening socket: the kernel's number for it and, if it is
// of this process, its descriptor.
type listenSocket struct {
	inode uint64
	fd    int
}

// portGroup lists the sockets of all processes that listen on exactly addr and
// share it: the kernel spreads connections over them. They stand at the head
// of its table, before the connections, which are not read.
func portGroup(addr *net.TCPAddr) ([]uint64, error) {
	var inodes []uint64
	for _, table := range []struct {
		file string
		size int
	}{{"/proc/self/net/tcp", net.IPv4len}, {"/proc/self/net/tcp6", net.IPv6len}} {
		ip := addr.IP
		if len(ip) == 0 {
			ip = make(net.IP, table.size)
		} else if v4 := ip.To4(); (v4 != nil) != (table.size == net.IPv4len) {
			continue
		} else if v4 != nil {
			ip = v4
		}
		found, err := listening(table.file, tableAddr(ip, addr.Port))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		inodes = append(inodes, found...)
	}
	slices.Sort(inodes)
	return inodes, nil
}

// tableAddr writes an address as the kernel's table has it: words of the
// machine's order in hexadecimal.
func tableAddr(ip net.IP, port int) string {
	words := make([]byte, len(ip))
	for i := 0; i < len(ip); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(ip[i:]))
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(words)), port)
}

// listening reads the inodes of what listens on local, as the table has it.
func listening(file, local string) ([]uint64, error) {
	const stateListen = "0A"
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var inodes []uint64
	lines := bufio.NewScanner(f)
	lines.Scan() // the titles
	for lines.Scan() {
		col := strings.Fields(lines.Text())
		if len(col) < 10 || col[3] != stateListen {
			break
		}
		if col[1] != local {
			continue
		}
		inode, err := strconv.ParseUint(col[9], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("netpoll: %s: %w", file, err)
		}
		inodes = append(inodes, inode)
	}
	return inodes, lines.Err()
}

// ownListeners finds which of the sockets are of this process, in the order of
// their descriptors. gnet does not tell all of its listeners.
func ownListeners(inodes []uint64) ([]listenSocket, error) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var own []listenSocket
	for _, n := range names {
		fd, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		yes, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err != nil || yes == 0 {
			continue // closed since, no socket, or a connection
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && slices.Contains(inodes, st.Ino) {
			own = append(own, listenSocket{inode: st.Ino, fd: fd})
		}
	}
	slices.SortFunc(own, func(a, b listenSocket) int { return a.fd - b.fd })
	return own, nil
}

// backlog is how many connections wait on a listener to be accepted.
func backlog(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int(info.Unacked)
}

// span is a run of places in a port's group.
type span struct{ from, n int }

// steer makes the group that fd listens in choose by chance among the places
// of first and then: one kernel program for the whole group, whoever attaches
// it. A place that does not exist means a choice among all.
func steer(fd int, first, then span) error {
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
	skip := max(then.from-first.from-first.n, 0)
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(max(first.n+then.n, 1))},
		{Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K, K: uint32(first.from)},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: uint32(first.from + first.n)},
		{Code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_K, K: uint32(skip)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	return os.NewSyscallError("SO_ATTACH_REUSEPORT_CBPF",
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}))
}

// unsteer makes the group choose among all places again.
func unsteer(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
}

// deaf replaces a listener by one that nobody knows: the number stays with the
// event loop, which hears nothing of it any more, and the kernel closes the
// old one.
func deaf(fd int) error {
	dummy, err := unix.Socket(unix.AF_UNIX,
		unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(dummy)
	// No name: the kernel gives one outside of the file system.
	if err := unix.Bind(dummy, &unix.SockaddrUnix{}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(dummy, 1); err != nil {
		return os.NewSyscallError("listen", err)
	}
	return os.NewSyscallError("dup3", unix.Dup3(dummy, fd, unix.O_CLOEXEC))
}
