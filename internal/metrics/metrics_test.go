package metrics

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

func full() Snapshot {
	s := Snapshot{Namespaces: []string{"/chat"}, Version: "v1", ClientVersion: "4", GoVersion: "go",
		Unhandled: 3, ReloadsOK: 1, ReloadsFailed: 2, LastReloadOK: true, LastReload: time.Unix(1700000000, 5e8),
		API: map[Call]uint64{{"emit", 200}: 7}, SocketIONames: true}
	s.Connections, s.ConnectionsLimit, s.Detached, s.Rooms = 5, 100, 1, 4
	s.Sockets = map[string]int{"/": 2, "/chat": 3, "/made-by-a-client": 4, "/another": 5}
	s.Handshakes = map[string]uint64{"polling": 4, "websocket": 6}
	s.Disconnects = map[string]uint64{"transport close": 3}
	s.Drops = map[string]uint64{"event_rate": 2}
	s.BytesIn, s.BytesOut = 1000, 2000
	s.Loops = []socketio.LoopStats{{Connections: 2, Lag: 3 * time.Millisecond, Silent: time.Second}, {Connections: 3}}
	s.Recovery.Results = map[string]uint64{"recovered": 1}
	s.Cluster.Broker, s.Cluster.Connected = "valkey", true
	s.Cluster.Dropped = map[string]uint64{"expired": 1}
	s.ForwardedOut, s.ForwardErrors, s.ForwardedIn = 5, 2, 9
	s.Drops["slow_consumer"], s.Drops["volatile"] = 4, 6
	s.EventsByName = map[string]uint64{"chat": 8, "other": 1, "": 20}
	s.SentByName = map[string]uint64{"chat": 9, "other": 0, "": 30}
	s.HandlerTimes = socketio.Histogram{Bounds: []float64{0.001, 0.1}, Counts: []uint64{4, 2, 1}, Sum: 1.5}
	s.AckTimes = socketio.Histogram{Bounds: []float64{1}, Counts: []uint64{2, 0}, Sum: 0.5}
	s.Fanouts = socketio.Histogram{Bounds: []float64{0, 10}, Counts: []uint64{1, 0, 3}, Sum: 99}
	s.AckTimeouts, s.Encodes, s.QueuedBytes, s.RoomMembers, s.WebSockets = 11, 12, 13, 14, 15
	s.App = &App{Calls: 21, Requests: 22, Batches: 23, Retried: 24, Waiting: 25, Flying: 26, Down: 1,
		Failures: map[string]uint64{"busy": 27},
		Streams: []AppStream{{Name: "calls", Connected: true, Length: 5, Pending: 3, Kept: 1,
			Waiting: 2, Added: 8, Answers: 7, Late: 1, Redelivered: 2}}}
	return s
}

func scrape(t *testing.T, s Snapshot) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(func() Snapshot { return s }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	b, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(b)
}

func TestValues(t *testing.T) {
	t.Parallel()
	text := scrape(t, full())
	for _, line := range []string{
		`throng_build_info{client_version="4",go_version="go",version="v1"} 1`,
		`throng_connections 5`, `throng_connections_limit 100`, `throng_sessions 7`,
		`throng_sockets{namespace="/"} 2`, `throng_sockets{namespace="/chat"} 3`,
		`throng_sockets{namespace="other"} 9`,
		`throng_handshakes_total{transport="polling"} 4`,
		`throng_dropped_total{reason="event_rate"} 2`, `throng_bytes_total{direction="out"} 2000`,
		`throng_loop_lag_seconds{loop="0"} 0.003`, `throng_loop_silent_seconds{loop="0"} 1`,
		`throng_loop_connections{loop="1"} 3`, `throng_recoveries_total{result="recovered"} 1`,
		`throng_cluster_connected 1`, `throng_cluster_dropped_total{reason="expired"} 1`,
		`throng_config_reloads_total{result="refused"} 2`, `throng_config_reload_success 1`,
		`throng_config_last_reload_success_timestamp_seconds 1.7000000005e+09`,
		`throng_api_requests_total{endpoint="emit",status="200"} 7`, `throng_unhandled_events_total 3`,
		`throng_app_stream_length{stream="calls"} 5`,
		`throng_app_stream_pending{stream="calls"} 3`, `throng_app_stream_dead{stream="calls"} 1`,
		`throng_app_stream_calls_total{stream="calls",what="redelivered"} 2`,
		`throng_app_stream_answers_total{stream="calls",what="in_time"} 6`,
		`throng_app_stream_waiting{stream="calls"} 2`,
		`throng_websockets 15`, `throng_room_memberships 14`, `throng_write_queue_bytes 13`,
		`throng_drain_remaining 0`, `throng_slow_consumer_total{action="closed"} 4`,
		`throng_slow_consumer_total{action="dropped"} 6`, `throng_events_total{event="chat"} 8`,
		`throng_events_total{event="other"} 21`, `throng_ack_timeouts_total 11`,
		`throng_event_handler_seconds_bucket{le="0.001"} 4`,
		`throng_event_handler_seconds_bucket{le="0.1"} 6`,
		`throng_event_handler_seconds_bucket{le="+Inf"} 7`, `throng_event_handler_seconds_sum 1.5`,
		`throng_event_handler_seconds_count 7`, `throng_ack_seconds_count 2`,
		`throng_broadcast_fanout_bucket{le="0"} 1`, `throng_broadcast_fanout_count 4`,
		`throng_broadcast_encode_total 12`, `throng_foreign_sid_total{action="forwarded"} 3`,
		`throng_foreign_sid_total{action="failed"} 2`, `throng_foreign_sid_total{action="received"} 9`,
		`throng_app_calls_total 21`, `throng_app_failures_total{code="busy"} 27`,
		`throng_app_waiting 25`, `throng_app_endpoints_down 1`,
		`socket_io_events_received_total{event="other"} 21`,
		`socket_io_events_sent_total{event="chat"} 9`,
		`socket_io_connected 14`, `socket_io_recieve_bytes 1000`, `socket_io_disconnect_total 3`,
	} {
		require.Contains(t, text, "\n"+line+"\n")
	}
	require.Contains(t, text, "go_goroutines")
	require.Contains(t, text, "process_open_fds")
	ends := full()
	ends.Draining = true
	require.Contains(t, scrape(t, ends), "\nthrong_drain_remaining 7\n")
}

// A scrape is not to cost more than it must, however the client asks for it.
func TestScrapesAreNotCompressed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip, zstd")
	w := httptest.NewRecorder()
	Handler(full).ServeHTTP(w, r)
	require.Empty(t, w.Header().Get("Content-Encoding"))
	require.Contains(t, w.Body.String(), "throng_connections 5\n")
}

func TestEveryMetricIsThere(t *testing.T) {
	t.Parallel()
	all, none := scrape(t, full()), scrape(t, Snapshot{})
	for _, m := range Table() {
		require.Contains(t, all, "\n"+m.Name, m.Name)
		if m.If != "" {
			require.NotContains(t, none, "\n"+m.Name, m.Name)
		}
		require.NotEmpty(t, m.Help)
		require.Equal(t, m.If != "", m.when != nil, m.Name)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range Table() {
		require.False(t, seen[m.Name], m.Name)
		seen[m.Name] = true
		require.Regexp(t, `^[a-z][a-z_]+$`, m.Name)
		if m.If != ifNode {
			require.True(t, strings.HasPrefix(m.Name, "throng_"))
			require.NotEqual(t, m.read == nil, m.hist == nil, m.Name)
			require.Equal(t, m.kind == counter, strings.HasSuffix(m.Name, "_total"), m.Name)
		}
		require.NotContains(t, m.Name, "milli")
	}
}

// A client that invents namespaces makes no new series.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	s := full()
	before := strings.Count(scrape(t, s), "\n")
	for i := range 1000 {
		s.Sockets["/x"+strconv.Itoa(i)] = 1
	}
	require.Equal(t, before, strings.Count(scrape(t, s), "\n"))
}

func TestOfAServer(t *testing.T) {
	t.Parallel()
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Start())
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	}()
	text := scrape(t, Snapshot{Stats: srv.Stats()})
	require.Contains(t, text, `throng_loop_connections{loop="1"} 0`)
	require.Contains(t, text, "throng_connections 0\n")
	require.NotContains(t, text, "throng_connections_limit 0\n")
	require.Contains(t, text, "throng_event_handler_seconds_bucket{le=\"1e-05\"} 0\n")
	require.Contains(t, text, "throng_event_handler_seconds_bucket{le=\"10\"} 0\n")
	require.Contains(t, text, "throng_broadcast_fanout_bucket{le=\"50000\"} 0\n")
}

func TestPageNamesEveryMetric(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	for _, m := range Table() {
		require.Contains(t, string(page), "`"+m.Name+"`", m.Name)
	}
	for _, name := range used(string(page)) {
		require.True(t, known(name), "docs/operate.md: %s is no metric", name)
	}
}

func TestBoardNamesOnlyMetricsThatExist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../packaging/grafana/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		var board struct {
			Title  string
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(data, &board))
		require.NotEmpty(t, board.Panels)
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				names := used(target.Expr)
				require.NotEmpty(t, names, p.Title)
				for _, n := range names {
					require.True(t, known(n), "%s: %s is no metric", p.Title, n)
				}
			}
		}
		for _, n := range used(string(data)) {
			require.True(t, known(n), "%s is no metric", n)
		}
	}
}

// What the page marks with a star is on the board, and nothing else is.
func TestStarsAreOnTheBoard(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operate.md")
	require.NoError(t, err)
	board, err := os.ReadFile("../../packaging/grafana/throng.json")
	require.NoError(t, err)
	shown := used(string(board))
	for _, m := range Table() {
		on := slices.ContainsFunc(shown, func(name string) bool {
			return name == m.Name || m.hist != nil && strings.HasPrefix(name, m.Name+"_")
		})
		if m.Name == "throng_build_info" {
			continue // where the board has its list of servers from
		}
		starred := strings.Contains(string(page), "`"+m.Name+"`*")
		require.Equal(t, starred, on, "%s: star, on the board", m.Name)
	}
}

var metricName = regexp.MustCompile(`\b(throng|socket_io|process|go)_[a-z_]+\b`)

// used are the names of metrics in a text; one setting looks like them.
func used(text string) []string {
	return slices.DeleteFunc(metricName.FindAllString(text, -1),
		func(name string) bool { return name == "socket_io_names" })
}

func known(name string) bool {
	for _, m := range Table() {
		if m.Name == name || m.hist != nil && slices.Contains(
			[]string{m.Name + "_bucket", m.Name + "_sum", m.Name + "_count"}, name) {
			return true
		}
	}
	switch name {
	case "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds",
		"process_max_fds", "go_goroutines", "go_memstats_heap_inuse_bytes", "go_gc_duration_seconds":
		return true
	}
	return false
}
