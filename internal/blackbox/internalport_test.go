package blackbox

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two processes of an upgrade have the same address for their internal port:
// the new one answers there as soon as it is there, and the old one again if
// the new one goes. Nobody is refused meanwhile, on a connection that is kept,
// as a scraper's, or on a new one.
func TestInternalPortIsHandedOver(t *testing.T) {
	t.Parallel()
	internal := free(t)
	env := []string{"THRONG_INTERNAL_LISTEN=" + internal}
	args := func(addr string) []string {
		return []string{"serve", "--listen", addr, "--reuse-port", "--loops", "1", "--drain-time", "100ms"}
	}
	old := start(t, env, args("127.0.0.1:0")...)
	addr := old.listening()
	old.find(`internal port.*address"?[=:]"?(` + internal + `)`)
	scraper := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer scraper.CloseIdleConnections()
	ask := func(c *http.Client, path string) (status int, process, body string) {
		resp, err := c.Get("http://" + internal + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header.Get("Throng-Process"), string(b)
	}
	fresh := func() *http.Client { return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} }
	is := func(p *process) {
		t.Helper()
		for _, path := range []string{"/metrics", "/readyz", "/healthz", "/version"} {
			for range 5 {
				status, process, body := ask(fresh(), path)
				require.Equal(t, 200, status, body)
				require.Equal(t, fmt.Sprint(p.cmd.Process.Pid), process, path)
			}
		}
	}
	is(old)
	_, process, _ := ask(scraper, "/metrics")
	require.Equal(t, fmt.Sprint(old.cmd.Process.Pid), process)

	next := start(t, env, args(addr)...)
	next.listening()
	is(next)
	old.signal(syscall.SIGTERM)
	require.Equal(t, 0, old.code())
	require.NotContains(t, old.String(), "the internal port has ended")
	_, process, _ = ask(scraper, "/metrics")
	require.Equal(t, fmt.Sprint(next.cmd.Process.Pid), process)
	is(next)

	// One that does not do: back to the one before.
	bad := start(t, env, args(addr)...)
	bad.listening()
	is(bad)
	bad.signal(syscall.SIGTERM)
	require.Equal(t, 0, bad.code())
	is(next)

	// The last one keeps it to the end.
	next.signal(syscall.SIGTERM)
	require.Equal(t, 0, next.code())
	_, err := http.Get("http://" + internal + "/readyz")
	require.Error(t, err)

	// Who shares nothing has no internal port, or says so if it was asked for.
	one := start(t, env, "serve", "--listen", "127.0.0.1:0", "--loops", "1")
	one.listening()
	two := start(t, env, "serve", "--listen", "127.0.0.1:0", "--loops", "1")
	require.Equal(t, 1, two.code())
	require.True(t, strings.Contains(two.String(), "address already in use"), two)
}
