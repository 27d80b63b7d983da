package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/internal/config"
)

func TestBoot(t *testing.T) {
	t.Parallel()
	d := daemonize(t, "namespaces = [\"/chat\"]\n[api]\nkeys = [\""+testKey+"\"]\n", nil)
	for path, want := range map[string]string{
		"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ok"}`, "/version": `"browser_client"`,
		"/debug/pprof/goroutine?debug=1": "goroutine profile", "/api/v1/openapi.json": `"openapi"`,
		"/metrics": `throng_sockets{namespace="/chat"} 0`,
	} {
		status, body := d.get(path)
		require.Equal(t, 200, status, path)
		require.Contains(t, body, want, path)
	}
	status, _ := d.get("/debug/pprof/cmdline")
	require.NotEqual(t, 200, status, "flags may have secrets")
	status, body := d.do("GET", d.public+"/metrics", "")
	require.Equal(t, 404, status, body)
	status, _ = d.do("GET", d.public+"/healthz", "")
	require.Equal(t, 200, status)

	session := d.join()
	status, body = d.api(testKey, "emit", `{"event":"news","args":["hello"]}`)
	require.Equal(t, 200, status, body)
	_, body = d.do("GET", session, "")
	require.Equal(t, `42["news","hello"]`, body)

	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("does not end")
	}
	require.Equal(t, 0, d.cmd.ProcessState.ExitCode(), d.log)
	require.NotContains(t, d.log.String(), testKey)
	require.Len(t, d.lines("ended"), 1)
}

// What is counted on the way of events and broadcasts is on /metrics, and so is
// the application.
func TestMetricsOfTraffic(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	d := daemonize(t, withKey+"[metrics]\nevents = [\"known\"]\nsocket_io_names = true\n"+
		"[app]\nurl = [\""+app.URL+"\"]\n", nil)
	session := d.join()
	d.post(session, `42["known"]`, `42["made up"]`)
	status, body := d.api(testKey, "emit", `{"event":"known"}`)
	require.Equal(t, 200, status, body)
	for line, want := range map[string]float64{
		`throng_events_total{event="known"}`:             1,
		`throng_events_total{event="other"}`:             1,
		`socket_io_events_received_total{event="known"}`: 1,
		`socket_io_events_sent_total{event="known"}`:     1,
		`socket_io_events_sent_total{event="other"}`:     0,
		`throng_event_handler_seconds_count`:             1, // a turn's others come with the next
		`throng_broadcast_fanout_bucket{le="0"}`:         0,
		`throng_broadcast_fanout_bucket{le="1"}`:         1,
		`throng_broadcast_encode_total`:                  1,
		`throng_app_calls_total`:                         3,
		`throng_app_endpoints_down`:                      0,
		`throng_websockets`:                              0,
		`throng_slow_consumer_total{action="closed"}`:    0,
	} {
		if want == 0 {
			_, text := d.get("/metrics")
			require.Contains(t, text, "\n"+line+" 0\n")
			continue
		}
		d.soon(line, func() bool { return d.metric(line) >= want })
	}
	_, text := d.get("/metrics")
	require.NotContains(t, text, "made up")
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "bad.toml")
	for _, c := range []struct{ text, want string }{
		{"= 1", name + ":1:1: "},
		{"loops = 1\nlisen = \"x\"", name + `:2:1: unknown key "lisen": did you mean "listen"?`},
		{"loops = \"1\"", name + ":1:9: loops: want a whole number"},
		{"loops = 256", name + ":1:9: loops: 256 is not between"},
		{"path = \"/readyz\"", name + ":1:1: path: "},
		{"client = \"nowhere\"", name + ":1:1: client: "},
		{"[queues]\nflask = \"http://x\"", name + ":2:1: queues.flask: "},
		{"[cors]\nallowed_origins = [\"x\"]", name + ":2:1: cors.allowed_origins: "},
		{"[api]\nkeys_file = \"/does/not/exist\"", name + ":2:1: api.keys_file: open /does/not/exist"},
	} {
		require.NoError(t, os.WriteFile(name, []byte(c.text), 0o600))
		for _, args := range [][]string{{"serve", "--config", name}, {"config", "check", "--config", name}} {
			code, _, errs := result(t, nil, args...)
			require.Equal(t, exitConfig, code, errs)
			require.Contains(t, errs, "throng: "+c.want)
		}
	}
	for _, c := range []struct {
		env  string
		args string
		code int
		want string
	}{
		{"", "serve --config /does/not/exist", exitConfig, "/does/not/exist: no such file"},
		{"THRONG_LOOPS=x", "serve", exitConfig, "THRONG_LOOPS: "},
		{"THRONG_CONFIG=/does/not/exist", "config print", exitConfig, "no such file"},
		{"", "serve --loops x", exitUsage, "--loops: "},
		{"", "serve --internal-listen x", exitUsage, "--internal-listen: "},
		{"", "serve --nonsense", exitUsage, "unknown flag"},
		{"", "serve --client dir:/does/not/exist", exitUsage, "--client: "},
		{"", "config", exitUsage, "name a command"},
		{"", "config nonsense", exitUsage, ""},
	} {
		code, _, errs := result(t, []string{c.env}, strings.Fields(c.args)...)
		require.Equal(t, c.code, code, "%s: %s", c.args, errs)
		require.Contains(t, errs, c.want)
	}
}

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	code, out, errs := result(t, []string{"THRONG_LOOPS=3", "THRONG_LOPS=1"}, "config", "check")
	require.Zero(t, code, errs)
	require.Contains(t, out, "ok: no file")
	require.Contains(t, out, "THRONG_LOPS in the environment sets nothing; did you mean THRONG_LOOPS?")
	code, out, errs = result(t, []string{"THRONG_LOOPS=3", "THRONG_API_KEYS=" + testKey, "PORT=81"},
		"config", "print", "--reuse-port", "--namespace", "/a", "--namespace", "/b,/c")
	require.Zero(t, code, errs)
	require.Regexp(t, `(?m)^loops = 3 +# THRONG_LOOPS$`, out)
	require.Regexp(t, `(?m)^reuse_port = true +# --reuse-port$`, out)
	require.Regexp(t, `(?m)^namespaces = \["/a", "/b", "/c"\] +# --namespace$`, out)
	require.Regexp(t, `(?m)^listen = ":81" +# PORT$`, out)
	require.NotContains(t, out, testKey)
	code, out, _ = result(t, nil, "config", "sample")
	require.Zero(t, code)
	require.Contains(t, out, "#ping_interval = \"25s\"")
	code, out, _ = result(t, nil, "config", "reference")
	require.Zero(t, code)
	require.Contains(t, out, "| `pingInterval` |")
}

// Every setting has its flag on serve.
func TestFlagsOfServe(t *testing.T) {
	t.Parallel()
	c := newServe()
	for _, f := range config.Fields() {
		require.NotNil(t, c.Flags().Lookup(f.Flag), f.Flag)
	}
	require.NotNil(t, c.Flags().Lookup("config"))
}

func TestTakenInternalAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	code, _, errs := result(t, nil, "serve", "--listen", "127.0.0.1:0", "--loops", "1",
		"--internal-listen", l.Addr().String())
	require.Equal(t, exitRuntime, code)
	require.Contains(t, errs, "address already in use")
}

func TestWithoutInternalPort(t *testing.T) {
	t.Parallel()
	errs := newOutput()
	cmd := command(t, nil, "serve", "--listen", "127.0.0.1:0", "--loops", "1", "--internal-listen", "off")
	cmd.Stderr = errs
	require.NoError(t, cmd.Start())
	errs.find(t, `"msg":"listening".*"listen":"([^"]+)"`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	require.NotContains(t, errs.String(), "internal port")
}

func TestWrongKeyAndRate(t *testing.T) {
	t.Parallel()
	d := daemonize(t, "[api]\nkeys = [\"ci:"+testKey+"\"]\nrequests_per_second = 0.001\n", nil)
	status, body := d.api("wrong-"+testKey, "stats", "")
	require.Equal(t, 401, status)
	require.Contains(t, body, `"type":"urn:throng:problem:key"`)
	status, _ = d.api(testKey, "stats", "")
	require.Equal(t, 200, status)
	status, body = d.api(testKey, "stats", "")
	require.Equal(t, 429, status)
	require.Contains(t, body, "api.requests_per_second")
	require.Len(t, d.lines("httpapi: a request without a valid key"), 1)
	require.EqualValues(t, 1, d.metric(`throng_api_requests_total{endpoint="stats",status="429"}`))
	require.NotContains(t, d.log.String(), testKey)
}

// The address that counts is the client's if a trusted proxy tells it, as far
// as that has written it, and the connection's if not.
func TestAddressBehindProxies(t *testing.T) {
	t.Parallel()
	const one = "[limits]\nconnections_per_address = 1\n"
	for _, c := range []struct {
		settings string
		want     []int
	}{
		{"trusted_proxies = [\"127.0.0.0/8\"]\n" + one, []int{200, 429, 429, 200, 200, 429}},
		{"trusted_proxies = [\"10.0.0.0/8\"]\n" + one, []int{200, 429, 429, 429, 429, 429}},
		{one, []int{200, 429, 429, 429, 429, 429}},
	} {
		d := daemonize(t, c.settings, nil)
		var got []int
		for _, forwarded := range []string{"203.0.113.1", "203.0.113.1", "203.0.113.9, 203.0.113.1",
			"203.0.113.2", "2001:db8:1::1", "[2001:db8:1::2]:80"} {
			status, _ := d.poll("X-Forwarded-For", forwarded)
			got = append(got, status)
		}
		require.Equal(t, c.want, got, c.settings)
		refused := 0
		for _, status := range got {
			if status == 429 {
				refused++
			}
		}
		require.EqualValues(t, refused, d.metric(`throng_dropped_total{reason="connections_per_address"}`))
	}
}

// Without its broker a server goes on, and says so.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t)
	settings := "[cluster]\nvalkey = \"" + broker.URL() + "\"\n"
	d := daemonize(t, settings, nil)
	ready := func(status int, text string) func() bool {
		return func() bool {
			got, body := d.get("/readyz")
			return got == status && strings.Contains(body, text)
		}
	}
	d.soon("joined", ready(200, `"ok"`))
	require.EqualValues(t, 1, d.metric("throng_cluster_connected"))
	broker.Stop()
	d.soon("degraded", ready(200, `"degraded"`))
	require.EqualValues(t, 0, d.metric("throng_cluster_connected"))
	status, _ := d.get("/healthz")
	require.Equal(t, 200, status)
	_, body := d.do("GET", d.public+"/healthz", "")
	require.Equal(t, "degraded\n", body)
	d.join()
	d.reload(settings + "[ready]\nrequire_broker = true\n")
	d.soon("unavailable", ready(503, `"unavailable"`))
	broker.Restart()
	d.soon("joined again", ready(200, `"ok"`))
}

// While its clients are sent away a server says so, and is still watched.
func TestDraining(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t)
	d := daemonize(t, "drain.duration = \"2s\"\n[cluster]\nvalkey = \""+broker.URL()+"\"\n", nil)
	d.join()
	require.Zero(t, d.metric("throng_draining"))
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	d.soon("unready", func() bool {
		status, body := d.get("/readyz")
		return status == 503 && strings.Contains(body, `"draining"`)
	})
	require.EqualValues(t, 1, d.metric("throng_draining"))
	status, _ := d.get("/healthz")
	require.Equal(t, 200, status)
	<-d.ended
	require.Zero(t, d.cmd.ProcessState.ExitCode(), d.log)
}

// Wrong keys by the hundred leave a few lines.
func TestNoiseIsSampled(t *testing.T) {
	t.Parallel()
	d := daemonize(t, "[api]\nkeys = [\""+testKey+"\"]\n", nil)
	began := time.Now()
	for range 100 {
		d.api("x", "stats", "")
	}
	seconds := int(time.Since(began)/time.Second) + 2
	require.LessOrEqual(t, len(d.lines("httpapi: a request without a valid key")), 5*seconds)
}
