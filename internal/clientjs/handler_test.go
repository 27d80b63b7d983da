package clientjs

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(c *Client, method, target, ifNoneMatch string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	if ifNoneMatch != "" {
		r.Header.Set("If-None-Match", ifNoneMatch)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

func TestServeFile(t *testing.T) {
	t.Parallel()
	c, err := Open("dir:" + folder(t, Version))
	require.NoError(t, err)

	res := get(c, "GET", "/socket.io/socket.io.js?v=1", "")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "public, max-age=0", res.Header.Get("Cache-Control"))
	require.Equal(t, `"4.8.4"`, res.Header.Get("ETag"))
	require.Positive(t, res.ContentLength)

	require.Equal(t, 200, get(c, "HEAD", "/socket.io/socket.io.js", "").StatusCode)
	for _, tag := range []string{`"4.8.4"`, `W/"4.8.4"`, `"4.8.3", "4.8.4"`, "*"} {
		require.Equal(t, 304, get(c, "GET", "/socket.io/socket.io.js", tag).StatusCode, tag)
	}
	require.Equal(t, 200, get(c, "GET", "/socket.io/socket.io.js", `"4.8.3"`).StatusCode)
	require.Equal(t, 400, get(c, "POST", "/socket.io/socket.io.js", "").StatusCode)
	require.Equal(t, 400, get(c, "GET", "/socket.io/other.js", "").StatusCode)
}

func TestServeRedirect(t *testing.T) {
	t.Parallel()
	c, err := Open("redirect")
	require.NoError(t, err)
	res := get(c, "GET", "/socket.io/socket.io.min.js", "")
	require.Equal(t, 302, res.StatusCode)
	require.Equal(t, CDN+"/socket.io.min.js", res.Header.Get("Location"))
	require.Equal(t, 400, get(c, "GET", "/socket.io/other.js", "").StatusCode)
}

func TestServeOff(t *testing.T) {
	t.Parallel()
	c, err := Open("off")
	require.NoError(t, err)
	require.Equal(t, 400, get(c, "GET", "/socket.io/socket.io.js", "").StatusCode)
}
