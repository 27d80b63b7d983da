package loadgen

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fake is a server that says one thing, by hand: after the upgrade, if there
// is one, or instead.
func fake(t *testing.T, upgrade bool, text string, hangUp bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go say(l, upgrade, text, hangUp)
	return "http://" + l.Addr().String()
}

func say(l net.Listener, upgrade bool, text string, hangUp bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return
			}
			if upgrade {
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
					"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey)
			}
			_, _ = io.WriteString(c, text)
			if !hangUp {
				_, _ = io.Copy(io.Discard, c)
			}
		}()
	}
}

// frames makes what a server sends.
func frames(packets ...string) (out string) {
	for _, p := range packets {
		out += "\x81" + string(rune(len(p))) + p
	}
	return out
}

const opened = `0{"sid":"x","pingInterval":50,"pingTimeout":20}`

func TestErrorsAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, first string
		upgrade           bool
		text              string
		hangUp            bool
		change            func(p *Plan)
	}{
		{name: "status", kind: errStatus, first: "403 Forbidden no entry",
			text: "HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\nno entry"},
		{name: "wrong key", kind: errStatus, first: "101",
			text: "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n"},
		{name: "end", kind: errClosed, first: "waiting for the open packet",
			upgrade: true, hangUp: true},
		{name: "refused namespace", kind: errNamespace, first: "not you",
			upgrade: true, text: frames(opened, `44{"message":"not you"}`)},
		{name: "disconnect", kind: errNamespace, first: "disconnected",
			upgrade: true, text: frames(opened, "41")},
		{name: "close frame", kind: errClosed, first: "1013 later",
			upgrade: true, text: "\x88\x07\x03\xf5later"},
		{name: "engine close", kind: errClosed, first: "Engine.IO",
			upgrade: true, text: frames(opened, "1")},
		{name: "masked", kind: errProtocol, upgrade: true, text: "\x81\x81xxxxx"},
		{name: "fragment", kind: errProtocol, upgrade: true, text: "\x01\x01x"},
		{name: "huge", kind: errProtocol, first: "16 MiB", upgrade: true,
			text: "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{name: "not JSON", kind: errProtocol, first: "open packet",
			upgrade: true, text: frames("0{")},
		{name: "silence", kind: errTimeout, first: "waiting for the upgrade"},
		{name: "polling status", kind: errStatus, first: "400",
			text:   "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
			change: func(p *Plan) { p.Transport = Polling }},
		{name: "polling without length", kind: errStatus, first: "Content-Length",
			text:   "HTTP/1.1 200 OK\r\n\r\n",
			change: func(p *Plan) { p.Transport = Polling }},
		{name: "polling end", kind: errClosed, hangUp: true,
			change: func(p *Plan) { p.Transport = Polling }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := small(Idle)
			p.Connections, p.Timeout = 3, time.Second
			if c.change != nil {
				c.change(&p)
			}
			r := mustRun(t, fake(t, c.upgrade, c.text, c.hangUp), p)
			require.Zero(t, r.Connections.Connected)
			require.Equal(t, uint64(3), r.Connections.Failed)
			require.Contains(t, r.Errors, c.kind)
			require.Len(t, r.Errors, 1)
			require.Equal(t, uint64(3), r.Errors[c.kind].Count)
			require.Contains(t, r.Errors[c.kind].First, c.first)
		})
	}
}

func TestRefusedConnects(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	p := small(Idle)
	r := mustRun(t, url, p)
	require.Equal(t, uint64(24), r.Errors[errRefused].Count)
	require.Equal(t, "connect: connection refused", r.Errors[errRefused].First)
}

// TestConnectsThatTakeTime has a server whose queue of connections is full when
// the clients dial, as one far away is not there yet.
func TestConnectsThatTakeTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }))
	require.NoError(t, err)
	for {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if err != nil {
			break // the queue is full
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	p := small(Idle)
	p.Connections = 3
	time.AfterFunc(300*time.Millisecond, func() { say(l, true, frames(opened, `40{"sid":"y"}`), false) })
	r := mustRun(t, "http://"+l.Addr().String(), p)
	require.Equal(t, 3, r.Connections.Connected)
	require.Empty(t, r.Errors)
	require.Greater(t, r.Connections.Handshake.Max, 250.0, "none was there at once")
}

func TestMissingHeartbeatsAreSeen(t *testing.T) {
	t.Parallel()
	p := small(Idle)
	p.Connections = 4
	r := mustRun(t, fake(t, true, frames(opened, `40{"sid":"y"}`), false), p)
	require.Equal(t, 4, r.Connections.AtEnd)
	require.Equal(t, 4, r.Heartbeats.Overdue)
	require.Zero(t, r.Heartbeats.Answered)
}

func TestDyingConnectionsAreSeen(t *testing.T) {
	t.Parallel()
	p := small(Idle)
	p.Connections = 4
	r := mustRun(t, fake(t, true, frames(opened, `40{"sid":"y"}`), true), p)
	require.Equal(t, uint64(4), r.Connections.Died)
	require.Zero(t, r.Connections.AtEnd)
	require.Zero(t, r.Connections.Failed)
}
