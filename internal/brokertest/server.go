package brokertest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is the server, in Debian's package of the same name.
const program = "valkey-server"

// Server is a valkey-server with a directory of its own. The methods are for
// one goroutine at a time.
type Server struct {
	// Addr is host:port, the same after a restart.
	Addr string

	t    testing.TB
	dir  string
	args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

// Start starts a server on a free port of 127.0.0.1, which ends with the test;
// args are further settings as on the command line, such as "--appendonly",
// "yes". Without valkey-server the test fails, or is skipped with -short.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if testing.Short() {
			t.Skip(program + " is not installed")
		}
		t.Fatal(program + " is not installed; apt-get install " + program)
	}
	s := &Server{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			if b, err := os.ReadFile(filepath.Join(s.dir, "log")); err == nil {
				t.Logf("end of the log of %s:\n%s", s.Addr, lastLines(string(b), 25))
			}
		}
	})
	// Another process may take a free port before the server does.
	var err error
	for range 5 {
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
		if err = s.run(); err == nil {
			return s
		}
	}
	require.NoError(t, err)
	return nil
}

// Always are the arguments for a server that has every write on disk before
// it answers.
func Always() []string { return []string{"--appendonly", "yes", "--appendfsync", "always"} }

// URL is the address as the options of transports take it.
func (s *Server) URL() string { return "valkey://" + s.Addr }

// Port of the server.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Stop ends the server as systemd does; what it is told to keep it keeps.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Restart starts the stopped server on its port with its files.
func (s *Server) Restart() {
	s.t.Helper()
	require.NoError(s.t, s.run())
}

// RestartEmpty starts the stopped server on its port without its files.
func (s *Server) RestartEmpty() {
	s.t.Helper()
	files, err := os.ReadDir(s.dir)
	require.NoError(s.t, err)
	for _, f := range files {
		require.NoError(s.t, os.RemoveAll(filepath.Join(s.dir, f.Name())))
	}
	s.Restart()
}

// Freeze stops the process where it is (SIGSTOP): connections stay, nothing is
// answered. Thaw continues it.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw continues a frozen server.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// Do runs one command and returns the first line of the answer; an error
// answer fails the test.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	line, err := s.do(args...)
	require.NoError(s.t, err, "%v", args)
	return line
}

func (s *Server) do(args ...string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.Write([]byte(b.String())); err != nil {
		return "", err
	}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch line[0] {
	case '-':
		return "", errors.New(line[1:])
	case '+', ':':
		return line[1:], nil
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return "", err
		}
		buf := make([]byte, n)
		for have := 0; have < n; {
			k, err := r.Read(buf[have:])
			if err != nil {
				return "", err
			}
			have += k
		}
		return string(buf), nil
	}
	return line, nil
}

func (s *Server) run() error {
	args := append([]string{"--bind", "127.0.0.1", "--port", s.Port(), "--dir", s.dir,
		"--logfile", "log", "--save", "", "--daemonize", "no"}, s.args...)
	cmd := exec.Command(program, args...)
	// The server must not outlive a test that is killed. The kernel watches the
	// thread that started it: it stays.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, gone := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		close(gone)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.mu.Lock()
	s.cmd, s.gone = cmd, gone
	s.mu.Unlock()
	ours := fmt.Sprintf("\nprocess_id:%d\r\n", cmd.Process.Pid)
	deadline := time.After(10 * time.Second)
	for {
		// That of another test may have taken the port, and answer; and one that
		// still reads its files answers INFO, but nothing that asks for a key.
		if info, err := s.do("INFO", "server"); err == nil && strings.Contains(info, ours) {
			if _, err = s.do("EXISTS", "any"); err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
				return nil
			}
		}
		select {
		case <-gone:
			return fmt.Errorf("%s on %s ended; its log is in %s", program, s.Addr, s.dir)
		case <-deadline:
			s.Kill()
			return fmt.Errorf("%s on %s does not answer", program, s.Addr)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		s.cmd.Process.Signal(sig)
	}
}

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	cmd, gone := s.cmd, s.gone
	s.cmd = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	cmd.Process.Signal(sig)
	cmd.Process.Signal(syscall.SIGCONT) // should it be frozen
	<-gone
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
