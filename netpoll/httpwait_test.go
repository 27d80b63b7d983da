package netpoll

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// lateReply is a Waiter that answers with the body, or later.
type lateReply struct {
	got   chan string // bodies and ends
	defr  bool
	conns chan *Conn
}

func (w *lateReply) Body(c *Conn, body []byte, err error) Reply {
	if err != nil {
		w.got <- err.Error()
		return Reply{Status: 413}
	}
	w.got <- string(body)
	if w.defr {
		w.conns <- c
		return Reply{Kind: Defer, Waiter: w}
	}
	return Reply{Status: 200, Body: body}
}

func (w *lateReply) Gone(_ *Conn, err error) { w.got <- "gone: " + err.Error() }

func newLate() *lateReply {
	return &lateReply{got: make(chan string, 64), conns: make(chan *Conn, 64)}
}

// handler answers /body with its body, /late when the test says so.
func (w *lateReply) handler() *echoHandler {
	return &echoHandler{request: func(c *Conn, r *Request) (Reply, bool) {
		switch string(r.Path) {
		case "/body":
			return Reply{Kind: ReadBody, Waiter: w, Limit: 100}, true
		case "/late":
			w.conns <- c
			return Reply{Kind: Defer, Waiter: w}, true
		case "/soon":
			return Reply{Kind: Defer, Waiter: w, Wait: 2}, true
		}
		return Reply{}, false
	}}
}

type httpClient struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func dialHTTP(t testing.TB, s *Server) *httpClient {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return &httpClient{Conn: c, t: t, br: bufio.NewReader(c)}
}

func (c *httpClient) send(s string) {
	c.t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(c.t, err)
}

func (c *httpClient) resp(method string) string {
	c.t.Helper()
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	require.NoError(c.t, err)
	b, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	return fmt.Sprint(r.StatusCode, " ", string(b), map[bool]string{true: " close"}[r.Close])
}

const bodyHead = "POST /body HTTP/1.1\r\nHost: x\r\n"

func TestBodies(t *testing.T) {
	t.Parallel()
	w := newLate()
	s := startEcho(t, Options{}, w.handler())
	chunked := bodyHead + "Transfer-Encoding: chunked\r\n\r\n"
	for request, want := range map[string]string{
		bodyHead + "Content-Length: 5\r\n\r\nhello": "200 hello",
		bodyHead + "\r\n":                      "200 ",
		bodyHead + "Content-Length: 0\r\n\r\n": "200 ",
		bodyHead + "Content-Length: 100\r\n\r\n" + strings.Repeat("a", 100):         "200 " + strings.Repeat("a", 100),
		bodyHead + "Content-Length: 101\r\n\r\n":                                    "413  close",
		bodyHead + "Connection: close\r\nContent-Length: 1\r\n\r\na":                "200 a close",
		chunked + "5\r\nhello\r\n0\r\n\r\n":                                         "200 hello",
		chunked + "005;a=\"b\"\r\nhello\r\nA \r\n0123456789\r\n0;x\r\nT: v\r\n\r\n": "200 hello0123456789",
		chunked + "0\r\n\r\n": "200 ",
		chunked + "64\r\n" + strings.Repeat("a", 100) + "\r\n1\r\n": "413  close",
		chunked + "fffffffff\r\n":                                   "413  close",
		chunked + "x\r\n":                                           "400 malformed chunked body\n close",
		chunked + "\r\n":                                            "400 malformed chunked body\n close",
		chunked + "5\nhello":                                        "400 malformed chunked body\n close",
		chunked + "5\r\nhelloX\r\n":                                 "400 malformed chunked body\n close",
		chunked + "5\r\nhello\n0\r\n\r\n":                           "400 malformed chunked body\n close",
		chunked + ";x\r\n":                                          "400 malformed chunked body\n close",
		chunked + "1;\x01\r\n":                                      "400 malformed chunked body\n close",
		chunked + "0\r\nT: v\n\r\n":                                 "400 malformed chunked body\n close",
		chunked + "0\r\n" + strings.Repeat("T: v\r\n", 1000):        "400 malformed chunked body\n close",
		chunked + "1;" + strings.Repeat("x", 300):                   "400 malformed chunked body\n close",
	} {
		// At once, and byte by byte.
		c := dialHTTP(t, s)
		c.send(request)
		require.Equal(t, want, c.resp("POST"), "%.80q", request)
		if !strings.HasSuffix(want, "close") {
			for i := range len(request) {
				c.send(request[i : i+1])
			}
			require.Equal(t, want, c.resp("POST"), "%.80q", request)
			c.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
			require.Equal(t, "200 /next", c.resp("GET"))
		}
		require.NoError(t, c.Close())
	}
}

func TestChunkedInAnyPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newLate()
		r := newRig(t, Options{}, w.handler())
		p, f := r.open()
		var wire, body bytes.Buffer
		wire.WriteString(bodyHead + "Transfer-Encoding: chunked\r\n\r\n")
		for range rapid.IntRange(0, 4).Draw(rt, "chunks") {
			chunk := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(rt, "chunk")
			body.Write(chunk)
			fmt.Fprintf(&wire, "%s\r\n%s\r\n", strconv.FormatInt(int64(len(chunk)), 16), chunk)
		}
		wire.WriteString("0\r\n\r\nGET /behind HTTP/1.1\r\nHost: x\r\n\r\n")
		for b := wire.Bytes(); len(b) > 0; {
			n := rapid.IntRange(1, len(b)).Draw(rt, "cut")
			p.traffic(bytes.Clone(b[:n]))
			b = b[n:]
		}
		if got := <-w.got; got != body.String() {
			rt.Fatalf("%q, expected %q", got, body.String())
		}
		r.turns()
		if out := string(f.read()); !strings.Contains(out, "/behind") {
			rt.Fatalf("%q", out)
		}
		p.Abort(nil)
	})
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	w := newLate()
	s := startEcho(t, Options{}, w.handler())
	c := dialHTTP(t, s)
	c.send(bodyHead + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	line, err := c.br.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = c.br.ReadString('\n')
	require.NoError(t, err)
	c.send("ab")
	require.Equal(t, "200 ab", c.resp("POST"))
}

func TestDeferredAnswers(t *testing.T) {
	t.Parallel()
	w := newLate()
	s := startEcho(t, Options{}, w.handler())
	answer := func(c *Conn, body string) (ok bool) {
		onLoop(t, c.Loop(), func(*Loop) { ok = c.Respond(w, &Reply{Status: 200, Body: []byte(body)}) })
		return ok
	}
	late := func(verb, fields string) string {
		return verb + " /late HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n"
	}
	c := dialHTTP(t, s)
	// What comes behind waits its turn.
	c.send(late("GET", "") + late("HEAD", "") + "GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
	conn := <-w.conns
	require.Empty(t, w.conns)
	require.True(t, answer(conn, "one"))
	require.Equal(t, "200 one", c.resp("GET"))
	<-w.conns
	require.False(t, func() (ok bool) {
		onLoop(t, conn.Loop(), func(*Loop) { ok = conn.Respond(newLate(), &Reply{Status: 200}) })
		return ok
	}(), "somebody else's request")
	require.True(t, answer(conn, "two"))
	require.Equal(t, "200 ", c.resp("HEAD"))
	require.Equal(t, "200 /now", c.resp("GET"))
	require.False(t, answer(conn, "three"), "nobody asked")

	c.send(late("GET", "Connection: close\r\n"))
	<-w.conns
	require.True(t, answer(conn, "last"))
	require.Equal(t, "200 last close", c.resp("GET"))

	// A client that goes away, one that sends too much, one nobody answers.
	c = dialHTTP(t, s)
	c.send(late("GET", ""))
	conn = <-w.conns
	require.NoError(t, c.Close())
	require.Contains(t, <-w.got, "gone: "+ErrPeerGone.Error())
	require.False(t, answer(conn, "x"))
	c = dialHTTP(t, s)
	c.send(late("GET", "") + strings.Repeat("x", DefaultMaxHeadBytes+1))
	<-w.conns
	require.Equal(t, "gone: "+ErrTooLarge.Error(), <-w.got)
	c = dialHTTP(t, s)
	c.send("GET /soon HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Equal(t, "503 no answer in time\n close", c.resp("GET"))
	require.Equal(t, "gone: "+ErrTimeout.Error(), <-w.got)

	// An upgrade that was deferred, with a frame behind it.
	c = dialHTTP(t, s)
	c.send(strings.Replace(goodUpgrade, "/ws", "/late", 1) + string(clientFrame(1, true, []byte("early"))))
	conn = <-w.conns
	onLoop(t, conn.Loop(), func(*Loop) { conn.Respond(w, &Reply{Kind: Upgrade}) })
	r, err := http.ReadResponse(c.br, nil)
	require.NoError(t, err)
	require.Equal(t, 101, r.StatusCode)
	frame := make([]byte, 7)
	_, err = io.ReadFull(c.br, frame)
	require.NoError(t, err)
	require.Equal(t, "early", string(frame[2:]))
}
