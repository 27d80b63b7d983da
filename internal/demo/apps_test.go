package demo

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSourcesAreShown(t *testing.T) {
	t.Parallel()
	addr := start(t)
	get := func(name string) (*http.Response, string) {
		res, err := http.Get("http://" + addr + "/source/" + name)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}
	for _, name := range []string{"chat.go", "rooms.go", "broadcast.go", "console.go", "compute.go",
		"notify.go", "dashboard.go", "machine.go", "problem.go"} {
		res, body := get(name)
		require.Equal(t, 200, res.StatusCode, name)
		require.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(want), body)
	}
	for _, name := range []string{"pages.go", "..%2fpages.go", ""} {
		res, _ := get(name)
		require.Equal(t, 404, res.StatusCode, name)
	}
}
