package beside

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func front(t *testing.T, target string, trusted ...netip.Prefix) (*Upstream, *httptest.Server) {
	t.Helper()
	u, err := NewUpstream(target, trusted, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	s := httptest.NewServer(u)
	t.Cleanup(s.Close)
	return u, s
}

func fetch(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return req
}

func TestTargets(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", "x", "ftp://x", "http://", "http://x/?a", "http://x/#a"} {
		_, err := NewUpstream(target, nil, slog.Default())
		require.Error(t, err, target)
	}
}

// What the application sees of who asked; a client can claim nothing.
func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		fmt.Fprint(w, r.Host, " ", r.URL, " ", h["X-Forwarded-For"], h["X-Forwarded-Host"],
			h["X-Forwarded-Proto"], h["Forwarded"], h["X-Forwarded-Port"], h["X-Forwarded-Prefix"],
			h["X-Real-Ip"], h["X_forwarded_for"])
	}))
	defer app.Close()
	ask := func(front *httptest.Server) string {
		req := get(t, front.URL+"/a%2Fb?c=d")
		req.Host = "site.example"
		req.Header = http.Header{"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Host": {"evil.example"},
			"X-Forwarded-Proto": {"https"}, "Forwarded": {"for=6.6.6.6"},
			"X-Forwarded-Port": {"7"}, "X-Forwarded-Prefix": {"/evil"}, "X-Real-Ip": {"6.6.6.6"},
			"X_forwarded_for": {"6.6.6.6"}}
		_, body := fetch(t, req)
		return body
	}
	_, open := front(t, app.URL+"/base")
	require.Equal(t, "site.example /base/a%2Fb?c=d [127.0.0.1] [site.example] [http] [] [] [] [] []", ask(open))
	_, behind := front(t, app.URL, netip.MustParsePrefix("127.0.0.0/8"))
	require.Equal(t, "site.example /a%2Fb?c=d [6.6.6.6, 127.0.0.1] [evil.example] [https] [] [7] [/evil] [6.6.6.6] [6.6.6.6]", ask(behind))
}

// Bytes arrive when the application writes them, not when it has ended.
func TestStreaming(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			fmt.Fprintln(w, i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	defer app.Close()
	_, s := front(t, app.URL)
	resp, err := http.Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintln(i), line)
		next <- struct{}{}
	}
}

func TestEndpointIsHidden(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path)
	}))
	defer app.Close()
	u, s := front(t, app.URL)
	require.False(t, u.Hide(strings.Replace(app.URL, "127.0.0.1", "localhost", 1)+"/_throng"))
	require.False(t, u.Hide(app.URL+"/calls/{event}"))
	require.False(t, u.Hide("http://elsewhere.example/"))
	for path, want := range map[string]int{
		"/_throng": 404, "/_throng/": 404, "/_throng/x": 404, "//_throng": 404, "/%5fthrong": 404,
		"/x/../_throng": 404, "/./_throng": 404, "/_THRONG": 404, "/_throng;x": 404, "/_throng?x": 404,
		"/calls": 404, "/calls/x": 404,
		"/_throngs": 200, "/": 200, "/x/_throng": 200, "/page": 200,
	} {
		status, _ := fetch(t, get(t, s.URL+path))
		require.Equal(t, want, status, path)
	}
	for _, endpoint := range []string{"", "/", "/{event}"} {
		require.True(t, u.Hide(app.URL+endpoint), "an endpoint that is everything")
	}
	below, _ := front(t, app.URL+"/site/")
	require.False(t, below.Hide(app.URL+"/site/calls"))
	require.True(t, below.Hide(app.URL+"/site"))
}

func TestUpstreamDown(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(nil)
	app.Close()
	var out bytes.Buffer
	u, err := NewUpstream(app.URL, nil, slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	for range 3 {
		w := httptest.NewRecorder()
		u.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, http.StatusBadGateway, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
	}
	require.Equal(t, 1, strings.Count(out.String(), "does not answer"), out.String())
}

func TestStatic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, "files", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	write("index.html", "index")
	write("a.txt", "a")
	write(".env", "secret")
	write(".git/config", "secret")
	write("bare/b.txt", "b")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "outside"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink("../outside", filepath.Join(dir, "files", "link")))
	rest := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "rest") })
	h, err := NewStatic(filepath.Join(dir, "files"), rest)
	require.NoError(t, err)
	alone, err := NewStatic(filepath.Join(dir, "files"), nil)
	require.NoError(t, err)
	for path, want := range map[string]string{
		"/": "index", "/a.txt": "a", "/bare/b.txt": "b", "/bare/": "rest", "/bare": "rest",
		"/.env": "rest", "/.git/config": "rest", "/link": "rest", "/../outside": "rest",
		"/nothing": "rest",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		h.ServeHTTP(w, r)
		require.Equal(t, want, w.Body.String(), path)
		w = httptest.NewRecorder()
		alone.ServeHTTP(w, r)
		require.Equal(t, want == "rest", w.Code == http.StatusNotFound, path)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/a.txt", nil))
	require.Equal(t, "rest", w.Body.String())
	_, err = NewStatic(filepath.Join(dir, "nowhere"), nil)
	require.Error(t, err)
}
