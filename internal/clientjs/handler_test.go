package clientjs

import (
	"compress/gzip"
	"io"
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

func TestServeCompressed(t *testing.T) {
	t.Parallel()
	c, err := Open("dir:" + folder(t, Version))
	require.NoError(t, err)
	ask := func(name, accept string) *http.Response {
		r := httptest.NewRequest("GET", "/socket.io/"+name+"?t=1", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		return w.Result()
	}
	for _, name := range Names {
		for range 2 {
			res := ask(name, "br, GZIP;q=0.5")
			require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
			require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
			z, err := gzip.NewReader(res.Body)
			require.NoError(t, err)
			got, err := io.ReadAll(z)
			require.NoError(t, err)
			want, _, _, _ := c.File(name)
			require.Equal(t, string(want), string(got))
		}
	}
	for accept, want := range map[string]string{"": "", "br": "", "gzip;q=0": "", "gzip; q=0.0": "",
		"*": "gzip", "*;q=0": "", "*, gzip;q=0": "", "deflate, gzip": "gzip", "gzip;q=x": ""} {
		res := ask("socket.io.js", accept)
		require.Equal(t, want, res.Header.Get("Content-Encoding"), accept)
		require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
	}
}
