package clientjs

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
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
	readers := map[string]func(io.Reader) (io.Reader, error){
		"br":      func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"deflate": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	}
	for _, name := range append(Names[:len(Names):len(Names)], Names...) { // made, then kept
		for coding, reader := range readers {
			res := ask(name, "identity, "+strings.ToUpper(coding)+";q=0.5")
			require.Equal(t, coding, res.Header.Get("Content-Encoding"))
			require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
			z, err := reader(res.Body)
			require.NoError(t, err)
			got, err := io.ReadAll(z)
			require.NoError(t, err)
			want, _, _, _ := c.File(name)
			require.Equal(t, string(want), string(got))
		}
	}
	for accept, want := range map[string]string{"": "", "br": "br", "gzip;q=0": "",
		"gzip; q=0.0": "", "*": "br", "*;q=0": "", "*, gzip;q=0": "br", "*, br;q=0": "gzip",
		"deflate, gzip": "gzip", "deflate, gzip;q=0.9": "deflate", "gzip, deflate, br": "br",
		"gzip;q=x": "", "br;q=0.5, gzip": "gzip", "zstd": ""} {
		res := ask("socket.io.js", accept)
		require.Equal(t, want, res.Header.Get("Content-Encoding"), accept)
		require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
	}
}
