package socketio

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Patterns that mean everything, or everything by GET, stand beside Socket.IO:
// they take nothing from it, on a loop and on a connection net/http has kept.
func TestPatternsThatMeanMoreThanThePath(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"/", "GET /", "GET /{page}", "GET /{rest...}", "/{a}"} {
		s := serve(t, Options{}, func(s *Server) {
			s.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
			s.Handle("GET /socket.io.css", http.NotFoundHandler())
			s.HandleFunc("POST /notify", func(http.ResponseWriter, *http.Request) {})
		})
		client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
		defer client.CloseIdleConnections()
		for _, path := range []string{"/socket.io/?EIO=4&transport=polling", "/x",
			"/socket.io/?EIO=4&transport=polling", "/socket.io?EIO=4&transport=polling"} {
			resp, err := client.Get("http://" + s.Addr().String() + path)
			require.NoError(t, err)
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, path == "/x", string(b) == "page", "%s: %s: %s", pattern, path, b)
		}
	}
}

func TestPatternsOfThePath(t *testing.T) {
	t.Parallel()
	s, err := NewServer(Options{Path: "/rt/", Logger: silent()})
	require.NoError(t, err)
	for _, pattern := range []string{"/rt", "/rt/", "GET /rt", "GET /rt/{$}", "example.org/rt/x", "POST a.b/rt/"} {
		require.PanicsWithValue(t, fmt.Sprintf("socketio: a handler for %q would never be asked: "+
			"Engine.IO answers at /rt and below it (Options.Path)", pattern),
			func() { s.Handle(pattern, http.NotFoundHandler()) })
		require.Panics(t, func() { s.HandleFunc(pattern, nil) })
	}
	for _, pattern := range []string{"/rtx", "/r", "GET /rtx/", "/socket.io/", "/x/rt/"} {
		s.Handle(pattern, http.NotFoundHandler())
	}
	require.Panics(t, func() { s.Handle("/rtx", http.NotFoundHandler()) }, "as http.ServeMux does")
}
