package engine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/netpoll"
)

// poller is a client of the polling transport. Each request has a connection
// of its own, so that it lands on any loop.
type poller struct {
	t   *testing.T
	r   *rig
	sid string
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (r *rig) openPolling(t *testing.T) *poller {
	t.Helper()
	p := &poller{t: t, r: r}
	a := p.get()
	require.Equal(t, 200, a.status, a.body)
	require.Regexp(t, `^0\{"sid":"[A-Za-z0-9_-]{20}","upgrades":\["websocket"\],`+
		`"pingInterval":\d+,"pingTimeout":\d+,"maxPayload":\d+\}$`, a.body)
	require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	p.sid = a.body[len(`0{"sid":"`):][:IDLen]
	return p
}

func (p *poller) target() string {
	u := "/socket.io/?EIO=4&transport=polling"
	if p.sid != "" {
		u += "&sid=" + p.sid
	}
	return u
}

// begin sends a request and returns the connection.
func (p *poller) begin(method, fields, body string) net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.r.Addr().String())
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })
	require.NoError(p.t, c.SetDeadline(time.Now().Add(patience)))
	if method == "POST" && !strings.Contains(fields, "Transfer-Encoding") &&
		!strings.Contains(fields, "Content-Length") {
		fields += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s", method, p.target(), fields, body)
	require.NoError(p.t, err)
	return c
}

// end reads the response and closes the connection.
func end(t *testing.T, c net.Conn, method string) answer {
	t.Helper()
	defer c.Close()
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, string(body), resp.Header}
}

func (p *poller) get() answer { p.t.Helper(); return end(p.t, p.begin("GET", "", ""), "GET") }

func (p *poller) post(body string) answer {
	p.t.Helper()
	return end(p.t, p.begin("POST", "", body), "POST")
}

func (p *poller) say(body string) {
	p.t.Helper()
	require.Equal(p.t, "ok", p.post(body).body)
}

// waiting returns when the server has the client's poll.
func (r *rig) waiting(t *testing.T, p *poller) {
	t.Helper()
	r.onSession(t, p, func(s *Session) bool { return s != nil && s.side.get != nil })
}

// onSession waits until f is true for the session, on its loop.
func (r *rig) onSession(t *testing.T, p *poller, f func(s *Session) bool) {
	t.Helper()
	id, ok := ParseID(p.sid)
	require.True(t, ok)
	el := r.eng.loops[id.Loop].Load()
	require.Eventually(t, func() bool {
		got := make(chan bool, 1)
		el.Post(look(func() { got <- f(el.lookup(&id)) }))
		return <-got
	}, patience, 2*time.Millisecond)
}

type look func()

func (l look) Run(*netpoll.Loop) bool { l(); return false }

func (r *rig) gone(t *testing.T, p *poller) {
	t.Helper()
	r.onSession(t, p, func(s *Session) bool { return s == nil })
	a := p.get()
	require.Equal(t, 400, a.status)
	require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, a.body)
}

func eachLoops(t *testing.T, f func(t *testing.T, r *rig)) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n, " loops"), func(t *testing.T) {
			t.Parallel()
			f(t, startLoops(t, n, nil))
		})
	}
}

func TestPollingEcho(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 8 { // on all loops
			p := r.openPolling(t)
			a := p.post("4hello\x1ebAQIDBA==\x1e4ü")
			require.Equal(t, answer{200, "ok", a.header}, a)
			require.Equal(t, "text/html", a.header.Get("Content-Type"))
			require.Equal(t, "4hello\x1ebAQIDBA==\x1e4ü", p.get().body)

			c := p.begin("GET", "", "")
			r.waiting(t, p)
			p.say("4later")
			require.Equal(t, "4later", end(t, c, "GET").body)
		}
	})
}

func TestPollingClosedByClient(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 4 {
			p := r.openPolling(t)
			c := p.begin("GET", "", "")
			r.waiting(t, p)
			p.say("1")
			require.Equal(t, "6", end(t, c, "GET").body)
			r.gone(t, p)
			require.Equal(t, ReasonTransportClose, <-r.ends)

			// The close packet overtakes the poll.
			p = r.openPolling(t)
			p.say("1")
			require.Equal(t, "6", p.get().body)
			r.gone(t, p)
			require.Equal(t, ReasonTransportClose, <-r.ends)
		}
	})
}

func TestPollingOverlaps(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 4 {
			p := r.openPolling(t)
			first := p.begin("GET", "", "")
			r.waiting(t, p)
			a := p.get()
			require.Equal(t, 400, a.status)
			require.Empty(t, a.body)
			require.Equal(t, "1", end(t, first, "GET").body)
			r.gone(t, p)
			require.Equal(t, ReasonTransportError, <-r.ends)

			p = r.openPolling(t)
			half := p.begin("POST", "Content-Length: 10\r\n", "4ab")
			r.onSession(t, p, func(s *Session) bool { return s.side.post != nil })
			a = p.post("4x")
			require.Equal(t, 400, a.status)
			require.Empty(t, a.body)
			_, err := half.Read(make([]byte, 1))
			require.Error(t, err, "the first one's connection is destroyed")
			r.gone(t, p)
			require.Equal(t, ReasonTransportError, <-r.ends)
		}
	})
}

func TestPollingAborted(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 4 {
			p := r.openPolling(t)
			c := p.begin("GET", "", "")
			r.waiting(t, p)
			require.NoError(t, c.Close())
			require.Equal(t, ReasonTransportError, <-r.ends)
			r.gone(t, p)

			p = r.openPolling(t)
			c = p.begin("POST", "Content-Length: 10\r\n", "4ab")
			r.onSession(t, p, func(s *Session) bool { return s.side.post != nil })
			require.NoError(t, c.Close())
			require.Equal(t, ReasonTransportError, <-r.ends)
			r.gone(t, p)
		}
	})
}

func TestPollingBadPackets(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for body, reason := range map[string]string{
		"abc": ReasonParseError, "": ReasonParseError, "4a\x1e": ReasonParseError,
		"4a\x1ex\x1e4b": ReasonParseError, "b*": ReasonParseError, "2": ReasonTransportError,
	} {
		p := r.openPolling(t)
		c := p.begin("GET", "", "")
		r.waiting(t, p)
		p.say(body)
		require.Contains(t, []string{"1", "4a"}, end(t, c, "GET").body, "%q", body)
		require.Equal(t, reason, <-r.ends)
		r.gone(t, p)
	}
	p := r.openPolling(t)
	a := end(t, p.begin("POST", "Content-Type: application/octet-stream\r\n", "4a"), "POST")
	require.Equal(t, 400, a.status)
	require.Empty(t, a.body)
	require.Equal(t, ReasonTransportError, <-r.ends)
	r.gone(t, p)

	p = r.openPolling(t)
	p.say("0\x1e5\x1e6\x1e3\x1e4on")
	require.Equal(t, "4on", p.get().body, "these are ignored")
	p.say("4\xff\xfe")
	require.Equal(t, "4\uFFFD", p.get().body, "nobody is sent what is not UTF-8")
}

func TestPollingWrongRequests(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 4 {
			p := r.openPolling(t)
			for _, method := range []string{"PUT", "DELETE", "HEAD", "OPTIONS"} {
				a := end(t, p.begin(method, "", ""), method)
				require.Equal(t, 500, a.status)
				require.Empty(t, a.body)
			}
			for target, want := range map[string]string{
				"EIO=3&transport=polling&sid=" + p.sid:        `{"code":3,"message":"Bad request"}`,
				"EIO=4&transport=websocket&sid=" + p.sid:      `{"code":3,"message":"Bad request"}`,
				"EIO=4&transport=polling&sid=x" + p.sid[1:]:   `{"code":1,"message":"Session ID unknown"}`,
				"EIO=4&transport=polling&sid=" + p.sid[:19]:   `{"code":1,"message":"Session ID unknown"}`,
				"EIO=4&transport=websocket&sid=" + p.sid[:19]: `{"code":1,"message":"Session ID unknown"}`,
				"EIO=4&transport=webtransport&sid=" + p.sid:   `{"code":0,"message":"Transport unknown"}`,
			} {
				resp := r.request(t, "GET", "/socket.io/?"+target, "")
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, 400, resp.StatusCode)
				require.Equal(t, want, string(body), target)
				require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			}
			guess := []byte(p.sid)
			guess[19] ^= 1
			stranger := &poller{t: t, r: r, sid: string(guess)}
			require.Equal(t, 400, stranger.get().status)
			a := stranger.post("4a")
			require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, a.body)
			p.say("4alive")
			require.Equal(t, "4alive", p.get().body)
		}
	})
}

func TestPollingBodies(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2} {
		r := startLoops(t, n, func(o *Options) { o.MaxPayload = 1000 })
		for range 4 {
			p := r.openPolling(t)
			exact := "4" + strings.Repeat("a", 999)
			p.say(exact)
			require.Equal(t, exact, p.get().body)
			a := p.post(exact + "b")
			require.Equal(t, 413, a.status)
			require.Empty(t, a.body)

			chunked := "Transfer-Encoding: chunked\r\n"
			a = end(t, p.begin("POST", chunked, "3\r\n4ab\r\n2;x=y\r\ncd\r\n0\r\nX: y\r\n\r\n"), "POST")
			require.Equal(t, "ok", a.body)
			require.Equal(t, "4abcd", p.get().body)
			a = end(t, p.begin("POST", chunked, "1f4\r\n"+strings.Repeat("4", 500)+"\r\n"+
				"1f5\r\n"+strings.Repeat("4", 501)+"\r\n0\r\n\r\n"), "POST")
			require.Equal(t, 413, a.status, "the limit holds while reading")
			p.say("4alive")
			require.Equal(t, "4alive", p.get().body, "the session survives")
			require.Empty(t, r.ends)
		}
	}
}

func TestPollingHeartbeat(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2} {
		r := startLoops(t, n, func(o *Options) {
			o.PingInterval, o.PingTimeout = 300*time.Millisecond, 200*time.Millisecond
		})
		p := r.openPolling(t)
		began := time.Now()
		for range 3 {
			require.Equal(t, "2", p.get().body)
			p.say("3")
		}
		require.Greater(t, time.Since(began), 600*time.Millisecond)
		require.Equal(t, "2", p.get().body)
		require.Equal(t, "1", p.get().body, "no pong")
		require.Equal(t, ReasonPingTimeout, <-r.ends)

		p = r.openPolling(t) // and never polls
		require.Equal(t, ReasonPingTimeout, <-r.ends)
		r.gone(t, p)
	}
}

func TestPollingKeepAliveAndPipelining(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	p := r.openPolling(t)
	c := p.begin("POST", "", "4one")
	br := bufio.NewReader(c)
	resp := func() string {
		t.Helper()
		a, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		return fmt.Sprint(a.StatusCode, " ", string(body))
	}
	require.Equal(t, "200 ok", resp())
	head := " " + p.target() + " HTTP/1.1\r\nHost: x\r\n"
	_, err := fmt.Fprintf(c, "GET%[1]s\r\nGET%[1]s\r\nPOST%[1]sContent-Length: 4\r\n\r\n4twoHEAD%[1]s\r\n", head)
	require.NoError(t, err)
	require.Equal(t, "200 4one", resp())
	// The second poll waits, and with it what comes behind it.
	r.waiting(t, p)
	p.say("4three")
	require.Equal(t, "200 4three", resp())
	require.Equal(t, "200 ok", resp())
	a, err := http.ReadResponse(br, &http.Request{Method: "HEAD"})
	require.NoError(t, err)
	require.Equal(t, 500, a.StatusCode)

	_, err = fmt.Fprintf(c, "GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.Equal(t, "200 page", resp(), "handed to net/http")
	_, err = fmt.Fprintf(c, "GET%s\r\n", head)
	require.NoError(t, err)
	require.Equal(t, "200 4two", resp(), "and polled there")
}

// A hook that takes its time does not hide that two POSTs overlap.
func TestPollingOverlapsWithHooks(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 2, 4} {
		hold := make(chan struct{}, 1)
		r := startLoops(t, loops, func(o *Options) {
			o.AllowTimeout = patience
			o.Headers = func(h http.Header, r *http.Request) {
				if r.Header.Get("X-Hold") != "" {
					<-hold
				}
				h.Set("X-Each", "yes")
			}
		})
		for _, fields := range []string{"X-Hold: yes\r\n", "Content-Length: 10\r\n"} {
			for range 4 {
				p := r.openPolling(t)
				first := p.begin("POST", fields, "4ab")
				r.onSession(t, p, func(s *Session) bool { return s.side.post != nil })
				a := p.post("4x")
				require.Equal(t, 400, a.status)
				require.Empty(t, a.body)
				_, err := first.Read(make([]byte, 1))
				require.Error(t, err, "the first one's connection is destroyed")
				r.gone(t, p)
				require.Equal(t, ReasonTransportError, <-r.ends)
				if strings.Contains(fields, "Hold") {
					hold <- struct{}{}
				}

				p = r.openPolling(t)
				a = p.post("4alive")
				require.Equal(t, "yes", a.header.Get("X-Each"))
				a = p.get()
				require.Equal(t, "4alive", a.body)
				require.Equal(t, []string{"yes"}, a.header.Values("X-Each"))
				p.say("1")
				require.Equal(t, ReasonTransportClose, <-r.ends)
			}
		}
	}
}
