package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serveEnv makes the test binary the server: what is tested is a process of
// its own, with the race detector if the tests have it.
const serveEnv = "WSECHO_TEST_SERVE"

var serverFlag = flag.String("server", "",
	"`HOST:PORT` of a server to test instead of this one")

// target is the address of the server under test.
var target string

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		main()
		return
	}
	flag.Parse()
	if target = *serverFlag; target != "" {
		os.Exit(m.Run())
	}
	cmd, addr, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot start the server:", err)
		os.Exit(1)
	}
	target = addr
	code := m.Run()
	if err := stopServer(cmd); err != nil {
		fmt.Fprintln(os.Stderr, "the server did not end well:", err)
		code = 1
	}
	os.Exit(code)
}

// startServer runs the server on a free port and returns its address.
func startServer() (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, "-listen", "127.0.0.1:0", "-loops", "2")
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err = cmd.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		return nil, "", fmt.Errorf("first line %q: %w", line, err)
	}
	_, addr, _ := strings.Cut(strings.TrimSpace(line), "ws://")
	return cmd, strings.TrimSuffix(addr, "/"), nil
}

// stopServer asks the server to end and waits; its exit code must be 0.
func stopServer(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return cmd.Wait()
}

func TestGracefulShutdown(t *testing.T) {
	t.Parallel()
	if *serverFlag != "" {
		t.Skip("a server of somebody else is not stopped")
	}
	cmd, addr, err := startServer()
	require.NoError(t, err)
	s := connect(t, addr)
	s.write(text("here?").wire())
	s.expect(text("here?"))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	s.expectClose(1001)
	s.write(closing(1001, "").wire())
	s.expectEOF()
	require.NoError(t, cmd.Wait())
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	var out bytes.Buffer
	err = run(context.Background(), []string{"-listen", ln.Addr().String()}, &out, io.Discard)
	require.ErrorContains(t, err, ln.Addr().String())
	require.Empty(t, out.String())
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-listen", "nowhere"}, {"x"}, {"-loops", "-1"}, {"-y"}} {
		require.Error(t, run(context.Background(), args, io.Discard, io.Discard), "%q", args)
	}
	require.ErrorIs(t, run(context.Background(), []string{"-h"}, io.Discard, io.Discard),
		flag.ErrHelp)
}

func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + target + "/")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusUpgradeRequired, res.StatusCode)
	require.Equal(t, "websocket", res.Header.Get("Upgrade"))
}
