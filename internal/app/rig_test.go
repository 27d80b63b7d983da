package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

const patience = 10 * time.Second

var secret = []byte("a secret of the tests")

// posted is a call as an endpoint reads it.
type posted struct {
	Type      string              `json:"type"`
	ID        string              `json:"id"`
	SID       string              `json:"sid"`
	Namespace string              `json:"namespace"`
	Auth      json.RawMessage     `json:"auth"`
	Address   string              `json:"address"`
	Headers   map[string][]string `json:"headers"`
	Session   json.RawMessage     `json:"session"`
	Event     string              `json:"event"`
	Args      json.RawMessage     `json:"args"`
	Ack       bool                `json:"ack"`
	Reason    string              `json:"reason"`
}

// stage is an application with its endpoint.
type stage struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []posted
	bodies [][]byte
	sizes  []int // of each request, in calls
	batch  string
}

// answering answers each call with what f returns; "" is 204 or null.
func answering(t testing.TB, f func(c posted) string) *stage {
	t.Helper()
	st := &stage{}
	st.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		ts := r.Header.Get(HeaderTimestamp)
		if r.Header.Get(HeaderSignature) != Sign(secret, ts, body) {
			http.Error(w, "signature", http.StatusUnauthorized)
			return
		}
		if st.batch != "" {
			w.Header().Set(HeaderBatch, st.batch)
		}
		var list []posted
		if body[0] == '[' {
			err = json.Unmarshal(body, &list)
		} else {
			list = make([]posted, 1)
			err = json.Unmarshal(body, &list[0])
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		st.mu.Lock()
		st.calls = append(st.calls, list...)
		st.bodies = append(st.bodies, body)
		st.sizes = append(st.sizes, len(list))
		st.mu.Unlock()
		var answers []string
		for _, c := range list {
			a := f(c)
			if a == "" {
				a = "null"
			}
			answers = append(answers, a)
		}
		if body[0] == '[' {
			_, _ = io.WriteString(w, "["+strings.Join(answers, ",")+"]")
			return
		}
		if status, ok := strings.CutPrefix(answers[0], "status "); ok {
			w.WriteHeader(map[string]int{"500": 500, "503": 503, "302": 302}[status])
			return
		}
		_, _ = io.WriteString(w, answers[0])
	}))
	t.Cleanup(st.Close)
	return st
}

func (st *stage) seen() []posted {
	st.mu.Lock()
	defer st.mu.Unlock()
	return append([]posted(nil), st.calls...)
}

// serve starts a server whose namespaces "/" and "/chat" are an application's.
func serve(t testing.TB, o Options) (*socketio.Server, *App) {
	t.Helper()
	if o.Secret == nil {
		o.Secret = secret
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := New(o)
	require.NoError(t, err)
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2, Logger: o.Logger})
	require.NoError(t, err)
	a.Mount(srv.Of("/"))
	a.Mount(srv.Of("/chat"))
	require.NoError(t, srv.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = srv.Shutdown(ctx)
		a.Close()
	})
	return srv, a
}

// client is a connection without a namespace yet.
type client struct {
	t    testing.TB
	conn net.Conn
	in   io.Reader
	id   string
}

func dial(t testing.TB, srv *socketio.Server) *client {
	t.Helper()
	d := ws.Dialer{Header: ws.HandshakeHeaderString("Cookie: a=1\r\nX-Other: no\r\n")}
	conn, br, _, err := d.Dial(context.Background(),
		"ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	c := &client{t: t, conn: conn, in: conn}
	if br != nil {
		c.in = br
	}
	require.True(t, strings.HasPrefix(c.next(), "0{"))
	return c
}

// join connects to "/".
func join(t testing.TB, srv *socketio.Server, auth string) *client {
	t.Helper()
	c := dial(t, srv)
	c.send("40" + auth)
	answer := c.next()
	require.True(t, strings.HasPrefix(answer, `40{"sid":"`), answer)
	c.id = answer[len(`40{"sid":"`):][:20]
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	require.NoError(c.t, c.write(text))
}

func (c *client) write(text string) error {
	return wsutil.WriteClientText(c.conn, []byte(text))
}

// next returns the next message; bytes begin with "b:".
func (c *client) next() string {
	c.t.Helper()
	text, err := c.read()
	require.NoError(c.t, err)
	return text
}

func (c *client) read() (string, error) {
	b, op, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{c.in, c.conn})
	if op == ws.OpBinary {
		return "b:" + string(b), err
	}
	return string(b), err
}

func (c *client) expect(texts ...string) {
	c.t.Helper()
	for _, want := range texts {
		require.Equal(c.t, want, c.next())
	}
}
