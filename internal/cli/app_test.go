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

	conn, br, _, err := ws.Dial(t.Context(), "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	defer conn.Close()
	var in io.Reader = conn
	if br != nil {
		in = br
	}
	require.NoError(t, wsutil.WriteClientText(conn, []byte("40/chat,")))
	var got []string
	for len(got) < 4 {
		b, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{in, conn})
		require.NoError(t, err, got)
		if got = append(got, string(b)); len(got) == 3 {
			require.NoError(t, wsutil.WriteClientText(conn, []byte(`42/chat,["hi"]`)))
		}
	}
	require.Equal(t, []string{`42/chat,["on","/chat"]`, `42/chat,["onhi","/chat"]`}, got[2:])
}
