package netpoll

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// answers splits what a client received into responses to methods.
func answers(t *testing.T, b []byte, methods ...string) (all []*http.Response, bodies []string) {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(b))
	for _, m := range methods {
		resp, err := http.ReadResponse(br, &http.Request{Method: m})
		require.NoError(t, err, "%q", b)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		all, bodies = append(all, resp), append(bodies, string(body))
	}
	rest, _ := io.ReadAll(br)
	require.Empty(t, rest, "behind the responses")
	return all, bodies
}

// finFrom tells whether the server has ended its side.
func finFrom(f *fakeLink) bool {
	var b [1]byte
	n, err := readOnce(f.far, b[:])
	return n == 0 && err == nil
}

// tick lets the clock of a rig stand at n.
func (r *rig) tick(n uint32) {
	r.l.ticks.Store(n)
	r.turns()
}

func TestHeadTooLarge(t *testing.T) {
	const limit = 1024
	line := "GET /" + strings.Repeat("x", limit-200) + " HTTP/1.1\r\nHost: a\r\n"
	exact := line + "X: " + strings.Repeat("y", limit-len(line)-7) + "\r\n\r\n"
	require.Len(t, exact, limit)
	for name, c := range map[string]struct {
		in   []string
		want int
	}{
		"exactly":            {[]string{exact}, 200},
		"exactly, cut":       {[]string{exact[:100], exact[100:900], exact[900:]}, 200},
		"one more":           {[]string{strings.Replace(exact, "y", "yy", 1)}, 431},
		"one more, cut":      {[]string{exact[:500], "y" + exact[500:]}, 431},
		"never complete":     {[]string{exact[:limit-4] + "yyyyy"}, 431},
		"no line end at all": {[]string{strings.Repeat("z", limit), "z"}, 431},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{MaxHeadBytes: limit}, &echoHandler{})
			p, f := r.open()
			for _, in := range c.in {
				p.traffic([]byte(in))
			}
			r.turns()
			got, _ := answers(t, f.read(), "GET")
			require.Equal(t, c.want, got[0].StatusCode)
			if c.want == 431 {
				require.True(t, got[0].Close)
				require.True(t, finFrom(f))
				require.Equal(t, uint64(1), r.s.Stats().Drops["http_refused"])
				require.Nil(t, p.in)
			}
		})
	}
}

func TestHeadTimeout(t *testing.T) {
	var why error
	h := &echoHandler{closed: func(_ *echoPeer, err error) { why = err }}
	r := newRig(t, Options{}, h)
	head := uint32(DefaultHeadTimeout / tickLength)

	silent, sf := r.open()
	r.tick(head - 1)
	require.True(t, silent.Alive())
	r.tick(head)
	require.True(t, sf.closed, "nothing was asked, nothing is answered")
	require.Empty(t, sf.read())
	require.ErrorIs(t, why, ErrTimeout)
	require.Equal(t, uint64(1), r.s.Stats().Drops["no_request"])

	// What the loop has not read yet is not the client's fault.
	early, ef := r.open()
	_, err := unix.Write(ef.far, []byte("GET /p HTTP/1.1\r\nHost: a\r\n\r\n"))
	require.NoError(t, err)
	r.tick(2 * head)
	require.True(t, early.Alive())
	buf := make([]byte, 100)
	n, err := unix.Read(ef.fd, buf)
	require.NoError(t, err)
	early.traffic(buf[:n])
	r.turns()
	got, _ := answers(t, ef.read(), "GET")
	require.Equal(t, 200, got[0].StatusCode)
	early.Abort(nil)

	// Bytes that trickle in win no time.
	slow, f := r.open()
	for i := range head - 1 {
		slow.traffic([]byte("GET / HTTP/1.1\r\nHost: example.com\r\n"[i%30 : i%30+1]))
		r.tick(2*head + i + 1)
	}
	require.True(t, slow.Alive())
	r.tick(3 * head)
	got, _ = answers(t, f.read(), "GET")
	require.Equal(t, 408, got[0].StatusCode)
	require.True(t, finFrom(f))
	require.ErrorIs(t, why, ErrHTTPDone)
	r.tick(3*head + uint32(DefaultCloseTimeout/tickLength))
	require.True(t, f.closed, "it does not wait for the peer for ever")
	r.requireEmpty()
}

func TestKeepAliveTimeout(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	keep, head := uint32(DefaultKeepAliveTimeout/tickLength), uint32(DefaultHeadTimeout/tickLength)
	request := []byte("GET /p HTTP/1.1\r\nHost: a\r\n\r\n")
	idle, f := r.open()
	idle.traffic(bytes.Clone(request))
	r.tick(keep - 1)
	require.True(t, idle.Alive())
	idle.traffic(bytes.Clone(request))
	r.tick(keep)
	require.True(t, idle.Alive(), "the second request begins it anew")
	_, bodies := answers(t, f.read(), "GET", "GET")
	require.Equal(t, []string{"/p", "/p"}, bodies)
	r.tick(2*keep - 1)
	require.True(t, f.closed)
	require.Empty(t, f.read())
	require.Zero(t, r.s.Stats().Drops["no_request"], "it has asked before")

	// The first byte of a later request begins the head's time.
	half, f := r.open()
	half.traffic(bytes.Clone(request))
	r.turns()
	f.read()
	half.traffic(request[:5])
	r.tick(2*keep - 1 + head)
	got, _ := answers(t, f.read(), "GET")
	require.Equal(t, 408, got[0].StatusCode)
}

func TestPipeliningMixed(t *testing.T) {
	const in = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n" +
		"HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n" +
		"\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n" +
		"GET /d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" +
		"GET /never HTTP/1.1\r\nHost: a\r\n\r\n"
	for cut := 1; cut < len(in); cut += 7 {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.open()
		p.traffic([]byte(in[:cut]))
		p.traffic([]byte(in[cut:]))
		r.turns()
		got, bodies := answers(t, f.read(), "GET", "HEAD", "GET", "GET")
		require.Equal(t, []string{"/a", "", "/c", "/d"}, bodies)
		require.Equal(t, int64(2), got[1].ContentLength, "HEAD tells the length")
		require.True(t, got[3].Close)
		require.True(t, finFrom(f))
		require.Equal(t, uint64(4), r.s.Stats().Requests)
	}
	t.Run("upgrade at the end", func(t *testing.T) {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.open()
		p.traffic([]byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + goodUpgrade +
			string(clientFrame(ws.OpText, true, []byte("hi")))))
		r.turns()
		out := f.read()
		require.Contains(t, string(out), "/aHTTP/1.1 101 Switching")
		require.True(t, bytes.HasSuffix(out, []byte("\x81\x02hi")))
	})
}

func TestHTTP10(t *testing.T) {
	for _, c := range []struct {
		field string
		keep  bool
		says  string
	}{{"", false, ""}, {"Connection: keep-alive\r\n", true, "keep-alive"}} {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.open()
		p.traffic([]byte("GET /old HTTP/1.0\r\n" + c.field + "\r\n"))
		r.turns()
		got, bodies := answers(t, f.read(), "GET")
		require.Equal(t, "/old", bodies[0])
		require.Equal(t, c.says, got[0].Header.Get("Connection"))
		require.Equal(t, !c.keep, got[0].Close)
		require.Equal(t, c.keep, p.Alive())
		require.Equal(t, !c.keep, finFrom(f))
	}
}

// When descriptors run short an answered connection is let go.
func TestCrowdedServerClosesKeepAlive(t *testing.T) {
	for crowded, last := range map[bool]bool{false: false, true: true} {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.open()
		if crowded {
			r.s.fdCap = f.fd + 1
		}
		p.traffic([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		r.turns()
		got, _ := answers(t, f.read(), "GET")
		require.Equal(t, last, got[0].Close)
		require.Equal(t, last, finFrom(f))
	}
}

// The answer to a request whose body nobody wants arrives; closing with the
// body unread would reset the connection and could destroy it.
func TestUnwantedBodyDoesNotResetTheAnswer(t *testing.T) {
	s := startEcho(t, Options{Loops: 1}, &echoHandler{})
	for _, head := range []string{"Content-Length: 3000000\r\n", "Transfer-Encoding: chunked\r\n"} {
		c, err := net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err = fmt.Fprintf(c, "POST /page HTTP/1.1\r\nHost: a\r\n%s\r\n", head)
		require.NoError(t, err)
		for range 30 {
			_, err = c.Write(make([]byte, 100_000))
			require.NoError(t, err)
		}
		all, err := io.ReadAll(c)
		require.NoError(t, err, "no reset")
		got, bodies := answers(t, all, "POST")
		require.Equal(t, "/page", bodies[0])
		require.True(t, got[0].Close)
		_ = c.Close()
	}
	eventually(t, "all to close", func() bool { return s.Stats().Conns == 0 })
}

// What the loops do not answer has all of net/http.
func TestHandoverThroughTheServer(t *testing.T) {
	mux := http.NewServeMux()
	step := make(chan struct{})
	mux.HandleFunc("/std/stream", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "part %d\n", i)
			_ = http.NewResponseController(w).Flush()
			<-step
		}
	})
	mux.HandleFunc("/std/upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%v %d %v", r.TransferEncoding, n, err)
	})
	mux.HandleFunc("/std/hijack", func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		line, _ := rw.ReadString('\n')
		fmt.Fprintf(c, "you said %s", line)
	})
	s := startEcho(t, Options{Loops: 1, HTTP: mux}, &echoHandler{})
	open := func(t *testing.T) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		return c, bufio.NewReader(c)
	}
	t.Run("stream", func(t *testing.T) {
		c, br := open(t)
		_, _ = io.WriteString(c, "GET /std/stream HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		body := bufio.NewReader(resp.Body)
		for i := range 3 {
			line, err := body.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("part %d\n", i), line)
			step <- struct{}{}
		}
	})
	t.Run("chunked upload, then the same connection again", func(t *testing.T) {
		c, br := open(t)
		for range 2 {
			// The head comes in two pieces; the second has part of the body.
			_, _ = io.WriteString(c, "POST /std/upload HTTP/1.1\r\nHost: a\r\nTransfer-En")
			_, _ = io.WriteString(c, "coding: chunked\r\n\r\n5\r\nhello\r\n")
			for range 50 {
				fmt.Fprintf(c, "%x\r\n%s\r\n", 20_000, make([]byte, 20_000))
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
			resp, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			b, _ := io.ReadAll(resp.Body)
			require.Equal(t, "[chunked] 1000005 <nil>", string(b))
		}
	})
	t.Run("hijack", func(t *testing.T) {
		c, br := open(t)
		_, _ = io.WriteString(c, "GET /std/hijack HTTP/1.1\r\nHost: a\r\n\r\nhello\n")
		b, err := io.ReadAll(br)
		require.NoError(t, err)
		require.Equal(t, "you said hello\n", string(b))
	})
	require.Equal(t, uint64(3), s.Stats().Handed)
	eventually(t, "the loops to be rid of them", func() bool { return s.Stats().Conns == 0 })
}

// Without a net/http handler there is nobody to hand over to.
func TestHandoverToNobody(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	p, f := r.open()
	p.traffic([]byte("GET /std HTTP/1.1\r\nHost: a\r\n\r\n"))
	r.turns()
	got, _ := answers(t, f.read(), "GET")
	require.Equal(t, 404, got[0].StatusCode)
	require.True(t, p.Alive())
}
