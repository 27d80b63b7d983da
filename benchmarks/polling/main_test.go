package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// contract is a server with the event that the load uses.
func contract(t *testing.T) string {
	srv, err := socketio.NewServer(socketio.Options{
		Addr: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	srv.On("echo", func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit("echo", e.Raw()...) })
	require.NoError(t, srv.Start())
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv.Addr().String()
}

func TestIdle(t *testing.T) {
	t.Parallel()
	o := &options{sessions: 200, dialers: 4, settle: 10 * time.Millisecond}
	_, err := measureIdle(os.Getpid(), contract(t), o)
	require.NoError(t, err)
}

func TestEcho(t *testing.T) {
	t.Parallel()
	o := &options{active: 4, warm: 20 * time.Millisecond, dur: 200 * time.Millisecond}
	rate, perCore, err := measureEcho(os.Getpid(), contract(t), o)
	require.NoError(t, err)
	require.Greater(t, rate, 20.0)
	require.Greater(t, perCore, 20.0)
}

// A server that answers something else is not measured.
func TestUnexpectedAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"status":    "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nok",
		"body":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
		"too large": "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
		"negative":  "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
		"no length": "HTTP/1.1 200 OK\r\n\r\n",
		"nothing":   "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := net.Pipe()
			go func() {
				_, _ = far.Read(make([]byte, 1024))
				_, _ = io.WriteString(far, answer)
				_ = far.Close()
			}()
			w := newWire(near)
			require.Error(t, expect(w, getRequest("/"), "ok"))
		})
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	n, err := resident(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, n, 1<<20)
	end := time.Now().Add(50 * time.Millisecond)
	for time.Now().Before(end) { // use some time
	}
	d, err := busy(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, d)
	_, err = busy(-1)
	require.Error(t, err)
	_, err = resident(-1)
	require.Error(t, err)
}
