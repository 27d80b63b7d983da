package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/config"
)

// adjustable has, for every setting that counts without a restart, what a daemon is
// started with, what is reloaded, and how it shows.
var adjustable = map[string]struct {
	from, to string
	// see is called before and after and tells which of the two it is.
	see func(d *daemon) (after bool)
}{
	"limits.connections": {"", "[limits]\nconnections = 17\n", func(d *daemon) bool {
		return d.metric("throng_connections_limit") == 17
	}},
	"limits.connections_per_address": {"", "[limits]\nconnections_per_address = 2\n",
		func(d *daemon) bool {
			d.poll() // one of them stays from the look before
			d.poll()
			status, _ := d.poll()
			return status == 429
		}},
	"limits.events_per_second": {"", "[limits]\nevents_per_second = 0.001\n",
		func(d *daemon) bool { return lost(d, 3) == 2 }},
	"limits.events_burst": {"[limits]\nevents_per_second = 0.001\n",
		"[limits]\nevents_per_second = 0.001\nevents_burst = 3\n",
		func(d *daemon) bool { return lost(d, 3) == 0 }},
	"cors.allowed_origins": {"", "[cors]\nallowed_origins = [\"https://a.example\"]\n",
		func(d *daemon) bool {
			status, _ := d.poll("Origin", "https://a.example")
			return status == 200
		}},
	"internal.pprof": {"", "internal.pprof = false\n", func(d *daemon) bool {
		status, _ := d.get("/debug/pprof/")
		return status == 404
	}},
	"api.keys": {"", "[api]\nkeys = [\"" + testKey + "\"]\n", func(d *daemon) bool {
		status, _ := d.api(testKey, "stats", "")
		return status == 200
	}},
	"api.max_body": {withKey, withKey + "max_body = 20\n", func(d *daemon) bool {
		status, _ := d.api(testKey, "emit", `{"event":"longer than that"}`)
		return status == 413
	}},
	"api.timeout": {withKey, withKey + "timeout = \"100ms\"\n", func(d *daemon) bool {
		d.join()
		began := time.Now()
		d.api(testKey, "emit", `{"event":"q","ack":true,"timeout_ms":1500}`)
		return time.Since(began) < 1400*time.Millisecond
	}},
	"api.requests_per_second": {withKey, withKey + "requests_per_second = 0.001\n",
		func(d *daemon) bool {
			d.api(testKey, "stats", "")
			status, _ := d.api(testKey, "stats", "")
			return status == 429
		}},
	"ready.require_broker": {noQueue, noQueue + "[ready]\nrequire_broker = true\n",
		func(d *daemon) bool {
			status, body := d.get("/readyz")
			require.Contains(d.t, body, "is not connected")
			return status == 503
		}},
	"metrics.socket_io_names": {"", "[metrics]\nsocket_io_names = true\n", func(d *daemon) bool {
		_, text := d.get("/metrics")
		return strings.Contains(text, "\nsocket_io_connected ")
	}},
	"log.level": {withKey, withKey + "[log]\nlevel = \"debug\"\n", debugLines},
	"log.debug": {withKey, withKey + "[log]\ndebug = \"throng:httpapi\"\n", debugLines},
}

const (
	withKey = "[api]\nkeys = [\"" + testKey + "\"]\n"
	noQueue = "[queues]\nflask = \"redis://127.0.0.1:1\"\n" // nothing listens there
)

// lost is how many of the events of a new socket are dropped.
func lost(d *daemon, events int) int {
	const dropped = `throng_dropped_total{reason="event_rate"}`
	const received = `throng_events_total{event="other"}`
	before, had := d.metric(dropped), d.metric(received)
	session := d.join()
	for range events {
		d.post(session, `42["e"]`)
	}
	d.soon("events", func() bool { return int(d.metric(received)-had) == events })
	return int(d.metric(dropped) - before)
}

func debugLines(d *daemon) bool {
	const warning = "httpapi: a request without a valid key"
	before, warned := len(d.lines("httpapi: request")), len(d.lines(warning))
	d.api(testKey, "stats", "")
	d.api("wrong", "stats", "") // leaves a line, and behind the other
	d.soon("warning", func() bool { return len(d.lines(warning)) > warned })
	return len(d.lines("httpapi: request")) > before
}

func TestEveryLiveSettingChanges(t *testing.T) {
	t.Parallel()
	for _, f := range config.Fields() {
		c, ok := adjustable[f.Key]
		if f.FileOf != nil {
			continue // see TestKeysFromAFile
		}
		require.Equal(t, f.Reload != config.Restart, ok, "%s is %s", f.Key, f.Reload)
		if !ok {
			continue
		}
		t.Run(f.Key, func(t *testing.T) {
			t.Parallel()
			d := daemonize(t, c.from, nil)
			require.False(t, c.see(d), "before")
			d.reload(c.to)
			require.Equal(t, f.Key, d.lines("settings read")[0]["changed"])
			require.True(t, c.see(d), "after: %s", d.log)
			d.reload(c.from)
			require.False(t, c.see(d), "back")
		})
	}
}

// DEBUG as people know it from Node.
func TestDebugOfAModule(t *testing.T) {
	t.Parallel()
	d := daemonize(t, "", []string{"DEBUG=socket.io:*"})
	session := d.join()
	d.api(testKey, "stats", "")
	d.post(session, "1")
	d.soon("both lines", func() bool { return len(d.lines("socketio: a socket has left")) == 1 })
	require.Equal(t, "polling", d.lines("socketio: a socket has connected")[0]["transport"])
	require.Empty(t, d.lines("httpapi: request"))
}

func TestKeysFromAFile(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte(testKey+"\n"), 0o600))
	settings := "[api]\nkeys_file = \"" + keys + "\"\n"
	d := daemonize(t, settings, nil)
	status, _ := d.api(testKey, "stats", "")
	require.Equal(t, 200, status)
	require.NoError(t, os.WriteFile(keys, []byte("another-"+testKey+"\n"), 0o600))
	d.reload(settings)
	status, _ = d.api(testKey, "stats", "")
	require.Equal(t, 401, status)
	status, _ = d.api("another-"+testKey, "stats", "")
	require.Equal(t, 200, status)
}

func TestBadReloadChangesNothing(t *testing.T) {
	t.Parallel()
	d := daemonize(t, withKey, nil)
	d.reload("[limits]\nconnections = 17\n[log]\nlevel = \"loud\"\n")
	refused := d.lines("settings refused, those in force stay")
	require.Len(t, refused, 1)
	require.Contains(t, refused[0]["error"], `log.level: "loud" is none of`)
	require.NotEqualValues(t, 17, d.metric("throng_connections_limit"))
	require.EqualValues(t, 0, d.metric("throng_config_reload_success"))
	require.EqualValues(t, 1, d.metric(`throng_config_reloads_total{result="refused"}`))
	status, _ := d.api(testKey, "stats", "")
	require.Equal(t, 200, status, "the key is still right")
	d.reload("[limits]\nconnections = 17\n")
	require.EqualValues(t, 17, d.metric("throng_connections_limit"))
	require.EqualValues(t, 1, d.metric("throng_config_reload_success"))
}

func TestWhatTakesARestartIsNamed(t *testing.T) {
	t.Parallel()
	d := daemonize(t, "", nil, "--path", "/x/")
	d.reload("ping_interval = \"9s\"\npath = \"/y/\"\n[log]\nlevel = \"debug\"\n[limits]\nrooms = 5\n")
	line := d.lines("settings read")[0]
	require.Equal(t, "log.level", line["changed"])
	require.Equal(t, "ping_interval limits.rooms", line["restart_needed"], "a flag has the path")
	_, session := d.do("GET", d.public+"/x/?EIO=4&transport=polling", "")
	require.Contains(t, session, `"pingInterval":25000`)
}
