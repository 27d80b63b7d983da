package clustertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/socketio"
)

// Host is the program of a guest: it serves until in ends, having written its
// address to out.
func Host(tr cluster.Transport, in io.Reader, out io.Writer) error {
	s, err := newServer(tr, socketio.Options{MaxPendingFrames: 1 << 16, MaxPendingBytes: 64 << 20,
		MailboxBytes: 64 << 20, MailboxEvents: 1 << 20,
		// Frozen for some time it has not sent pings, nor seen the answers.
		PingInterval: time.Minute, PingTimeout: time.Minute})
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	fmt.Fprintln(out, s.Addr())
	_, _ = io.Copy(io.Discard, in)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Shutdown(ctx)
}

// Process is a guest's.
type Process struct {
	Guest
	t    testing.TB
	cmd  *exec.Cmd
	gone chan struct{}
}

// Start runs this test binary again, with env, as a guest; its main must call
// Host. It ends with the test.
func Start(t testing.TB, id string, env ...string) *Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p := &Process{t: t, cmd: cmd, gone: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel watches the thread that started it: it stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(p.gone)
	}()
	require.NoError(t, <-started)
	t.Cleanup(sync.OnceFunc(func() {
		p.Signal(syscall.SIGCONT)
		_ = in.Close()
		select {
		case <-p.gone:
		case <-time.After(patience):
			p.Signal(syscall.SIGKILL)
			<-p.gone
		}
	}))
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the guest's address")
	p.Guest = Guest{ID: id, Addr: strings.TrimSpace(line)}
	return p
}

// Signal sends a signal.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill ends the process with SIGKILL.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.gone
}
