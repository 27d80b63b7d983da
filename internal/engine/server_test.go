package engine

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
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/logtest"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/eio"
)

const patience = 10 * time.Second

// echo is an Upper that sends messages back and tells how it ended.
type echo struct {
	Session
	ends chan string
}

func (e *echo) Opened([]byte, bool, net.Addr) {}
func (e *echo) Deadline()                     {}
func (e *echo) Ended(reason string)           { e.ends <- reason }

func (e *echo) Packet(binary bool, p []byte, _ bool) {
	if binary {
		e.Send(netpoll.NewMsg(ws.OpBinary, p))
		return
	}
	e.Send(netpoll.NewMsg(ws.OpText, append([]byte("4"), p...)))
}

type rig struct {
	*netpoll.Server
	eng   *Server
	ends  chan string
	log   *logtest.Log
	loops int
}

func start(t *testing.T, edit func(o *Options)) *rig { return startLoops(t, 2, edit) }

func startLoops(t *testing.T, loops int, edit func(o *Options)) *rig {
	t.Helper()
	r := &rig{ends: make(chan string, 64), log: &logtest.Log{}, loops: loops}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	o := Options{
		Path: "/socket.io/", PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second,
		MaxPayload: 1_000_000, AllowTimeout: time.Second, NodeTag: 7, Logger: logger,
		Open:         func(*Loop) Upper { return &echo{ends: r.ends} },
		CompressFrom: 1024,
	}
	if edit != nil {
		edit(&o)
	}
	r.eng = New(o)
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
	var err error
	http := http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		if strings.HasPrefix(hr.URL.Path, o.Path) {
			r.eng.ServeHTTP(w, hr)
			return
		}
		mux.ServeHTTP(w, hr)
	})
	r.Server, err = netpoll.New(netpoll.Options{Addr: "127.0.0.1:0", Loops: loops, HTTP: http,
		MaxMessage: o.MaxPayload, Logger: logger}, r.eng)
	require.NoError(t, err)
	require.NoError(t, r.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = r.Shutdown(ctx)
	})
	return r
}

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// request sends a raw request and reads the response.
func (r *rig) request(t *testing.T, method, target, fields string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	if !strings.Contains(fields, "Host:") {
		fields += "Host: " + r.Addr().String() + "\r\n"
	}
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\n%s\r\n", method, target, fields)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(t, err)
	return resp
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	const ok = "/socket.io/?EIO=4&transport=websocket"
	type want struct {
		status int
		code   int
		text   string
	}
	for _, c := range []struct {
		method, target, fields string
		want                   want
	}{
		{"GET", "/socket.io/", "", want{400, 0, "Transport unknown"}},
		{"GET", "/socket.io/x.js", "", want{400, 0, "Transport unknown"}},
		{"GET", "/socket.io/?EIO=4&transport=WebSocket", "", want{400, 0, "Transport unknown"}},
		{"GET", ok + "&transport=polling&EIO=3", "", want{400, 5, "Unsupported protocol version"}},
		{"POST", ok + "&transport=polling", "Content-Length: 0\r\n",
			want{400, 2, "Bad handshake method"}},
		{"GET", ok + "&sid=unknown", "", want{400, 1, "Session ID unknown"}},
		{"POST", ok, "Content-Length: 0\r\n", want{400, 2, "Bad handshake method"}},
		{"GET", ok, "", want{400, 3, "Bad request"}},
		{"GET", ok, "Origin: http://evil\r\n",
			want{400, 3, "Origin not allowed: see cors_allowed_origins"}},
		{"GET", "/socket.io/?EIO=3&transport=websocket", upgrade,
			want{400, -1, "Unsupported protocol version"}},
		{"GET", "/socket.io/?transport=websocket", upgrade,
			want{400, -1, "Unsupported protocol version"}},
		{"GET", ok + "&sid=unknown", upgrade, want{400, -1, "Session ID unknown"}},
		{"GET", "/socket.io/?EIO=4&transport=polling", upgrade, want{400, -1, "Bad request"}},
	} {
		resp := r.request(t, c.method, c.target, c.fields)
		require.Equal(t, c.want.status, resp.StatusCode, c.target)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		if c.want.code < 0 {
			require.Equal(t, c.want.text, string(body), c.target)
			require.Equal(t, "text/html", resp.Header.Get("Content-Type"))
			require.True(t, resp.Close)
			continue
		}
		require.Equal(t, fmt.Sprintf(`{"code":%d,"message":"%s"}`, c.want.code, c.want.text),
			string(body), c.target)
		require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
	}
	m := map[string]uint64{}
	r.eng.Refusals(m)
	require.EqualValues(t, 1, m["origin"])

	for _, target := range []string{ok, ok + "&sid=", "/socket.io/foo?transport=polling&EIO=4&" +
		"transport=websocket", "/socket.io/?EIO=4&transport=web%73ocket",
		"/socket.io?EIO=4&transport=websocket"} {
		resp := r.request(t, "GET", target, upgrade+"Sec-WebSocket-Protocol: one, two\r\n")
		require.Equal(t, 101, resp.StatusCode, target)
		require.Equal(t, "one", resp.Header.Get("Sec-WebSocket-Protocol"))
	}
	for _, target := range []string{"/page", "/socket.i?EIO=4&transport=websocket",
		"/socket.iox?EIO=4&transport=websocket"} {
		resp := r.request(t, "GET", target, "")
		require.Equal(t, map[bool]int{true: 200, false: 404}[target == "/page"], resp.StatusCode)
	}
	r.eng.Drain()
	c, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", ok, upgrade)
	require.NoError(t, err)
	answer, _ := io.ReadAll(c)
	require.Empty(t, answer, "as if nobody listened")
	clear(m)
	r.eng.Refusals(m)
	require.EqualValues(t, 1, m["draining"])
}

func TestSameOrigin(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		same         bool
	}{
		{"http://a.example", "a.example", true},
		{"http://A.example", "a.EXAMPLE", true},
		{"http://a.example", "a.example:80", true},
		{"http://a.example:80", "a.example", true},
		{"https://a.example", "a.example", true},
		{"https://a.example", "a.example:443", true},
		{"https://a.example", "a.example:80", false},
		{"http://a.example", "a.example:443", false},
		{"http://a.example:5000", "a.example:5000", true},
		{"http://a.example:5001", "a.example:5000", false},
		{"http://[::1]:5000", "[::1]:5000", true},
		{"http://[::1]", "[::1]:80", true},
		{"http://b.example", "a.example", false},
		{"http://a.example.evil", "a.example", false},
		{"null", "a.example", false},
		{"null", "null", false},
		{"a.example:5000", "a.example:5000", true},
		{"a.example:5001", "a.example:5000", false},
		{"b.example", "a.example", false},
		{"", "", false},
		{"http://", "", false},
	} {
		require.Equal(t, c.same, sameOrigin([]byte(c.origin), []byte(c.host)), "%v", c)
	}
}

func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) { o.CORSAllowedOrigins = []string{"https://ok.example"} })
	const target = "/socket.io/?EIO=4&transport=websocket"
	require.Equal(t, 101, r.request(t, "GET", target, upgrade).StatusCode)
	require.Equal(t, 101,
		r.request(t, "GET", target, upgrade+"Origin: https://ok.example\r\n").StatusCode)
	require.Equal(t, 400,
		r.request(t, "GET", target, upgrade+"Origin: https://no.example\r\n").StatusCode)
	for _, part := range []string{"https://no.example", r.Addr().String(), "cors_allowed_origins"} {
		require.Contains(t, r.log.String(), part)
	}
}

func (r *rig) dial(t *testing.T) net.Conn { return r.dialAs(t, "") }

// dialAs dials with a header field X-Who.
func (r *rig) dialAs(t *testing.T, who string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Who": {who}}}
	c, br, _, err := d.Dial(ctx, "ws://"+r.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	if br != nil {
		return &buffered{Conn: c, r: br}
	}
	return c
}

type buffered struct {
	net.Conn
	r io.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

func next(t *testing.T, c net.Conn) string {
	t.Helper()
	h, err := ws.ReadHeader(c)
	require.NoError(t, err)
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(c, f.Payload)
	require.NoError(t, err)
	if f.Header.OpCode == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(f.Payload)
		if len(f.Payload) == 0 {
			code = ws.StatusNoStatusRcvd
		}
		return strings.TrimSpace(fmt.Sprint("close ", int(code), " ", reason))
	}
	return string(f.Payload)
}

func TestOpenPacketAndEcho(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := r.dial(t)
	open := next(t, c)
	require.Regexp(t, `^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\[\],"pingInterval":25000,`+
		`"pingTimeout":20000,"maxPayload":1000000\}$`, open)
	id, ok := ParseID(open[len(`0{"sid":"`):][:IDLen])
	require.True(t, ok)
	require.EqualValues(t, 7, id.Node)
	require.Less(t, int(id.Loop), 2)
	for _, text := range []string{"3", "0", "5", "6", "4hello"} {
		require.NoError(t, wsutil.WriteClientText(c, []byte(text)))
	}
	require.Equal(t, "4hello", next(t, c))
	require.NoError(t, wsutil.WriteClientText(c, []byte("bAQID")))
	require.Equal(t, "\x01\x02\x03", next(t, c))
	require.NoError(t, wsutil.WriteClientText(c, []byte("x")))
	require.Equal(t, "close 1005", next(t, c))
	require.Equal(t, ReasonParseError, <-r.ends)
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) {
		o.PingInterval, o.PingTimeout = 300*time.Millisecond, 200*time.Millisecond
	})
	c := r.dial(t)
	next(t, c)
	began := time.Now()
	for range 3 {
		require.Equal(t, "2", next(t, c))
		require.NoError(t, wsutil.WriteClientText(c, []byte("3")))
	}
	require.Greater(t, time.Since(began), 600*time.Millisecond)
	require.Equal(t, "2", next(t, c))
	require.Equal(t, "close 1005", next(t, c), "no pong")
	require.Equal(t, ReasonPingTimeout, <-r.ends)
}

// Clients that connect together are not pinged together, nor soon.
func TestFirstPingsAreSpread(t *testing.T) {
	t.Parallel()
	const interval, fifths = 250, 5
	l := &Loop{srv: &Server{beat: eio.Config{PingInterval: interval, PingTimeout: 200}}}
	var in [fifths]int
	for range 10_000 {
		var s eio.Session
		in[(s.Start(&l.srv.beat, 0, l.jitter())-1)*fifths/interval]++
	}
	require.Less(t, in[0], 100, "only the tick at its end")
	for k, n := range in[1:] {
		require.InDelta(t, 2500, n, 300, "fifth %d", k+2)
	}
	l.srv.beat.PingInterval = jitterFrom - 1
	require.Zero(t, l.jitter())
}

func TestEndsHaveReasons(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) { o.MaxPayload = 100 })
	c := r.dial(t)
	next(t, c)
	require.NoError(t, c.Close())
	require.Equal(t, ReasonTransportClose, <-r.ends)
	c = r.dial(t)
	next(t, c)
	require.NoError(t, wsutil.WriteClientText(c, bytes.Repeat([]byte("4"), 101)))
	require.Equal(t, "close 1009", next(t, c)[:10])
	require.Equal(t, ReasonTransportError, <-r.ends)
}

func TestAllowRequest(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	r := start(t, func(o *Options) {
		o.AllowTimeout = 200 * time.Millisecond
		o.AllowRequest = func(r *http.Request) error {
			switch r.Header.Get("X-Who") {
			case "friend":
				return nil
			case "slow":
				<-hold
				return nil
			case "panic":
				panic("x")
			}
			return errors.New("strangers stay out")
		}
	})
	defer close(hold)
	for who, want := range map[string]string{
		"": "strangers stay out", "panic": "a hook panicked", "slow": "no answer in time\n",
	} {
		fields := "X-Who: " + who + "\r\n"
		status := map[bool]int{true: 503, false: 400}[who == "slow"]
		resp := r.request(t, "GET", "/socket.io/?EIO=4&transport=websocket", upgrade+fields)
		require.Equal(t, status, resp.StatusCode)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(body))

		resp = r.request(t, "GET", "/socket.io/?EIO=4&transport=polling", fields)
		require.Equal(t, map[bool]int{true: 503, false: 403}[who == "slow"], resp.StatusCode)
		if body, err = io.ReadAll(resp.Body); who != "slow" {
			require.Equal(t, `{"code":4,"message":"`+want+`"}`, string(body))
		}
		require.NoError(t, err)
	}
	require.Equal(t, byte('0'), next(t, r.dialAs(t, "friend"))[0])
	resp := r.request(t, "GET", "/socket.io/?EIO=4&transport=polling", "X-Who: friend\r\n")
	require.Equal(t, 200, resp.StatusCode)
}
