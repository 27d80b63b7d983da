package valkey

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/brokertest"
)

// childURL tells a process of this test binary to be a node.
const childURL = "THRONG_TEST_NODE_URL"

// TestMain is also the program of the child process.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		beNode(url)
		return
	}
	code := m.Run()
	if err := goleak.Find(
		// Of its client for Valkey Clusters: a second's sleep.
		goleak.IgnoreAnyFunction("github.com/valkey-io/valkey-go.(*call).DelayDo.func1"),
	); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// beNode publishes a number every millisecond, as node "child", until stdin
// ends; then it prints how many there were and, with how many received and
// missed of node "a", its incarnations, and leaves.
func beNode(url string) {
	tr, err := Open(context.Background(), quick(url, "child"))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(78)
	}
	n := &node{Transport: tr, t: panicTB{}, got: map[string][]uint64{}, missed: map[string]uint64{}}
	n.cond = sync.NewCond(&n.mu)
	if err := tr.Start(context.Background(), n); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("started")
	end := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadByte()
		close(end)
	}()
	tick := time.NewTicker(time.Millisecond)
	for {
		select {
		case <-tick.C:
			n.next++
			n.Publish(cluster.Kept, entry(n.next))
			continue
		case <-end:
		}
		break
	}
	eventually(n.t, "sent", n.queue.empty)
	time.Sleep(300 * time.Millisecond) // what a has published is on its way
	n.mu.Lock()
	n.ordered("a")
	fmt.Println("end", n.next, len(n.got["a"]), n.missed["a"], n.incarnations.Load(), len(n.lost))
	n.mu.Unlock()
	if err := n.Close(context.Background()); err != nil {
		fmt.Println("error", err)
	}
}

// panicTB is the test of a process that runs none.
type panicTB struct{ testing.TB }

func (panicTB) Helper()                   {}
func (panicTB) Error(args ...any)         { panic(fmt.Sprint(args...)) }
func (panicTB) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (panicTB) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (panicTB) FailNow()                  { panic("failed") }

// A process that is frozen past its lease, with a write under way perhaps, and
// thawed: it comes back as a new incarnation and nothing comes twice.
func TestFrozenProcessThawed(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a := open(t, quick(s.URL(), "a"))
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childURL+"="+s.URL())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, "started", lines.Text())
	a.knows("child")

	const freezes = 2
	for i := range freezes {
		had := 0
		a.until("entries", func() bool {
			if had == 0 {
				had = len(a.got["child"])
			}
			return len(a.got["child"]) > had+50
		})
		cmd.Process.Signal(syscall.SIGSTOP)
		a.publish(100)
		a.until("lost", func() bool { return len(a.lost) == i+1 })
		a.publish(100)
		eventually(t, "sent", a.queue.empty)
		cmd.Process.Signal(syscall.SIGCONT)
		a.until("joined again", func() bool { return len(a.joined) == i+2 })
	}
	in.Close()
	require.True(t, lines.Scan())
	f := strings.Fields(lines.Text())
	require.Equal(t, "end", f[0], lines.Text())
	num := func(i int) int {
		v, err := strconv.Atoi(f[i])
		require.NoError(t, err)
		return v
	}
	require.Equal(t, freezes*200, num(2), "what it got: %v", f)
	require.Zero(t, num(3), "what it missed")
	require.Equal(t, freezes, num(4), "its incarnations")
	require.Zero(t, num(5), "whom it lost")
	a.until("the last one leaves", func() bool { return len(a.lost) == freezes+1 })
	a.mu.Lock()
	defer a.mu.Unlock()
	require.True(t, a.lost[freezes].left)
	a.ordered("child")
	require.Len(t, a.got["child"], num(1), "missed: %v", a.missed)
	require.Empty(t, a.missed)
}
