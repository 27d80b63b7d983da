package eio_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/eio"
)

func TestAppendOpen(t *testing.T) {
	t.Parallel()
	o := eio.OpenInfo{
		SID: "OwRO2D75f5hMpP3VAAAA", Upgrades: []string{"websocket"},
		PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1e6,
	}
	require.Equal(t, `0{"sid":"OwRO2D75f5hMpP3VAAAA","upgrades":["websocket"],`+
		`"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
		string(eio.AppendOpen(nil, o)))
	o = eio.OpenInfo{
		SID: "a", PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 5,
	}
	require.Equal(t, `x0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":5}`,
		string(eio.AppendOpen([]byte("x"), o)))
	o.Upgrades = []string{"websocket", "webtransport"}
	require.Contains(t, string(eio.AppendOpen(nil, o)), `"upgrades":["websocket","webtransport"],`)
}

func TestAppendPayload(t *testing.T) {
	t.Parallel()
	body := eio.AppendPayload(nil, eio.Packet{Type: eio.Message, Data: []byte("hello")})
	body = eio.AppendPayload(body, eio.ParseBinary([]byte{1, 2, 3, 4}))
	body = eio.AppendPayload(body, eio.Packet{Type: eio.Ping})
	require.Equal(t, "4hello\x1ebAQIDBA==\x1e2", string(body))
}

func TestReasons(t *testing.T) {
	t.Parallel()
	require.Equal(t, "", eio.ReasonNone.String())
	require.Equal(t, "transport close", eio.ReasonTransportClose.String())
	require.Equal(t, "transport error", eio.ReasonTransportError.String())
	require.Equal(t, "ping timeout", eio.ReasonPingTimeout.String())
	require.Equal(t, "parse error", eio.ReasonParseError.String())
	require.Equal(t, "forced close", eio.ReasonForcedClose.String())
	require.Equal(t, "forced server close", eio.ReasonForcedServerClose.String())
	require.Equal(t, "server shutting down", eio.ReasonServerShuttingDown.String())
	require.Equal(t, "client namespace disconnect", eio.ReasonClientNamespaceDisconnect.String())
	require.Equal(t, "server namespace disconnect", eio.ReasonServerNamespaceDisconnect.String())
	require.Equal(t, "server reason 64", eio.ReasonServer.String())
}

func TestSessionIsTiny(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, unsafe.Sizeof(eio.Session{}), uintptr(8))
}

func TestZeroSessionIsClosed(t *testing.T) {
	t.Parallel()
	var s eio.Session
	c := &eio.Config{}
	require.True(t, s.Closed())
	a, next := s.Tick(c, 5)
	require.Equal(t, eio.ActionNone, a)
	require.Zero(t, next)
	// Zero times count as one tick.
	require.Equal(t, uint32(1), s.Start(c, 5, 9))
	require.False(t, s.Closed())
	a, next = s.Tick(c, 6)
	require.Equal(t, eio.ActionSendPing, a)
	require.Equal(t, uint32(1), next)
	s.Close()
	require.True(t, s.Closed())
	a, reason := s.Receive(c, 6, eio.Packet{Type: eio.Message})
	require.Equal(t, eio.ActionNone, a)
	require.Equal(t, eio.ReasonNone, reason)
}
