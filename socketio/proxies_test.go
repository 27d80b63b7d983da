package socketio

import (
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

func TestViaProxies(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
		netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		remote string
		xff    []string
		proto  string
		want   string
		secure bool
	}{
		{"203.0.113.9:5000", []string{"1.2.3.4"}, "https", "203.0.113.9:5000", false},
		{"10.1.2.3:5000", nil, "", "10.1.2.3:5000", false},
		{"10.1.2.3:5000", []string{"1.2.3.4"}, "https", "1.2.3.4", true},
		{"10.1.2.3:5000", []string{"6.6.6.6, 1.2.3.4, 10.0.0.7"}, "http", "1.2.3.4", false},
		{"10.1.2.3:5000", []string{"6.6.6.6", "1.2.3.4", "10.0.0.7"}, "http, https", "1.2.3.4", true},
		{"10.1.2.3:5000", []string{"10.0.0.9, 10.0.0.8"}, "", "10.0.0.9", false},
		{"10.1.2.3:5000", []string{"1.2.3.4, unknown, 10.0.0.8"}, "", "10.0.0.8", false},
		{"10.1.2.3:5000", []string{""}, "", "10.1.2.3:5000", false},
		{"10.1.2.3:5000", []string{"1.2.3.4:81"}, "", "1.2.3.4", false},
		{"[fd00::1]:5000", []string{"[2001:db8::1]:443"}, "HTTPS", "2001:db8::1", true},
		{"[::ffff:10.0.0.1]:80", []string{"::ffff:1.2.3.4"}, "", "1.2.3.4", false},
	} {
		h := http.Header{}
		for _, v := range c.xff {
			h.Add("X-Forwarded-For", v)
		}
		h.Set("X-Forwarded-Proto", c.proto)
		got, secure := viaProxies(trusted, c.remote, h)
		require.Equal(t, c.want, got, c)
		require.Equal(t, c.secure, secure, c)
	}
	got, secure := viaProxies(nil, "10.1.2.3:5000", http.Header{"X-Forwarded-For": {"1.2.3.4"}})
	require.Equal(t, "10.1.2.3:5000", got)
	require.False(t, secure)
}

func FuzzHopAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "[::1]:80", "fe80::1%eth0", "", "x", "[", "1.2.3.4:99999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ip, ok := hopAddr(s); ok {
			require.True(t, ip.IsValid())
		}
	})
}

func TestHandshakeBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{true, false} {
		got := make(chan *Handshake, 1)
		o := Options{Loops: 1}
		if trusted {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		s := serve(t, o, func(s *Server) {
			s.OnConnection(func(k *Socket) { got <- k.Handshake() })
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"X-Forwarded-For": {"6.6.6.6, 198.51.100.7"},
			"X-Forwarded-Proto": {"https"}}}
		c, _, _, err := d.Dial(ctx, "ws://"+s.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, ws.WriteFrame(c, ws.MaskFrame(ws.NewTextFrame([]byte("40")))))
		h := receive(t, got)
		if trusted {
			require.Equal(t, "198.51.100.7", h.Address)
			require.True(t, h.Secure)
		} else {
			require.Equal(t, c.LocalAddr().String(), h.Address)
			require.False(t, h.Secure)
		}
	}
}
