package netpoll

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/logtest"
)

func TestHandoverShutdown(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			hijackEcho(t).ServeHTTP(w, r)
		case "/slow":
			close(started)
			<-release
			fallthrough
		default:
			fmt.Fprint(w, "done")
		}
	}))
	idle, hijacked, slow := s.dial(t), s.dial(t), s.dial(t)
	idle.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	idle.answer(t)
	hijacked.send(t, "GET /hijack HTTP/1.1\r\nHost: a\r\n\r\n")
	_, err := http.ReadResponse(hijacked.br, nil)
	require.NoError(t, err)
	slow.send(t, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started

	ended := make(chan error)
	go func() { ended <- s.shutdown(context.Background()) }()
	// The idle one is closed while the slow one is still at work.
	_, err = idle.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	select {
	case <-ended:
		t.Fatal("shutdown did not wait for a request in progress")
	default:
	}
	close(release)
	_, body := slow.answer(t)
	require.Equal(t, "done", body)
	require.NoError(t, <-ended)
	_, err = hijacked.br.ReadByte()
	require.Error(t, err, "the hijacked one is closed too")

	// What comes later is closed unanswered and no descriptor leaks.
	late := s.dial(t)
	late.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	_, err = late.br.ReadByte()
	require.Error(t, err)
	require.Eventually(t, func() bool { return s.conns() == 0 }, 5*time.Second, time.Millisecond)
}

func TestHandoverShutdownGivesUp(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	}))
	c := s.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.shutdown(ctx), context.DeadlineExceeded)
	_, err := c.br.ReadByte()
	require.Error(t, err)
}

func TestHandoverBadDescriptor(t *testing.T) {
	t.Parallel()
	var log logtest.Log
	h := newHandover(nil, slog.New(slog.NewTextHandler(&log, nil)), &net.TCPAddr{})
	r, w, err := os.Pipe() // no socket
	require.NoError(t, err)
	defer w.Close()
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	h.give(fd, nil)
	h.entering.Wait()
	require.Zero(t, h.conns())
	require.Contains(t, log.String(), "handed to net/http")
	_, err = w.WriteString("x")
	require.ErrorIs(t, err, unix.EPIPE, "the descriptor leaked")
	require.NoError(t, h.shutdown(context.Background()))
}

// TestHandoverLogsPanics: a panic of a handler ends its connection alone and
// shows as an error in the log.
func TestHandoverLogsPanics(t *testing.T) {
	t.Parallel()
	var log logtest.Log
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	s := &handoverServer{ln: ln, handover: newHandover(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }),
		slog.New(slog.NewTextHandler(&log, nil)), ln.Addr())}
	c := s.dial(t)
	accepted, err := ln.Accept()
	require.NoError(t, err)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	s.pass(t, accepted.(*net.TCPConn))
	_, err = c.br.ReadByte()
	require.Error(t, err)
	require.NoError(t, s.shutdown(context.Background()))
	require.Contains(t, log.String(), "oh no")
	require.Contains(t, log.String(), "level=ERROR")
}

// A request that was handed over before Shutdown is answered, however close.
func TestHandoverJustBeforeShutdown(t *testing.T) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		h := newHandover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "answer")
		}), slog.New(slog.DiscardHandler), l.Addr())
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		s, err := l.Accept()
		require.NoError(t, err)
		f, err := s.(*net.TCPConn).File()
		require.NoError(t, err)
		fd, err := unix.Dup(int(f.Fd()))
		require.NoError(t, err)
		require.NoError(t, unix.SetNonblock(fd, true))
		_ = f.Close()
		_ = s.Close()
		h.give(fd, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		require.NoError(t, h.shutdown(context.Background()))
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(b), "answer")
		_ = c.Close()
		_ = l.Close()
	}
}
