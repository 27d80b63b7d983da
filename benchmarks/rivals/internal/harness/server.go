package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// startTime bounds how long a server may take until it listens.
const startTime = 20 * time.Second

// Server is a process under test.
type Server struct {
	PID  int
	Addr string
	cmd  *exec.Cmd
	done chan struct{}
}

// FreeAddr returns an address on host that nobody listens on. Hosts of
// 127.0.0.0/8 other than 127.0.0.1 keep outgoing connections off the port.
func FreeAddr(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Start runs a command on the given processors (a list for taskset, "" for
// all) and waits until it takes connections on addr. In the command {addr},
// {host} and {port} stand for where to listen.
func Start(cpus, addr string, env, command []string) (*Server, error) {
	return start(cpus, addr, env, command, func(*tail) bool {
		probe, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = probe.Close()
		}
		return err == nil
	})
}

// StartSharing is Start for one of several servers on the same address: it
// waits until this one says that it is "listening on" it.
func StartSharing(cpus, addr string, env, command []string) (*Server, error) {
	return start(cpus, addr, env, command, func(said *tail) bool {
		return strings.Contains(said.String(), "listening on")
	})
}

func start(cpus, addr string, env, command []string, ready func(said *tail) bool) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("{addr}", addr, "{host}", host, "{port}", port)
	var args []string
	if cpus != "" {
		args = []string{"taskset", "-c", cpus}
	}
	for _, a := range command {
		args = append(args, fill.Replace(a))
	}
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), env...)
	said := new(tail)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		return nil, err
	}
	track(c.Process)
	s := &Server{PID: c.Process.Pid, Addr: addr, cmd: c, done: make(chan struct{})}
	go func() {
		_ = c.Wait()
		untrack(c.Process)
		close(s.done)
	}()
	for until := time.Now().Add(startTime); time.Now().Before(until); {
		if s.Ended() {
			return nil, fmt.Errorf("%q ended at once\n%s", strings.Join(args, " "), said)
		}
		if ready(said) {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Stop()
	return nil, fmt.Errorf("%q does not listen on %s\n%s", strings.Join(args, " "), addr, said)
}

// Ended tells whether the process has gone.
func (s *Server) Ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Stop kills the process and waits for its end.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// tail keeps the last words of a process, which nobody wants to read while all
// is well.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailSize; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
