package doctor

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// machine is one with nothing wrong, for 10,000 connections.
func machine(change map[string]string) Machine {
	files := map[string]string{
		"proc/sys/fs/nr_open":                       "1048576\n",
		"proc/sys/fs/file-max":                      "9223372036854775807\n",
		"proc/sys/net/core/somaxconn":               "4096\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     "4096\n",
		"proc/sys/net/ipv4/tcp_syncookies":          "1\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/netfilter/nf_conntrack_max":   "262144\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "10\n",
		"proc/sys/net/ipv4/tcp_mem":                 "189000\t252000\t378000\n",
		"proc/meminfo":                              "MemTotal: 99 kB\nMemAvailable:    8000000 kB\n",
		"proc/sys/vm/overcommit_memory":             "0\n",
		"proc/sys/net/ipv4/tcp_migrate_req":         "0\n",
		"sys/fs/cgroup/memory.max":                  "max\n",
	}
	for k, v := range change {
		files[k] = v
	}
	root := fstest.MapFS{}
	for k, v := range files {
		if v != "" {
			root[k] = &fstest.MapFile{Data: []byte(v)}
		}
	}
	return Machine{Root: root, Soft: 1024, Hard: 524288, PageSize: 4096}
}

func find(t *testing.T, r *Report, check string) Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no %q in %+v", check, r)
	return Finding{}
}

func TestLocalWell(t *testing.T) {
	t.Parallel()
	r := Local(machine(nil), 10_000)
	require.Equal(t, OK, r.Worst(), "%+v", r)
	require.Len(t, r.Findings, 12)
	for _, f := range r.Findings {
		require.Empty(t, f.Advice)
	}
}

func TestLocalWalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, text, check string
		conns             int
		want              Level
		advice            string
	}{
		{"", "", "open files", 600_000, Fail, "LimitNOFILE=612000"},
		{"proc/sys/fs/nr_open", "9000", "fs.nr_open", 10_000, Fail, "sysctl -w fs.nr_open=10256"},
		{"proc/sys/net/core/somaxconn", "128", "net.core.somaxconn", 10, Warn, "=4096"},
		{"proc/sys/net/ipv4/tcp_max_syn_backlog", "128", "net.ipv4.tcp_max_syn_backlog", 10, Warn, "=1024"},
		{"proc/sys/net/ipv4/tcp_syncookies", "0", "net.ipv4.tcp_syncookies", 10, Warn, "flood"},
		{"", "", "net.ipv4.ip_local_port_range", 30_000, Warn, "1024 65535"},
		{"proc/sys/net/netfilter/nf_conntrack_max", "20000", "conntrack", 10_000, Warn, "=25000"},
		{"proc/sys/net/netfilter/nf_conntrack_count", "250000", "conntrack", 10, Fail, "table full"},
		{"proc/sys/net/ipv4/tcp_mem", "100 200 300", "net.ipv4.tcp_mem", 10_000, Warn, `"15000 22500 30000"`},
		{"proc/meminfo", "MemAvailable: 20480 kB", "memory", 10_000, Warn, "about 97 MiB"},
		{"sys/fs/cgroup/memory.max", "1048576", "memory", 10_000, Warn, "about 97 MiB"},
		{"proc/sys/vm/overcommit_memory", "2", "vm.overcommit_memory", 10, Warn, "=0"},
	} {
		r := Local(machine(map[string]string{c.file: c.text}), c.conns)
		f := find(t, r, c.check)
		require.Equal(t, c.want, f.Level, "%+v", f)
		require.Contains(t, f.Advice, c.advice)
	}
	r := Local(machine(map[string]string{"sys/fs/cgroup/memory.max": "1048576"}), 10)
	require.Contains(t, find(t, r, "memory").Found, "1 MiB available in this control group")
}

// Kernels and containers that do not show something are no failure.
func TestLocalWithoutProc(t *testing.T) {
	t.Parallel()
	r := Local(Machine{Root: fstest.MapFS{}, Hard: 1 << 20, PageSize: 4096}, 10)
	require.Equal(t, OK, r.Worst())
}

func TestWrite(t *testing.T) {
	t.Parallel()
	r := &Report{}
	r.add("a", OK, "unsaid", "fine")
	r.add("longer", Warn, "do this", "hm %d", 1)
	var out bytes.Buffer
	r.Write(&out)
	require.Equal(t, "OK    a       fine\nWARN  longer  hm 1\n"+strings.Repeat(" ", 14)+
		"-> do this\n1 ok, 1 warnings, 0 failures\n", out.String())
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"example.org":              "http://example.org/socket.io/",
		"wss://example.org/":       "https://example.org/socket.io/",
		"ws://[::1]:5000/chat?a=b": "http://[::1]:5000/chat/",
	} {
		u, err := ParseURL(in)
		require.NoError(t, err)
		require.Equal(t, want, u.String())
	}
	for _, in := range []string{"ftp://x", "http://", "http://a b"} {
		_, err := ParseURL(in)
		require.Error(t, err, in)
	}
}
