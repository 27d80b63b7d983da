package application

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/app"
	"github.com/throng-server/throng/socketio"
)

// The test binary plays three parts; the environment says which one.
const (
	partVar    = "THRONG_APP_PART"
	urlVar     = "THRONG_APP_URL"
	limitVar   = "THRONG_APP_LIMIT" // requests at a time
	timeoutVar = "THRONG_APP_TIMEOUT"
	profileVar = "THRONG_APP_PROFILE"
)

var secret = []byte("a secret of the benchmarks")

func TestMain(m *testing.M) {
	var err error
	switch part := os.Getenv(partVar); part {
	case "":
		os.Exit(m.Run())
	case "endpoint":
		err = beEndpoint()
	case "server":
		err = beServer()
	default:
		err = fmt.Errorf("no part %q", part)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "application:", err)
		os.Exit(1)
	}
}

// answer is what the endpoint says to every call but connects.
const answer = `{"do":[{"ack":["ok"]}]}`

// rooms are what the endpoint spreads sockets over.
const rooms = 100

// beEndpoint answers at once. Below /batch it takes several calls in a
// request.
func beEndpoint() error {
	var connects atomic.Int64
	serve := func(w http.ResponseWriter, r *http.Request, list bool) {
		body, err := io.ReadAll(r.Body)
		want := app.Sign(secret, r.Header.Get(app.HeaderTimestamp), body)
		if err != nil || !hmac.Equal([]byte(want), []byte(r.Header.Get(app.HeaderSignature))) {
			http.Error(w, "signature", http.StatusUnauthorized)
			return
		}
		if bytes.HasPrefix(body, []byte(`{"type":"connect"`)) {
			_, _ = fmt.Fprintf(w, `{"do":[{"join":"r%d"}]}`, connects.Add(1)%rooms)
			return
		}
		if !list || body[0] != '[' {
			_, _ = io.WriteString(w, answer)
			return
		}
		// Each call has its id once: that is count enough for a benchmark.
		n := bytes.Count(body, []byte(`{"type":`))
		_, _ = io.WriteString(w, "["+strings.Repeat(answer+",", n-1)+answer+"]")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/one", func(w http.ResponseWriter, r *http.Request) { serve(w, r, false) })
	mux.HandleFunc("/batch", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(app.HeaderBatch, "100")
		serve(w, r, true)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go func() { _ = http.Serve(ln, mux) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// beServer is throng as the binary is, with an application.
func beServer() error {
	socketio.TuneProcessors(0)
	socketio.TuneMemory()
	limit, err := strconv.Atoi(os.Getenv(limitVar))
	if err != nil {
		return err
	}
	timeout, err := time.ParseDuration(os.Getenv(timeoutVar))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	a, err := app.New(app.Options{URL: os.Getenv(urlVar), Secret: secret, MaxRequests: limit,
		Timeout: timeout, Logger: log})
	if err != nil {
		return err
	}
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Logger: log})
	if err != nil {
		return err
	}
	a.Mount(srv.Of("/"))
	// What has nothing to do with the application.
	own := srv.Of("/own")
	own.On("echo", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack() })
	socketio.On(own, "push", func(_ *socketio.Socket, room string) error {
		return srv.To(room).Emit("push")
	})
	own.On("all", func(*socketio.Socket, *socketio.Event) { _ = srv.Emit("all") })
	if err := srv.Start(); err != nil {
		return err
	}
	fmt.Println(srv.Addr())
	if path := os.Getenv(profileVar); path != "" {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(os.Stdout).Encode(figures{a.Stats(), m.NumGC, m.Sys - m.HeapReleased,
			srv.Stats().Workers, runtime.NumGoroutine()})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return srv.Shutdown(ctx)
}

// figures are those of the server.
type figures struct {
	app.Stats
	Collections uint32
	Memory      uint64 // of the process, in bytes
	Workers     int
	Goroutines  int
}

// child is a process of this binary that plays a part; it ends with its
// standard input.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func start(t testing.TB, part string, env ...string) *child {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	c := &child{t: t, cmd: exec.Command(path)}
	c.cmd.Env = append(append(os.Environ(), partVar+"="+part), env...)
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.out = bufio.NewReader(out)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.in.Close()
		kill := time.AfterFunc(15*time.Second, func() { _ = c.cmd.Process.Kill() })
		defer kill.Stop()
		_ = c.cmd.Wait()
	})
	c.addr = strings.TrimSpace(c.line())
	return c
}

func (c *child) line() string {
	c.t.Helper()
	s, err := c.out.ReadString('\n')
	require.NoError(c.t, err)
	return s
}

func (c *child) stats() (s figures) {
	c.t.Helper()
	_, err := io.WriteString(c.in, "\n")
	require.NoError(c.t, err)
	require.NoError(c.t, json.Unmarshal([]byte(c.line()), &s))
	return s
}

// cpu is the processor time of the process so far, in ticks of USER_HZ.
func (c *child) cpu() time.Duration {
	c.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	require.NoError(c.t, err)
	// The fields after the name, which is in parentheses; see proc_pid_stat(5).
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int
	for _, s := range f[11:13] {
		n, err := strconv.Atoi(s)
		require.NoError(c.t, err)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// ownCPU is the processor time of this process, the clients.
func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
