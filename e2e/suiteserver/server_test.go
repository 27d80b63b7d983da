package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

const patience = 10 * time.Second

// rig is a running server and what tests ask of it.
type rig struct {
	*testing.T
	s *server
}

func serve(t *testing.T) *rig {
	t.Helper()
	s, err := newServer("127.0.0.1:0", slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	require.NoError(t, s.start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, s.shutdown(ctx))
	})
	return &rig{t, s}
}

// do sends a request below the path with a query and returns the answer.
func (r *rig) do(method, path, query, body string) (status int, text string) {
	r.Helper()
	req, err := http.NewRequest(method, "http://"+r.s.addr()+path+"?"+query,
		strings.NewReader(body))
	require.NoError(r, err)
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	require.NoError(r, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r, err)
	return resp.StatusCode, string(b)
}

type poller struct {
	*rig
	query string
}

func (r *rig) poller() *poller {
	r.Helper()
	status, body := r.do("GET", "/engine.io/", "EIO=4&transport=polling", "")
	require.Equal(r, 200, status)
	return &poller{r, "EIO=4&transport=polling&sid=" + sid(r.T, body, `["websocket"]`)}
}

// sid checks an open packet, which has five keys and no more.
func sid(t *testing.T, body, upgrades string) string {
	t.Helper()
	m := regexp.MustCompile(`^0\{"sid":"([\w-]{20})","upgrades":(.*),"pingInterval":300,` +
		`"pingTimeout":200,"maxPayload":1000000\}$`).FindStringSubmatch(body)
	require.Len(t, m, 3, body)
	require.Equal(t, upgrades, m[2])
	return m[1]
}

func (p *poller) get() (int, string) { p.Helper(); return p.do("GET", "/engine.io/", p.query, "") }

func (p *poller) post(body string) {
	p.Helper()
	status, text := p.do("POST", "/engine.io/", p.query, body)
	require.Equal(p, 200, status)
	require.Equal(p, "ok", text)
}

type answer struct {
	status int
	body   string
}

// later polls on another goroutine.
func (p *poller) later() <-chan answer {
	out := make(chan answer, 1)
	go func() {
		resp, err := http.Get("http://" + p.s.addr() + "/engine.io/?" + p.query)
		if err != nil {
			out <- answer{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		out <- answer{resp.StatusCode, string(b)}
	}()
	return out
}

type socket struct {
	*testing.T
	net.Conn
	in io.Reader
	// alive: pings are answered and not shown.
	alive bool
}

func (r *rig) dial(path, query string) *socket {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, br, _, err := ws.Dial(ctx, "ws://"+r.s.addr()+path+"?"+query)
	require.NoError(r, err)
	r.Cleanup(func() { _ = c.Close() })
	require.NoError(r, c.SetDeadline(time.Now().Add(patience)))
	s := &socket{T: r.T, Conn: c, in: c, alive: path == "/socket.io/"}
	if br != nil {
		s.in = io.MultiReader(io.LimitReader(br, int64(br.Buffered())), c)
	}
	return s
}

func (s *socket) say(text string) {
	s.Helper()
	require.NoError(s, wsutil.WriteClientText(s.Conn, []byte(text)))
}

// next returns the next message: text as it is, binary in hexadecimal, "end"
// for a close frame or the end.
func (s *socket) next() string {
	s.Helper()
	h, err := ws.ReadHeader(s.in)
	f := ws.Frame{Header: h}
	if err == nil {
		f.Payload = make([]byte, h.Length)
		_, err = io.ReadFull(s.in, f.Payload)
	}
	switch {
	case err != nil, f.Header.OpCode == ws.OpClose:
		return "end"
	case f.Header.OpCode == ws.OpBinary:
		return fmt.Sprintf("%x", f.Payload)
	case s.alive && string(f.Payload) == "2":
		s.say("3")
		return s.next()
	}
	return string(f.Payload)
}

const plainWS = "EIO=4&transport=websocket"

func (r *rig) echoSocket() *socket {
	r.Helper()
	s := r.dial("/engine.io/", plainWS)
	sid(r.T, s.next(), "[]")
	return s
}

func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for _, c := range []struct{ method, query string }{
		{"GET", "transport=polling"},
		{"GET", "EIO=abc&transport=polling"},
		{"GET", "EIO=4"},
		{"GET", "EIO=4&transport=abc"},
		{"POST", "EIO=4&transport=polling"},
		{"PUT", "EIO=4&transport=polling"},
	} {
		status, _ := r.do(c.method, "/engine.io/", c.query, "")
		require.Equal(t, 400, status, "%v", c)
	}
	for _, query := range []string{"transport=websocket", "EIO=abc&transport=websocket",
		"EIO=4&transport=abc", "EIO=4"} {
		_, _, _, err := ws.Dial(t.Context(), "ws://"+r.s.addr()+"/engine.io/?"+query)
		require.Error(t, err, query)
	}
}

func TestPollingMessages(t *testing.T) {
	t.Parallel()
	p := serve(t).poller()
	p.post("4hello")
	status, body := p.get()
	require.Equal(t, answer{200, "4hello"}, answer{status, body})
	p.post("4test1\x1ebAQIDBA==\x1e4test3")
	var got string
	for range 3 {
		_, body := p.get()
		got += "\x1e" + body
		if strings.Count(got, "\x1e") == 3 {
			break
		}
	}
	require.Equal(t, "\x1e4test1\x1ebAQIDBA==\x1e4test3", got)
	p.post("abc")
	status, _ = p.get()
	require.Equal(t, 400, status)
}

func TestPollsThatOverlapOrEnd(t *testing.T) {
	t.Parallel()
	r := serve(t)
	p := r.poller()
	a, b := p.later(), p.later()
	first, second := <-a, <-b
	if first.status != 200 {
		first, second = second, first
	}
	require.Equal(t, answer{200, "1"}, first)
	require.Equal(t, 400, second.status)
	status, _ := p.get()
	require.Equal(t, 400, status)

	p = r.poller()
	c, err := net.Dial("tcp", r.s.addr())
	require.NoError(t, err)
	_, err = fmt.Fprintf(c, "GET /engine.io/?%s HTTP/1.1\r\nHost: x\r\n\r\n", p.query)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool {
		status, _ := p.get()
		return status == 400
	}, patience, 10*time.Millisecond)
}

func TestPollingHeartbeat(t *testing.T) {
	t.Parallel()
	r := serve(t)
	p := r.poller()
	for range 3 {
		status, body := p.get()
		require.Equal(t, answer{200, "2"}, answer{status, body})
		p.post("3")
	}
	start := time.Now()
	p = r.poller()
	require.Eventually(t, func() bool { // no poll: an open one would be answered
		status, _ := p.do("PUT", "/engine.io/", p.query, "")
		return status == 400
	}, patience, 10*time.Millisecond)
	// The suite polls 500 ms after the handshake.
	require.Less(t, time.Since(start), 600*time.Millisecond)
}

func TestPollingClose(t *testing.T) {
	t.Parallel()
	p := serve(t).poller()
	got := p.later()
	p.post("1")
	require.Equal(t, answer{200, "6"}, <-got)
	require.Eventually(t, func() bool {
		status, _ := p.get()
		return status == 400
	}, patience, 10*time.Millisecond)
}

func TestWebSocketMessagesAndEnd(t *testing.T) {
	t.Parallel()
	r := serve(t)
	s := r.echoSocket()
	s.say("4hello")
	require.Equal(t, "4hello", s.next())
	require.NoError(t, wsutil.WriteClientBinary(s.Conn, []byte{1, 2, 3, 4}))
	require.Equal(t, "01020304", s.next())
	for range 3 {
		require.Equal(t, "2", s.next())
		s.say("3")
	}
	s.say("1")
	require.Equal(t, "end", s.next())

	s = r.echoSocket()
	s.say("abc")
	require.Equal(t, "end", s.next())

	s = r.echoSocket() // no pong
	require.Equal(t, "2", s.next())
	require.Equal(t, "end", s.next())
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	r := serve(t)
	p := r.poller()
	up := strings.Replace(p.query, "polling", "websocket", 1)
	s := r.dial("/engine.io/", up)
	s.say("2probe")
	require.Equal(t, "3probe", s.next())
	status, body := p.get()
	require.Equal(t, answer{200, "6"}, answer{status, body})
	s.say("5")
	s.say("4hello")
	require.Equal(t, "4hello", s.next())
	status, _ = p.get()
	require.Equal(t, 400, status)

	require.Equal(t, "end", r.dial("/engine.io/", up).next())
	s.say("4still here")
	require.Equal(t, "4still here", s.next())
}

// connect opens a Socket.IO connection and joins a namespace.
func (r *rig) connect(ns, auth string) *socket {
	r.Helper()
	s := r.dial("/socket.io/", plainWS)
	sid(r.T, s.next(), "[]")
	s.say("40" + ns + auth)
	s.joined(ns, auth)
	return s
}

// joined reads the answer to CONNECT, which has a sid only, and the auth.
func (s *socket) joined(ns, auth string) {
	s.Helper()
	var reply map[string]string
	text := s.next()
	require.True(s, strings.HasPrefix(text, "40"+ns), text)
	require.NoError(s, json.Unmarshal([]byte(text[len("40"+ns):]), &reply))
	require.Len(s, reply, 1)
	require.Len(s, reply["sid"], 20)
	if auth == "" {
		auth = "{}"
	}
	require.Equal(s, `42`+ns+`["auth",`+auth+`]`, s.next())
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	r := serve(t)
	s := r.connect("", `{"token":"123"}`)
	s.say("40/custom,")
	s.joined("/custom,", "")
	s.say("40/random")
	require.Equal(t, `44/random,{"message":"Invalid namespace"}`, s.next())
	s.say("41/custom")
	s.say(`42["message","message to main namespace"]`)
	require.Equal(t, `42["message-back","message to main namespace"]`, s.next())
	s.alive = false
	s.say("41")
	require.Equal(t, "2", s.next())
	r.connect("/custom,", `{"token":"abc"}`)
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t).dial("/socket.io/", plainWS)
	sid(t, s.next(), "[]")
	require.Equal(t, "end", s.next())
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := serve(t).connect("", "")
	s.say(`42["message",1,"2",{"3":[true]}]`)
	require.Equal(t, `42["message-back",1,"2",{"3":[true]}]`, s.next())
	s.say(`42456["message-with-ack",1,"2",{"3":[false]}]`)
	require.Equal(t, `43456[1,"2",{"3":[false]}]`, s.next())

	const args = `{"_placeholder":true,"num":0},"2",{"_placeholder":true,"num":1}]`
	for _, c := range [][2]string{{`452-["message",`, `452-["message-back",`},
		{`452-789["message-with-ack",`, `462-789[`}} {
		s.say(c[0] + args)
		require.NoError(t, wsutil.WriteClientBinary(s.Conn, []byte{1, 2, 3}))
		require.NoError(t, wsutil.WriteClientBinary(s.Conn, bytes.Repeat([]byte{4}, 3)))
		require.Equal(t, c[1]+args, s.next())
		require.Equal(t, "010203", s.next())
		require.Equal(t, "040404", s.next())
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	r := serve(t)
	for _, text := range []string{"4abc", "42{}", "42abc[]", "42/abc,[]"} {
		s := r.connect("", "")
		s.say(text)
		require.Equal(t, "end", s.next(), text)
	}
}
