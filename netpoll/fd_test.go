package netpoll

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	childEnv   = "NETPOLL_TEST_CHILD"
	childLimit = 500
	childHeld  = childLimit * 7 / 10
)

// childReport is what the child says after the storm.
type childReport struct {
	Addr  string
	Cap   int
	Stats Stats
	Ended bool
}

// childMain is a process with few descriptors most of which its user code
// holds. It answers each line on stdin with a report and ends with stdin.
func childMain() {
	lim := unix.Rlimit{Cur: childLimit, Max: childLimit}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := New(Options{Addr: "127.0.0.1:0", Loops: 2, ReserveFDs: 50,
		Logger: slog.New(slog.DiscardHandler)}, &echoHandler{})
	if err == nil {
		err = s.Start()
	}
	for i := 0; err == nil && i < childHeld; i++ {
		_, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ended := make(chan struct{})
	go func() { _ = s.Wait(); close(ended) }()
	out := json.NewEncoder(os.Stdout)
	_, limit := s.FDLimit()
	for line := make([]byte, 1); ; {
		rep := childReport{Addr: s.Addr().String(), Cap: limit, Stats: s.Stats()}
		select {
		case <-ended:
			rep.Ended = true
		default:
		}
		_ = out.Encode(rep)
		if n, _ := os.Stdin.Read(line); n == 0 {
			os.Exit(0)
		}
	}
}

// Running out of descriptors ends gnet's engine when accept fails. The cap by
// the descriptor's number keeps it from that, whoever holds the others.
func TestDescriptorExhaustion(t *testing.T) {
	const connects = 1200
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	dec := json.NewDecoder(out)
	var rep childReport
	require.NoError(t, dec.Decode(&rep))
	report := func() childReport {
		var r childReport
		_, err := in.Write([]byte{'\n'})
		require.NoError(t, err)
		require.NoError(t, dec.Decode(&r))
		return r
	}

	var open []*net.TCPConn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range connects {
		c, err := net.Dial("tcp", rep.Addr)
		require.NoError(t, err)
		open = append(open, c.(*net.TCPConn))
	}
	var last childReport
	eventually(t, "all connects to be seen", func() bool {
		last = report()
		return last.Ended || last.Stats.Accepted+last.Stats.Drops["connections_full"] == connects
	})
	require.False(t, last.Ended, "the engine is alive")
	served := int(last.Stats.Accepted)
	// The cap is a number, 450: what the user and the loops hold counts.
	require.Equal(t, childLimit-50, last.Cap)
	require.Less(t, served, last.Cap-childHeld)
	require.Greater(t, served, (last.Cap-childHeld)/2)
	require.Equal(t, served, last.Stats.Conns)

	// Those below the cap are served, the others closed.
	answered, refused := 0, 0
	for _, c := range open {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err := c.Write([]byte(goodUpgrade))
		buf := make([]byte, 512)
		n := 0
		if err == nil {
			n, err = c.Read(buf)
		}
		switch {
		case err != nil:
			refused++
		case bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 101")):
			answered++
		}
	}
	require.Equal(t, served, answered)
	require.Equal(t, connects-served, refused)

	// Room again: new ones are taken.
	for _, c := range open {
		_ = c.Close()
	}
	open = nil
	eventually(t, "the old ones to go", func() bool { return report().Stats.Conns == 0 })
	c, err := net.Dial("tcp", rep.Addr)
	require.NoError(t, err)
	open = append(open, c.(*net.TCPConn))
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = c.Write(append([]byte(goodUpgrade), clientFrame(ws.OpText, true, []byte("hi"))...))
	require.NoError(t, err)
	buf := make([]byte, 512)
	n, err := c.Read(buf)
	require.NoError(t, err)
	require.Contains(t, string(buf[:n]), "101 Switching")
}
