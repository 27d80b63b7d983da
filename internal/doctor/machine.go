package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a connection takes, from measurements of busy ones: descriptors beside
// the connections, memory of the process, memory of the kernel.
const (
	reserveShare = 50 // 2 %, as the server keeps
	reserveMin   = 256
	userBytes    = 4 << 10
	kernelBytes  = 6 << 10
)

// Machine is what Local looks at.
type Machine struct {
	// Root has proc and sys.
	Root fs.FS
	// Files are the soft and hard limit of open files; the server raises the
	// first to the second.
	Soft, Hard uint64
	PageSize   int
}

// ThisMachine is the one that the process runs on, with its own limits.
func ThisMachine() (Machine, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return Machine{}, err
	}
	return Machine{Root: os.DirFS("/"), Soft: r.Cur, Hard: r.Max, PageSize: os.Getpagesize()}, nil
}

// numbers reads the numbers in a file of proc or sys; none if it is not there.
func (m Machine) numbers(path string) (n []int) {
	b, err := fs.ReadFile(m.Root, path)
	if err != nil {
		return nil
	}
	for _, w := range strings.Fields(string(b)) {
		if v, err := strconv.Atoi(w); err == nil {
			n = append(n, v)
		}
	}
	return n
}

func (m Machine) number(path string) (int, bool) {
	n := m.numbers(path)
	if len(n) == 0 {
		return 0, false
	}
	return n[0], true
}

// Local compares the machine's limits with what conns connections need.
func Local(m Machine, conns int) *Report {
	r := &Report{}
	m.files(r, conns)
	m.queues(r)
	m.ports(r, conns)
	m.conntrack(r, conns)
	m.memory(r, conns)
	m.upgrade(r)
	return r
}

func level(bad bool, l Level) Level {
	if bad {
		return l
	}
	return OK
}

func (m Machine) files(r *Report, conns int) {
	need := uint64(conns + max(conns/reserveShare, reserveMin))
	r.add("open files", level(m.Hard < need, Fail),
		fmt.Sprintf("set LimitNOFILE=%d in the unit, or `ulimit -Hn` in the shell that starts it; "+
			"the server takes the hard limit by itself", need),
		"hard limit %d, soft %d; %d connections need %d", m.Hard, m.Soft, conns, need)
	for _, f := range []string{"fs/nr_open", "fs/file-max"} {
		if n, ok := m.number("proc/sys/" + f); ok {
			r.add(sysctl(f), level(n > 0 && uint64(n) < need, Fail),
				fmt.Sprintf("sysctl -w %s=%d: no process gets more", sysctl(f), need), "%d", n)
		}
	}
}

func sysctl(path string) string { return strings.ReplaceAll(path, "/", ".") }

func (m Machine) queues(r *Report) {
	for _, q := range []struct {
		path  string
		least int
		why   string
	}{
		{"net/core/somaxconn", 4096, "connections that come at once, as after a restart, are dropped " +
			"above it and come again a second later"},
		{"net/ipv4/tcp_max_syn_backlog", 1024, "the same for connections half open"},
	} {
		if n, ok := m.number("proc/sys/" + q.path); ok {
			r.add(sysctl(q.path), level(n < q.least, Warn),
				fmt.Sprintf("sysctl -w %s=%d: %s", sysctl(q.path), q.least, q.why), "%d", n)
		}
	}
	if n, ok := m.number("proc/sys/net/ipv4/tcp_syncookies"); ok {
		r.add("net.ipv4.tcp_syncookies", level(n == 0, Warn),
			"sysctl -w net.ipv4.tcp_syncookies=1: without it a flood of half-open connections "+
				"keeps everybody out", "%d", n)
	}
}

func (m Machine) ports(r *Report, conns int) {
	n := m.numbers("proc/sys/net/ipv4/ip_local_port_range")
	if len(n) != 2 {
		return
	}
	have := n[1] - n[0] + 1
	r.add("net.ipv4.ip_local_port_range", level(have < conns, Warn),
		"a proxy on this machine needs a port for each client: sysctl -w "+
			"net.ipv4.ip_local_port_range=\"1024 65535\", and beyond 64,000 several addresses for the "+
			"server (127.0.0.2, ...). Clients that connect directly need none",
		"%d ports to one address", have)
}

func (m Machine) conntrack(r *Report, conns int) {
	most, ok := m.number("proc/sys/net/netfilter/nf_conntrack_max")
	if !ok {
		r.add("conntrack", OK, "", "not loaded")
		return
	}
	used, _ := m.number("proc/sys/net/netfilter/nf_conntrack_count")
	need := 2*conns + conns/2 // with a proxy two a client, and those that end
	l := level(most < need, Warn)
	if used*10 > most*9 {
		l = Fail
	}
	r.add("conntrack", l, fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d, or exempt the "+
		"server's port from tracking; above the limit packets are dropped, and \"table full\" stands "+
		"in the kernel's log", need), "%d of %d entries used", used, most)
}

func (m Machine) memory(r *Report, conns int) {
	if n := m.numbers("proc/sys/net/ipv4/tcp_mem"); len(n) == 3 {
		need := conns * kernelBytes / m.PageSize
		r.add("net.ipv4.tcp_mem", level(n[2] < need, Warn),
			fmt.Sprintf("sysctl -w net.ipv4.tcp_mem=\"%d %d %d\": above the last one the kernel drops "+
				"what connections send", need, need*3/2, need*2),
			"%d MiB for all of TCP", n[2]*m.PageSize>>20)
	}
	need := conns * (userBytes + kernelBytes) >> 20
	if have, of, ok := m.available(); ok {
		r.add("memory", level(have < need, Warn),
			fmt.Sprintf("%d connections take about %d MiB, half of it the kernel's", conns, need),
			"%d MiB available %s", have, of)
	}
	if n, ok := m.number("proc/sys/vm/overcommit_memory"); ok {
		r.add("vm.overcommit_memory", level(n == 2, Warn),
			"sysctl -w vm.overcommit_memory=0 (1 on a host with Valkey): Go reserves more address "+
				"space than it uses, and Valkey forks to save", "%d", n)
	}
}

// available returns the MiB that can be had, by the machine or by the control
// group.
func (m Machine) available() (mib int, of string, ok bool) {
	b, err := fs.ReadFile(m.Root, "proc/meminfo")
	if err != nil {
		return 0, "", false
	}
	for line := range strings.Lines(string(b)) {
		var kib int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d", &kib); err == nil {
			mib, of, ok = kib>>10, "on this machine", true
		}
	}
	if most, limited := m.number("sys/fs/cgroup/memory.max"); limited {
		used, _ := m.number("sys/fs/cgroup/memory.current")
		if left := (most - used) >> 20; !ok || left < mib {
			mib, of, ok = left, "in this control group", true
		}
	}
	return mib, of, ok
}

// upgrade tells what happens to connections that nobody has accepted yet when
// a process that shares its port dies.
func (m Machine) upgrade(r *Report) {
	n, ok := m.number("proc/sys/net/ipv4/tcp_migrate_req")
	switch {
	case !ok:
		r.add("net.ipv4.tcp_migrate_req", OK, "", "not known to this kernel")
	case n == 0:
		r.add("net.ipv4.tcp_migrate_req", OK, "", "0: an upgrade with --reuse-port loses nobody; if "+
			"the process is killed, 1 would hand what it has not accepted to the other")
	default:
		r.add("net.ipv4.tcp_migrate_req", OK, "", "%d", n)
	}
}
