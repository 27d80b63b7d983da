package netpoll

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// handoverServer accepts on a port, reads what comes first and hands the
// connection over, as a loop does.
type handoverServer struct {
	*handover
	ln net.Listener
}

func startHandover(t *testing.T, handler http.Handler) *handoverServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &handoverServer{
		handover: newHandover(handler, slog.New(slog.DiscardHandler), ln.Addr()),
		ln:       ln,
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepting.Go(func() { s.pass(t, c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		accepting.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.shutdown(ctx)
		require.Zero(t, s.conns(), "a connection stayed open")
	})
	return s
}

func (s *handoverServer) pass(t *testing.T, c *net.TCPConn) {
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		_ = c.Close()
		return
	}
	s.give(dupFD(t, c), buf[:n])
	// The buffer is the loop's: it is overwritten at once.
	clear(buf)
	_ = c.Close()
}

func dupFD(t *testing.T, c *net.TCPConn) int {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Error(err)
		return -1
	}
	fd := -1
	err = errors.Join(raw.Control(func(s uintptr) {
		fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	}), err)
	if err != nil {
		t.Error(err)
	}
	return fd
}

// handoverClient is a raw connection with a reader that keeps what is pipelined.
type handoverClient struct {
	*net.TCPConn
	br *bufio.Reader
}

func (s *handoverServer) dial(t *testing.T) *handoverClient {
	t.Helper()
	c, err := net.Dial("tcp", s.ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return &handoverClient{c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *handoverClient) send(t *testing.T, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(c, format, args...)
	require.NoError(t, err)
}

// answer reads one response whole.
func (c *handoverClient) answer(t *testing.T) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(c.br, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func echoBody(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
}

func TestHandoverKeepAliveAndPipelining(t *testing.T) {
	t.Parallel()
	s := startHandover(t, http.HandlerFunc(echoBody))
	c := s.dial(t)
	// Three at once: what was read with the first is not lost.
	c.send(t, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"+
		"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+
		"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"GET /1 ", "POST /2 abc", "GET /3 "} {
		_, body := c.answer(t)
		require.Equal(t, want, body)
	}
	c.send(t, "GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	_, body := c.answer(t)
	require.Equal(t, "GET /4 ", body)
	_, err := c.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Eventually(t, func() bool { return s.conns() == 0 }, 5*time.Second, time.Millisecond)
}

func TestHandoverRemoteAddr(t *testing.T) {
	t.Parallel()
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprint(w, r.RemoteAddr, " ", local)
	}))
	c := s.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	_, body := c.answer(t)
	require.Equal(t, fmt.Sprint(c.LocalAddr(), " ", c.RemoteAddr()), body)
}

func TestHandoverChunkedUploadInPieces(t *testing.T) {
	t.Parallel()
	s := startHandover(t, http.HandlerFunc(echoBody))
	c := s.dial(t)
	c.send(t, "POST /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na")
	c.send(t, "bc\r\n2\r\nde\r\n")
	c.send(t, "0\r\n\r\n")
	_, body := c.answer(t)
	require.Equal(t, "POST /u abcde", body)
}

func TestHandoverLargeUpload(t *testing.T) {
	t.Parallel()
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}))
	c := s.dial(t)
	const size = 3 << 20
	c.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
	_, err := c.Write(make([]byte, size))
	require.NoError(t, err)
	_, body := c.answer(t)
	require.Equal(t, fmt.Sprint(size, nil), body)
}

func TestHandoverExpectContinue(t *testing.T) {
	t.Parallel()
	s := startHandover(t, http.HandlerFunc(echoBody))
	c := s.dial(t)
	c.send(t, "PUT /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	line, err := c.br.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = c.br.ReadString('\n')
	require.NoError(t, err)
	c.send(t, "ok")
	_, body := c.answer(t)
	require.Equal(t, "PUT /e ok", body)
}

func TestHandoverStreaming(t *testing.T) {
	t.Parallel()
	step := make(chan struct{})
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "part %d\n", i)
			_ = http.NewResponseController(w).Flush()
			<-step
		}
	}))
	c := s.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(c.br, nil)
	require.NoError(t, err)
	lines := bufio.NewReader(res.Body)
	for i := range 3 {
		// Each part is here before the handler writes the next one.
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("part %d\n", i), line)
		step <- struct{}{}
	}
	_, err = lines.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestHandoverServesFiles goes the way of sendfile: io.ReaderFrom of the
// connection.
func TestHandoverServesFiles(t *testing.T) {
	t.Parallel()
	name := t.TempDir() + "/file.bin"
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	require.NoError(t, os.WriteFile(name, content, 0o600))
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
	}))
	c := s.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	_, body := c.answer(t)
	require.True(t, string(content) == body)
}

// TestHandoverClientGone: the request's context ends with the connection.
func TestHandoverClientGone(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}), make(chan struct{})
	s := startHandover(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	}))
	c := s.dial(t)
	c.send(t, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	require.NoError(t, c.Close())
	<-ended
}

// hijackEcho takes the connection over and echoes through io.Copy, which
// prefers WriteTo and ReadFrom.
func hijackEcho(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n" +
			"Connection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		early, _ := rw.Reader.Peek(rw.Reader.Buffered())
		if _, err = c.Write(early); err == nil {
			_, _ = io.Copy(c, c)
		}
		if cw, ok := c.(interface{ CloseWrite() error }); ok {
			_ = cw.CloseWrite()
		} else {
			t.Errorf("%T has no CloseWrite", c)
		}
	})
}

func TestHandoverHijack(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]int{
		"nothing behind the head":           0,
		"little behind the head":            10,
		"more than net/http reads at once":  3900,
		"more than the first read, in fact": 9000,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startHandover(t, hijackEcho(t))
			c := s.dial(t)
			first := strings.Repeat("e", early)
			c.send(t, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"+
				"Upgrade: echo\r\n\r\n%s", first)
			res, err := http.ReadResponse(c.br, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
			c.send(t, "later")
			require.Equal(t, 1, s.conns(), "a hijacked connection still counts")
			require.NoError(t, c.CloseWrite())
			got, err := io.ReadAll(c.br)
			require.NoError(t, err)
			require.Equal(t, first+"later", string(got))
		})
	}
}

// TestReplayConn reads prefix and socket through each way of reading.
func TestReplayConn(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(c net.Conn) ([]byte, error){
		"Read": func(c net.Conn) ([]byte, error) {
			return io.ReadAll(struct{ io.Reader }{c})
		},
		"WriteTo": func(c net.Conn) ([]byte, error) {
			var b bytes.Buffer
			_, err := io.Copy(&b, c)
			return b.Bytes(), err
		},
		"Read, then WriteTo": func(c net.Conn) ([]byte, error) {
			first := make([]byte, 3)
			n, err := c.Read(first)
			if err != nil {
				return nil, err
			}
			b := bytes.NewBuffer(first[:n])
			_, err = io.Copy(b, c)
			return b.Bytes(), err
		},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" "+network, func(t *testing.T) {
				t.Parallel()
				addr := "127.0.0.1:0"
				if network == "unix" {
					addr = t.TempDir() + "/s"
				}
				ln, err := net.Listen(network, addr)
				require.NoError(t, err)
				defer ln.Close()
				go func() {
					c, err := net.Dial(network, ln.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.WriteString(c, " behind")
					_ = c.Close()
				}()
				c, err := ln.Accept()
				require.NoError(t, err)
				h := &handover{open: map[net.Conn]struct{}{}}
				rc := h.wrap(c, []byte("before"))
				got, err := read(rc)
				require.NoError(t, err)
				require.Equal(t, "before behind", string(got))
				require.NoError(t, rc.Close())
				require.Error(t, rc.Close())
			})
		}
	}
}
