//go:build fleet

package fleet

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/internal/brokertest"
)

var (
	binary  = flag.String("server", "", "the contract server's `path`")
	servers = flag.Int("servers", 6, "how many server processes")
	crowds  = flag.Int("crowds", 6, "how many client processes")
	each    = flag.Int("clients", 15_000, "how many clients in each")
	outage  = flag.Duration("outage", 5*time.Second, "how long the broker is away")
)

// patience bounds what takes long on a busy machine.
const patience = 5 * time.Minute

// worker is another process.
type worker struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T, env []string, name string, args ...string) *worker {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return &worker{t, cmd, in, bufio.NewReader(out)}
}

func (w *worker) line() string {
	w.t.Helper()
	s, err := w.out.ReadString('\n')
	require.NoError(w.t, err)
	return strings.TrimSpace(s)
}

// have returns how many clients have broadcast n, all of them if it shall wait.
func (w *worker) have(n int, wait bool) (count int) {
	w.t.Helper()
	what := "have"
	if wait {
		what = "all"
	}
	_, err := fmt.Fprintln(w.in, what, n)
	require.NoError(w.t, err)
	line := w.line()
	_, err = fmt.Sscan(line, &count)
	require.NoError(w.t, err, line)
	return count
}

// rss is the memory of a process, in MB.
func (w *worker) rss() int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.cmd.Process.Pid))
	var size, resident int
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * os.Getpagesize() >> 20
}

func TestFleet(t *testing.T) {
	// Pdeathsig is the thread's that started the process.
	runtime.LockOSThread()
	broker := brokertest.Start(t, brokertest.Always()...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	fleet := make([]*worker, *servers)
	for i := range fleet {
		fleet[i] = start(t, nil, *binary, "-listen", addr, "-share", "-valkey", broker.URL(),
			"-node-id", fmt.Sprint("node-", i))
		require.Contains(t, fleet[i].line(), addr)
	}
	begun := time.Now()
	people := make([]*worker, *crowds)
	for i := range people {
		people[i] = start(t, []string{crowdEnv + "=" + fmt.Sprintln(addr, i**each, *each)}, os.Args[0])
	}
	for _, p := range people {
		require.Equal(t, "ready", p.line())
	}
	all := *crowds * *each
	t.Logf("%d clients on %d servers in %v", all, *servers, time.Since(begun).Round(time.Millisecond))
	for i, s := range fleet {
		t.Logf("server %d: %d MB", i, s.rss())
	}

	emitter, err := client.Dial(addr, "127.0.0.1")
	require.NoError(t, err)
	defer emitter.Close()
	go func() { // its heartbeat
		for {
			if _, err := emitter.Next(); err != nil {
				return
			}
		}
	}()
	n := 0
	emit := func() {
		n++
		require.NoError(t, emitter.Emit(fmt.Sprintf(`42["all",%d]`, n)))
	}
	arrived := func(what string) {
		begun := time.Now()
		for _, p := range people {
			require.Equal(t, *each, p.have(n, true))
		}
		t.Logf("%s: broadcast %d is with all %d clients %v later", what, n, all,
			time.Since(begun).Round(time.Millisecond))
	}
	for range 3 {
		emit()
		arrived("calm")
	}
	for what, f := range map[string][2]func(){
		"stopped and restarted":   {broker.Stop, broker.Restart},
		"killed, restarted empty": {broker.Kill, broker.RestartEmpty},
	} {
		f[0]()
		for range 3 {
			emit()
			time.Sleep(*outage / 3)
		}
		some := 0
		for _, p := range people {
			some += p.have(n, false)
		}
		t.Logf("%s, away: %d clients, those of one server, have broadcast %d", what, some, n)
		require.Positive(t, some, "local delivery goes on")
		require.Less(t, some, all, "and that is no news to the others")
		f[1]()
		arrived(what)
		emit()
		arrived("afterwards")
	}
}

// crowdEnv tells a process of this test binary to be clients: address, how
// many others are there, how many.
const crowdEnv = "THRONG_FLEET_CROWD"

func TestMain(m *testing.M) {
	if s := os.Getenv(crowdEnv); s != "" {
		if err := beCrowd(s); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// beCrowd connects clients and answers lines of stdin; whoever is disconnected
// or gets a broadcast twice or not at all ends it.
func beCrowd(what string) error {
	var addr string
	var behind, n int
	if _, err := fmt.Sscan(what, &addr, &behind, &n); err != nil {
		return err
	}
	c, err := client.GatherBehind(addr, behind, n, "")
	if err != nil {
		return err
	}
	defer c.Close()
	last := make([]int, n) // received by each
	have := map[int]int{}  // clients that have a broadcast
	var wrong error
	c.OnPacket = func(i int, p []byte) {
		var k int
		if _, err := fmt.Sscanf(string(p), `42["all",%d]`, &k); err != nil || k != last[i]+1 {
			wrong = errors.Join(wrong, fmt.Errorf("client %d: %q behind %d", i, p, last[i]))
		}
		last[i] = k
		have[k]++
	}
	fmt.Println("ready")
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for wrong == nil {
		if err := c.Poll(20 * time.Millisecond); err != nil {
			return err
		}
		select {
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			var what string
			var k int
			if _, err := fmt.Sscan(line, &what, &k); err != nil {
				return err
			}
			for end := time.Now().Add(patience); what == "all" && have[k] < n && wrong == nil; {
				if err := c.Poll(20 * time.Millisecond); err != nil {
					return err
				}
				if time.Now().After(end) {
					return fmt.Errorf("%d of %d have broadcast %d", have[k], n, k)
				}
			}
			fmt.Println(have[k])
		default:
		}
	}
	return wrong
}
