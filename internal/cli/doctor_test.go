package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/doctor"
	"github.com/throng-server/throng/socketio"
)

func patient(t *testing.T, o socketio.Options) string {
	t.Helper()
	o.Addr, o.Loops, o.Logger = "127.0.0.1:0", 1, slog.New(slog.DiscardHandler)
	srv, err := socketio.NewServer(o)
	require.NoError(t, err)
	require.NoError(t, srv.Start())
	t.Cleanup(func() { _ = srv.Shutdown(t.Context()) })
	return "http://" + srv.Addr().String()
}

// examine runs the doctor and returns its findings by check.
func examine(t *testing.T, code int, args ...string) map[string]doctor.Finding {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, code, Main(append([]string{"doctor", "--json"}, args...), &out, &errs),
		"%s%s", &out, &errs)
	var r doctor.Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	by := map[string]doctor.Finding{}
	for _, f := range r.Findings {
		by[f.Check] = f
	}
	return by
}

// through puts a proxy before servers, which it asks in turn.
func through(t *testing.T, change func(*httputil.ProxyRequest), servers ...string) string {
	t.Helper()
	var n atomic.Int64
	p := &httputil.ReverseProxy{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			u, err := url.Parse(servers[int(n.Add(1))%len(servers)])
			if err == nil {
				r.SetURL(u)
			}
			r.Out.Host = r.In.Host
			change(r)
		},
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

func TestDoctorOfAHealthyServer(t *testing.T) {
	t.Parallel()
	s := patient(t, socketio.Options{PingInterval: 200 * time.Millisecond})
	for name, u := range map[string]string{
		"direct": s, "proxy": through(t, func(*httputil.ProxyRequest) {}, s),
	} {
		by := examine(t, exitOK, "--url", u)
		for _, check := range []string{"reachable", "handshake", "CORS", "polling",
			"session on new connections", "upgrade from polling", "websocket"} {
			require.Equal(t, doctor.OK, by[check].Level, "%s: %s: %+v", name, check, by)
		}
		for _, check := range []string{"idle websocket", "idle poll"} {
			require.Contains(t, by[check].Found, "ping came", name)
		}
	}
}

func TestDoctorOfAForeignOrigin(t *testing.T) {
	t.Parallel()
	const page = "https://page.example"
	by := examine(t, exitRuntime, "--idle", "0s", "--origin", page, "--url",
		patient(t, socketio.Options{}))
	require.Equal(t, doctor.Fail, by["handshake"].Level)
	require.Contains(t, by["handshake"].Advice, "--cors-allowed-origins "+page)
	by = examine(t, exitOK, "--idle", "0s", "--origin", page, "--url",
		patient(t, socketio.Options{CORSAllowedOrigins: []string{page}}))
	require.Equal(t, doctor.OK, by["CORS"].Level)
}

func TestDoctorOfAProxyWithoutUpgrade(t *testing.T) {
	t.Parallel()
	u := through(t, func(r *httputil.ProxyRequest) {
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
	}, patient(t, socketio.Options{}))
	by := examine(t, exitRuntime, "--idle", "0s", "--url", u)
	require.Equal(t, doctor.OK, by["polling"].Level)
	require.Equal(t, doctor.Warn, by["upgrade from polling"].Level)
	require.Equal(t, doctor.Fail, by["websocket"].Level)
	require.Contains(t, by["websocket"].Advice, "proxy_set_header Upgrade")
}

func TestDoctorOfABalancerThatIsNotSticky(t *testing.T) {
	t.Parallel()
	u := through(t, func(*httputil.ProxyRequest) {}, patient(t, socketio.Options{}),
		patient(t, socketio.Options{}))
	by := examine(t, exitRuntime, "--idle", "0s", "--url", u)
	require.Equal(t, doctor.Fail, by["session on new connections"].Level)
	require.Contains(t, by["session on new connections"].Advice, "sticky")
}

// Proxies that cut what says nothing for a while: one before the first ping,
// the other only where it is silent for nearly a whole interval.
func TestDoctorOfACut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ interval, limit time.Duration }{
		"soon":              {25 * time.Second, 700 * time.Millisecond},
		"between two pings": {5 * time.Second, 4400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := cutting(t, patient(t, socketio.Options{PingInterval: c.interval}), c.limit)
			by := examine(t, exitRuntime, "--url", u)
			for _, check := range []string{"idle websocket", "idle poll"} {
				require.Equal(t, doctor.Fail, by[check].Level, "%+v", by)
				require.Contains(t, by[check].Advice, "proxy_read_timeout")
			}
		})
	}
}

// cutting is a proxy that ends connections on which the server has said nothing
// for a time.
func cutting(t *testing.T, target string, limit time.Duration) string {
	s, err := url.Parse(target)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", s.Host)
			if err != nil {
				_ = in.Close()
				return
			}
			go func() { _, _ = io.Copy(out, in) }()
			go func() {
				b := make([]byte, 64<<10)
				for {
					_ = out.SetReadDeadline(time.Now().Add(limit))
					n, err := out.Read(b)
					if _, werr := in.Write(b[:n]); err != nil || werr != nil {
						_, _ = in.Close(), out.Close()
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// Something else, or nothing, at the address.
func TestDoctorOfSomethingElse(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	by := examine(t, exitRuntime, "--url", web.URL)
	require.Equal(t, doctor.Fail, by["handshake"].Level)
	require.Contains(t, by["handshake"].Advice, "something else answers")
	web.Close()
	by = examine(t, exitRuntime, "--url", web.URL)
	require.Equal(t, doctor.Fail, by["reachable"].Level)
}

func TestDoctorOfThisMachine(t *testing.T) {
	t.Parallel()
	by := examine(t, exitOK, "--connections", "10")
	require.Contains(t, by["open files"].Found, "10 connections need 266")
	by = examine(t, exitRuntime, "--connections", "100000000")
	require.Equal(t, doctor.Fail, by["open files"].Level)
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, Main([]string{"doctor", "--connections", "10"}, &out, &errs))
	require.Contains(t, out.String(), "failures")
	for _, args := range [][]string{{"--url", "ftp://x"}, {"--connections", "0"}, {"x"}} {
		require.Equal(t, exitUsage, Main(append([]string{"doctor"}, args...), &out, &errs), args)
	}
}
