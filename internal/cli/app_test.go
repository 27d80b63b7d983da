package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/socketio"
)

func TestWrongUseOfApplications(t *testing.T) {
	t.Parallel()
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))
	for args, want := range map[string]string{
		"--app-url nonsense":                                         "--app-url: the URL",
		"--app-url /chat=ftp://x":                                    "--app-url: the URL",
		"--app-url http://x --app-url http://y":                      "both for all",
		"--app-url http://x --app-secret-file /no/f":                 "--app-secret-file",
		"--app-url http://x --app-secret short":                      "less than 16",
		"--app-url http://x --app-secret-file " + short:              "less than 16",
		"--app-url http://x --app-timeout -1s":                       "--app-timeout",
		"--app-stream s":                                             "--app-stream: is nothing without app.valkey",
		"--app-stream s --app-valkey nonsense":                       "--app-valkey: the URL",
		"--app-stream s --app-stream t --valkey redis://x":           "both for all",
		"--app-stream s --app-url http://x --valkey redis://x":       "--app-stream: is for all namespaces, as is app.url",
		"--app-stream /a=s --app-url /a=http://x --valkey redis://x": "--app-stream: is for /a, as is app.url",
		"--upstream nonsense":                                        "--upstream: the URL",
		"--static /does/not/exist/x":                                 "--static",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, Main(append([]string{"serve"}, strings.Fields(args)...), &out, &errs), args)
		require.Contains(t, errs.String(), want, args)
	}
}

// One port for sockets, pages and the WebSockets of others.
func TestApplicationOnOnePort(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/_throng":
			var c struct{ Type, Event, Namespace string }
			_ = json.NewDecoder(r.Body).Decode(&c)
			fmt.Fprintf(w, `{"do":[{"emit":%q,"args":[%q]}]}`, "on"+c.Event, c.Namespace)
		case "/ws":
			conn, _, _, err := ws.UpgradeHTTP(r, w)
			if err != nil {
				return
			}
			defer conn.Close()
			for {
				b, op, err := wsutil.ReadClientData(conn)
				if err != nil || wsutil.WriteServerMessage(conn, op, b) != nil {
					return
				}
			}
		default:
			fmt.Fprint(w, "page ", r.URL, " for ", r.Header.Get("X-Forwarded-For"))
		}
	}))
	defer site.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("file"), 0o600))

	log := slog.New(slog.DiscardHandler)
	c := config.Default()
	c.App.URL = []string{"/chat=" + site.URL + "/_throng"}
	c.Upstream, c.Static = site.URL, dir
	var a application
	require.NoError(t, a.open(c, nil, log))
	require.Equal(t, []string{"/", "/chat"}, distinct("/", []string{"/chat"}, a.namespaces))
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1, Logger: log})
	require.NoError(t, err)
	require.True(t, a.mount(srv.Of("/chat")))
	require.False(t, a.mount(srv.Of("/")))
	srv.Handle("/", a.beside)
	require.NoError(t, srv.Start())
	defer a.close()
	defer func() { require.NoError(t, srv.Shutdown(context.Background())) }()
	addr := srv.Addr().String()

	for path, want := range map[string]string{
		"/x?y": "page /x?y for 127.0.0.1", "/a.txt": "file", "/_throng": "404 page not found\n",
	} {
		resp, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, string(body))
	}

	conn, _, _, err := ws.Dial(t.Context(), "ws://"+addr+"/ws")
	require.NoError(t, err)
	defer conn.Close()
	for _, text := range []string{"one", strings.Repeat("x", 1<<16)} {
		require.NoError(t, wsutil.WriteClientText(conn, []byte(text)))
		b, err := wsutil.ReadServerText(conn)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}

	client := dialServer(t, srv)
	client.say("40/chat,")
	got := []string{client.hear(), client.hear()}
	client.say(`42/chat,["hi"]`)
	got = append(got, client.hear())
	require.Equal(t, []string{`42/chat,["on","/chat"]`, `42/chat,["onhi","/chat"]`}, got[1:])
}

// A frozen endpoint does not take all the workers there are.
func TestFrozenApplicationLeavesWorkers(t *testing.T) {
	t.Parallel()
	thaw := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"type":"event"`)) {
			<-thaw
		}
	}))
	defer site.Close()
	const workers = 20
	log := slog.New(slog.DiscardHandler)
	c := config.Default()
	c.App.URL, c.Limits.Workers = []string{"/chat=" + site.URL}, workers
	var a application
	require.NoError(t, a.open(c, nil, log))
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1, Logger: log,
		MaxWorkers: workers})
	require.NoError(t, err)
	require.True(t, a.mount(srv.Of("/chat")))
	srv.OnUnhandled((&orphans{log: log}).event)
	require.NoError(t, srv.Start())
	defer a.close()
	defer func() { require.NoError(t, srv.Shutdown(context.Background())) }()
	defer close(thaw)
	clients := make([]*wsClient, workers+10)
	for i := range clients {
		clients[i] = dialServer(t, srv)
		clients[i].say("40/chat,")
		require.Contains(t, clients[i].hear(), "40/chat,{")
	}
	for _, c := range clients {
		c.say(`42/chat,1["freeze"]`)
	}
	require.Eventually(t, func() bool { return a.app.Stats().Failures["busy"] > 0 }, 5*time.Second,
		time.Millisecond, "the rest is told so")
	other := dialServer(t, srv)
	other.say("40")
	require.Contains(t, other.hear(), "40{")
	other.say(`421["x"]`)
	require.Contains(t, other.hear(), "431[")
}

// An endpoint that is all of the upstream hides it, which somebody should know.
func TestEndpointWithoutAPath(t *testing.T) {
	t.Parallel()
	for url, told := range map[string]bool{
		"http://127.0.0.1:7/": true, "/chat=http://127.0.0.1:7": true,
		"http://127.0.0.1:7/_throng": false,
	} {
		var out bytes.Buffer
		c := config.Default()
		c.App.URL, c.Upstream = []string{url}, "http://127.0.0.1:7"
		var a application
		require.NoError(t, a.open(c, nil, slog.New(slog.NewTextHandler(&out, nil))))
		a.close()
		require.Equal(t, told, strings.Contains(out.String(), "nothing of the upstream"), out.String())
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range [][5]int{ // workers, ways, max_requests: requests, waiting
		{10_000, 1, 64, 64, 4096}, {10_000, 2, 64, 64, 4096}, {10_000, 3, 64, 64, 2936},
		{10_000, 1, 65_536, 8999, 1}, {100, 1, 64, 64, 26}, {1, 1, 64, 1, 1}, {10_000, 0, 64, 64, 4096},
	} {
		requests, waiting := share(c[0], c[1], c[2])
		require.Equal(t, c[3:], []int{requests, waiting}, c)
	}
}

// wsClient is a connection without a namespace yet.
type wsClient struct {
	t *testing.T
	io.Reader
	io.Writer
}

func dialServer(t *testing.T, srv *socketio.Server) *wsClient {
	t.Helper()
	conn, br, _, err := ws.Dial(t.Context(),
		"ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(8*time.Second)))
	c := &wsClient{t, conn, conn}
	if br != nil {
		c.Reader = br
	}
	require.Contains(t, c.hear(), "0{")
	return c
}

func (c *wsClient) say(text string) {
	c.t.Helper()
	require.NoError(c.t, wsutil.WriteClientText(c.Writer, []byte(text)))
}

func (c *wsClient) hear() string {
	c.t.Helper()
	b, err := wsutil.ReadServerText(c)
	require.NoError(c.t, err)
	return string(b)
}
