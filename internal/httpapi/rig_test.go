package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

const (
	patience = 10 * time.Second
	keyText  = "0123456789abcdef-key"
)

// rig is an API of a server that runs.
type rig struct {
	t   *testing.T
	api *API
	srv *socketio.Server
	web *httptest.Server
	log *bytes.Buffer
}

func start(t *testing.T) *rig {
	t.Helper()
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	srv.Of("/chat")
	require.NoError(t, srv.Start())
	r := &rig{t: t, srv: srv, log: &bytes.Buffer{}}
	r.api = New(srv, slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r.set(func(*Settings) {})
	r.web = httptest.NewServer(r.api)
	t.Cleanup(func() {
		r.web.Close()
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	})
	return r
}

func (r *rig) set(change func(s *Settings)) {
	s := Settings{Keys: []string{hashed("ci", keyText)}, MaxBody: 1 << 16, Timeout: patience}
	change(&s)
	r.api.Set(s)
}

// do sends a request with the key; body "" is a GET.
func (r *rig) do(path, body string) (int, string) {
	r.t.Helper()
	res := r.send(path, body, func(*http.Request) {})
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	return res.StatusCode, strings.TrimSpace(string(b))
}

func (r *rig) send(path, body string, change func(*http.Request)) *http.Response {
	r.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.web.URL+"/api/v1/"+path,
		strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Authorization", "Bearer "+keyText)
	req.Header.Set("Content-Type", "application/json")
	change(req)
	res, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	return res
}

func (r *rig) good(path, body, want string) {
	r.t.Helper()
	status, got := r.do(path, body)
	require.Equal(r.t, http.StatusOK, status, got)
	require.Equal(r.t, want, got)
}

// bad wants a problem document.
func (r *rig) bad(path, body string, status int, detail string) {
	r.t.Helper()
	res := r.send(path, body, func(*http.Request) {})
	r.problem(res, status, detail)
}

func (r *rig) problem(res *http.Response, status int, detail string) {
	r.t.Helper()
	defer res.Body.Close()
	require.Equal(r.t, status, res.StatusCode)
	require.Equal(r.t, "application/problem+json", res.Header.Get("Content-Type"))
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	d := json.NewDecoder(res.Body)
	d.DisallowUnknownFields()
	require.NoError(r.t, d.Decode(&p))
	require.Equal(r.t, status, p.Status)
	require.Equal(r.t, http.StatusText(status), p.Title)
	require.True(r.t, strings.HasPrefix(p.Type, "urn:throng:problem:"), p.Type)
	require.Contains(r.t, p.Detail, detail)
}

// client is a raw client in a namespace.
type client struct {
	t    *testing.T
	conn net.Conn
	in   io.ReadWriter // conn, behind what came with the handshake
	id   string
}

func (r *rig) client(ns string) *client {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, fmt.Sprintf("ws://%s/socket.io/?EIO=4&transport=websocket", r.srv.Addr()))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(r.t, conn.SetReadDeadline(time.Now().Add(patience)))
	c := &client{t: r.t, conn: conn, in: conn}
	if early != nil {
		c.in = struct {
			io.Reader
			io.Writer
		}{early, conn}
	}
	c.next() // open
	prefix := "40"
	if ns != "/" {
		prefix += ns + ","
	}
	c.send(prefix)
	got := c.next()
	require.True(r.t, strings.HasPrefix(got, prefix+`{"sid":"`), got)
	c.id = strings.TrimSuffix(strings.TrimPrefix(got, prefix+`{"sid":"`), `"}`)
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	require.NoError(c.t, wsutil.WriteClientText(c.conn, []byte(text)))
}

// next returns the next message, or why there is none.
func (c *client) next() string {
	c.t.Helper()
	b, _, err := wsutil.ReadServerData(c.in)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// hashed is an entry of Settings.Keys.
func hashed(name, key string) string {
	return fmt.Sprintf("%s:sha256:%x", name, sha256.Sum256([]byte(key)))
}
