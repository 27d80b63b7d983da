package latency

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds waits for children, which connect thousands of clients.
const patience = 3 * time.Minute

// child is a process of this binary playing a part.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out chan []byte // its lines, closed at the end
	log *bytes.Buffer
}

func start(t testing.TB, part string, config any) *child {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(config)
	require.NoError(t, err)
	c := &child{t: t, cmd: exec.Command(path), out: make(chan []byte, 8), log: new(bytes.Buffer)}
	// With -race a process takes a second to end unless it is told not to.
	c.cmd.Env = append(os.Environ(), partVar+"="+part, configVar+"="+string(text),
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	c.cmd.Stderr = c.log
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(c.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.out <- bytes.Clone(lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = c.in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
		defer kill.Stop()
		for range c.out {
		}
		<-read
		if err := c.cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s ended: %v\n%s", part, err, c.log)
		}
	})
	return c
}

// line waits for the child's next line.
func (c *child) line() []byte {
	c.t.Helper()
	select {
	case b, ok := <-c.out:
		require.True(c.t, ok, "child ended without a word")
		return b
	case <-time.After(patience):
		require.FailNow(c.t, "child says nothing")
		return nil
	}
}

func (c *child) say(word string) {
	c.t.Helper()
	_, err := io.WriteString(c.in, word+"\n")
	require.NoError(c.t, err)
}

// server is a child that serves.
type server struct {
	*child
	addresses
}

func startServer(t testing.TB, cfg serverConfig) *server {
	t.Helper()
	s := &server{child: start(t, "server", cfg)}
	require.NoError(t, json.Unmarshal(s.line(), &s.addresses))
	return s
}

func (s *server) stats() (f figures) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.Server + "/stats")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	require.NoError(s.t, json.NewDecoder(resp.Body).Decode(&f))
	return f
}

// healthy checks that the server has dropped nobody.
func (s *server) healthy() {
	s.t.Helper()
	f := s.stats()
	for reason, n := range f.Drops {
		require.Zero(s.t, n, reason)
	}
	require.Zero(s.t, f.Panics)
}

// cpu returns the processor time used so far.
func (s *server) cpu() time.Duration {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	require.NoError(s.t, err)
	// The fields after the name, which is in parentheses; see proc_pid_stat(5).
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err := strconv.Atoi(f[11])
	require.NoError(s.t, err)
	system, err := strconv.Atoi(f[12])
	require.NoError(s.t, err)
	return time.Duration(user+system) * tick
}

func startCrowd(t testing.TB, cfg crowdConfig) *child {
	t.Helper()
	part := "crowd"
	if cfg.Job == "fan" {
		part = "load"
	}
	c := start(t, part, cfg)
	require.Equal(t, "ready", string(c.line()))
	return c
}

// result waits for the end of a crowd's job.
func (c *child) result() (r crowdResult) {
	c.t.Helper()
	require.NoError(c.t, json.Unmarshal(c.line(), &r))
	return r
}

// sample is one answer that was waited for.
type sample struct {
	at   time.Time // of the answer
	wait time.Duration
}

// samples are those of many goroutines.
type samples struct {
	mu  sync.Mutex
	all []sample
	err error
}

func (s *samples) add(list []sample, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, list...)
	if s.err == nil {
		s.err = err
	}
}

// summary is what a line of output says.
type summary struct {
	n             int
	p50, p99, max time.Duration
}

// span is a time in which samples count.
type span struct{ from, to time.Time }

// during sums up what was waited for in those times, if only in part.
func (s *samples) during(spans ...span) summary {
	var waits []time.Duration
	for _, x := range s.all {
		if slices.ContainsFunc(spans, func(in span) bool {
			return x.at.After(in.from) && x.at.Add(-x.wait).Before(in.to)
		}) {
			waits = append(waits, x.wait)
		}
	}
	slices.Sort(waits)
	n := len(waits)
	if n == 0 {
		return summary{}
	}
	return summary{n, waits[n/2], waits[min(n-1, n*99/100)], waits[n-1]}
}

func (s summary) String() string {
	r := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }
	return fmt.Sprintf("p50 %s, p99 %s, max %s, %d samples", r(s.p50), r(s.p99), r(s.max), s.n)
}

// report prints the measurement and, in a long run, asserts its limit; 0 is
// none.
func report(t testing.TB, what string, s summary, p99 time.Duration) {
	t.Helper()
	say(t, "%s: %s", what, s)
	if !long {
		return // a small burst may be over before anybody asks
	}
	require.NotZero(t, s.n, "%s: nothing was measured", what)
	if p99 > 0 {
		require.Less(t, s.p99, p99, what)
	}
}

// say prints a line without a source position.
func say(t testing.TB, format string, args ...any) {
	fmt.Fprintf(t.Output(), format+"\n", args...)
}
