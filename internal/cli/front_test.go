package cli

import (
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

func TestWhereOtherServersReachThisOne(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:5000": "127.0.0.1:5000", "[::1]:5000": "[::1]:5000", "node-a:80": "node-a:80",
		":5000": "", "0.0.0.0:5000": "", "[::]:5000": "", "127.0.0.1:0": "", "nonsense": "",
	} {
		require.Equal(t, want, reachable(listen), listen)
	}
}

func TestFrontApplies(t *testing.T) {
	t.Parallel()
	o := socketio.Options{Addr: "127.0.0.1:5000"}
	m := membership{url: "valkey://127.0.0.1"}
	f := front{proxies: []string{"10.1.2.3/8", "::1"}, end: ending{drain: time.Second}}
	require.NoError(t, f.apply(&o, &m))
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("::1/128")}, o.TrustedProxies)
	require.Equal(t, "127.0.0.1:5000", m.addr)
	require.Equal(t, time.Second, f.end.drain)

	m.addr = "10.1.1.1:80"
	require.NoError(t, f.apply(&o, &m))
	require.Equal(t, "10.1.1.1:80", m.addr, "--advertise comes first")

	m.addr, o.ReusePort = "", true // which of the processes answers there?
	require.NoError(t, f.apply(&o, &m))
	require.Empty(t, m.addr)

	require.NoError(t, f.apply(&o, &membership{}))
	require.Equal(t, time.Second, f.end.drain, "others may listen on the port")
	o.ReusePort = false
	require.NoError(t, f.apply(&o, &membership{}))
	require.Zero(t, f.end.drain, "a server alone has nowhere to send its clients")
}

// While clients are sent away balancers are told, and pages are still served;
// an interrupt does not wait for them.
func TestEndingIsSpread(t *testing.T) {
	t.Parallel()
	for _, by := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		var f front
		srv, err := newServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1,
			Logger: slog.New(slog.DiscardHandler)}, &membership{}, &f)
		require.NoError(t, err)
		require.NoError(t, srv.Start())
		ready := func() int {
			resp, err := http.Get("http://" + srv.Addr().String() + "/readyz")
			if err != nil {
				return 0
			}
			require.NoError(t, resp.Body.Close())
			return resp.StatusCode
		}
		require.Equal(t, 200, ready())
		c, _, _, err := ws.Dial(t.Context(),
			"ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, wsutil.WriteClientText(c, []byte("40")))
		for text := ""; !strings.HasPrefix(text, "40"); { // the session's open packet, perhaps
			b, err := wsutil.ReadServerText(c)
			require.NoError(t, err)
			text = string(b)
		}
		f.end.drain = 500 * time.Millisecond
		begun := time.Now()
		done := make(chan error, 1)
		go func() { done <- f.end.run(srv, by, slog.New(slog.DiscardHandler)) }()
		if by == syscall.SIGTERM {
			for !f.end.begun.Load() {
				time.Sleep(time.Millisecond)
			}
			require.Equal(t, http.StatusServiceUnavailable, ready())

		}
		for {
			if _, err = wsutil.ReadServerText(c); err != nil {
				break // it has answered the server's close frame
			}
		}

		require.NoError(t, <-done)

		if took := time.Since(begun); by == syscall.SIGTERM {
			require.GreaterOrEqual(t, took, f.end.drain)
		} else {
			require.Less(t, took, f.end.drain)
		}
	}
}
