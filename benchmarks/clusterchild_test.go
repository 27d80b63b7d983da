package benchmarks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/socketio"
)

// childURL tells a process of this test binary to be a node of a cluster.
const childURL = "THRONG_BENCH_NODE_URL"

// TestMain is also the program of other nodes.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := beNode(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beNode serves, does what lines of stdin say, and ends with them: "usage" and
// "received" print a number, "emit ROOM" emits. Each client is in a room alone, by
// the order in which they come, and in the one that it joins.
func beNode(url string) error {
	tr, err := valkey.Open(context.Background(), valkey.Options{URL: url, Logger: quiet()})
	if err != nil {
		return err
	}
	s, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1, Cluster: tr,
		Logger: quiet()})
	if err != nil {
		return err
	}
	socketio.On(s, "join", func(k *socketio.Socket, room string) error {
		k.Join(room)
		return k.Emit("joined")
	})
	var others atomic.Int64
	s.OnConnection(func(k *socketio.Socket) { k.Join(name(int(others.Add(1) - 1))) })
	if err := s.Start(); err != nil {
		return err
	}
	fmt.Println(s.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		what, room, _ := strings.Cut(in.Text(), " ")
		switch what {
		case "usage":
			fmt.Println(int64(usage()))
		case "received":
			fmt.Println(s.Stats().Cluster.Received)
		case "emit":
			if err := s.To(room).Emit("m", payload); err != nil {
				return err
			}
		}
	}
	return s.Shutdown(context.Background())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// usage is the processor time of this process.
func usage() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// node opens a place in a cluster.
func node(b *testing.B, url string) *valkey.Transport {
	b.Helper()
	tr, err := valkey.Open(b.Context(), valkey.Options{URL: url, Logger: quiet()})
	require.NoError(b, err)
	return tr
}

// process is a node in a process of its own.
type process struct {
	b    *testing.B
	addr string
	in   io.WriteCloser
	out  *bufio.Reader
}

func child(b *testing.B, url string) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	p := &process{b: b, in: in, out: bufio.NewReader(out)}
	p.addr = p.line()
	return p
}

func (p *process) line() string {
	p.b.Helper()
	s, err := p.out.ReadString('\n')
	require.NoError(p.b, err)
	return strings.TrimSpace(s)
}

func (p *process) ask(what string) (n int64) {
	p.b.Helper()
	_, err := fmt.Fprintln(p.in, what)
	require.NoError(p.b, err)
	_, err = fmt.Sscan(p.line(), &n)
	require.NoError(p.b, err)
	return n
}

func (p *process) usage() time.Duration { return time.Duration(p.ask("usage")) }

func (p *process) emit(room string) {
	_, err := fmt.Fprintln(p.in, "emit", room)
	require.NoError(p.b, err)
}

// received waits until the node has n entries.
func (p *process) received(n uint64) {
	for uint64(p.ask("received")) < n {
		time.Sleep(time.Millisecond)
	}
}
