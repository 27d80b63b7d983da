package health

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

func fine() *State {
	s := &State{Listening: true}
	s.ConnectionsLimit = 10
	s.Loops = []socketio.LoopStats{{Silent: 50 * time.Millisecond}, {}}
	return s
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what           string
		change         func(s *State)
		healthy, ready string
		problem        string
	}{
		{"all well", func(*State) {}, "ok", "ok", ""},
		{"starting", func(s *State) { s.Listening = false }, "unavailable", "unavailable", "not listening"},
		{"stuck", func(s *State) { s.Loops[1].Silent = 6 * time.Second }, "unavailable", "ok", ""},
		{"draining", func(s *State) { s.Draining = true }, "ok", "unavailable", "draining"},
		{"full", func(s *State) { s.Connections = 10 }, "ok", "unavailable", "10 connections are open, the limit"},
		{"nearly full", func(s *State) { s.Connections = 9 }, "ok", "ok", ""},
		{"no broker", func(s *State) { s.Broker = true }, "ok", "degraded", "the broker does not answer"},
		{"broker needed", func(s *State) { s.Broker, s.RequireBroker = true, true }, "ok", "unavailable", "the broker does not answer"},
		{"broker", func(s *State) { s.Broker, s.RequireBroker, s.Cluster.Connected = true, true, true }, "ok", "ok", ""},
		{"spill", func(s *State) { s.Broker, s.Cluster.Connected, s.Cluster.Degraded = true, true, true }, "ok", "degraded",
			"other servers may miss what this one publishes"},
		{"queue", func(s *State) { s.QueuesAway = true }, "ok", "degraded", "a queue of other processes' emits is not connected"},
		{"workers", func(s *State) { s.WorkersAway = true }, "ok", "degraded", "the broker of the application's workers does not answer"},
		{"queue needed", func(s *State) { s.QueuesAway, s.RequireBroker = true, true }, "ok", "unavailable",
			"a queue of other processes' emits is not connected"},
	} {
		s := fine()
		c.change(s)
		require.Equal(t, c.healthy, Healthy(s).Status, c.what)
		r := Ready(s)
		require.Equal(t, c.ready, r.Status, c.what)
		if c.problem != "" {
			require.Equal(t, []string{c.problem}, r.Problems)
		} else {
			require.Empty(t, r.Problems)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for status, code := range map[string]int{"ok": 200, "degraded": 200, "unavailable": 503} {
		w := httptest.NewRecorder()
		Handler(func() Report { return Report{Status: status, Problems: []string{"x"}} }).
			ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, code, w.Code)
		var r Report
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
		require.Equal(t, Report{status, []string{"x"}}, r)
	}
}
