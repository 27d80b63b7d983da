package engine

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// socket opens a WebSocket for the session.
func (p *poller) socket() net.Conn {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, br, _, err := ws.Dialer{}.Dial(ctx, "ws://"+p.r.Addr().String()+
		"/socket.io/?EIO=4&transport=websocket&sid="+p.sid)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })
	require.NoError(p.t, c.SetDeadline(time.Now().Add(patience)))
	if br != nil {
		return &buffered{Conn: c, r: br}
	}
	return c
}

func tell(t *testing.T, c net.Conn, texts ...string) {
	t.Helper()
	for _, s := range texts {
		require.NoError(t, wsutil.WriteClientText(c, []byte(s)))
	}
}

// probe takes an upgrade to the point before the last word.
func (p *poller) probe() net.Conn {
	p.t.Helper()
	c := p.socket()
	tell(p.t, c, "2probe")
	require.Equal(p.t, "3probe", next(p.t, c))
	return c
}

func (p *poller) upgrade() net.Conn {
	p.t.Helper()
	c := p.probe()
	tell(p.t, c, "5")
	return c
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 12 { // on the session's loop and on others
			p := r.openPolling(t)
			poll := p.begin("GET", "", "")
			r.waiting(t, p)
			c := p.probe()
			require.Equal(t, "6", end(t, poll, "GET").body, "a poll that waits")
			require.Equal(t, "6", p.get().body, "and every other one")
			require.Equal(t, "6", p.get().body)
			// Polling is still the transport; what nobody fetches goes with
			// the WebSocket, in order and before what comes later.
			p.say("4one")
			require.Equal(t, "4one", p.get().body)
			p.say("4two\x1ebAQID\x1e4three")
			tell(t, c, "5", "4four")
			for _, want := range []string{"4two", "\x01\x02\x03", "4three", "4four"} {
				require.Equal(t, want, next(t, c))
			}
			a := p.get()
			require.Equal(t, `{"code":3,"message":"Bad request"}`, a.body)
			a = p.post("4x")
			require.Equal(t, `{"code":3,"message":"Bad request"}`, a.body)
			second := p.socket()
			require.Equal(t, "close 1005", next(t, second))
			tell(t, c, "4still")
			require.Equal(t, "4still", next(t, c))
			require.NoError(t, wsutil.WriteClientBinary(c, []byte("bin")))
			require.Equal(t, "bin", next(t, c))
			require.NoError(t, c.Close())
			require.Equal(t, ReasonTransportClose, <-r.ends)
			r.gone(t, p)
		}
		require.Empty(t, r.ends)
	})
}

func TestUpgradeThatFails(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 8 {
			p := r.openPolling(t)
			for _, first := range []string{"40", "2", "x", "2probe2"} {
				c := p.socket()
				tell(t, c, first)
				require.Equal(t, "close 1005", next(t, c), first)
				r.onSession(t, p, func(s *Session) bool { return s.side.phase == onPolling })
			}
			c := p.probe()
			second := p.socket()
			require.Equal(t, "close 1005", next(t, second), "one at a time")
			require.NoError(t, c.Close())
			r.onSession(t, p, func(s *Session) bool { return s.side.phase == onPolling })
			p.say("4alive")
			require.Equal(t, "4alive", p.get().body)

			c = p.socket()
			poll := p.begin("GET", "", "")
			r.waiting(t, p)
			tell(t, c, "5", "4without a probe")
			require.Equal(t, "4without a probe", next(t, c))
			require.Equal(t, "1", end(t, poll, "GET").body)
			require.NoError(t, c.Close())
			require.Equal(t, ReasonTransportClose, <-r.ends)
		}
	})
}

func TestUpgradeTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 4} {
		r := startLoops(t, n, func(o *Options) { o.UpgradeTimeout = 300 * time.Millisecond })
		p := r.openPolling(t)
		require.Equal(t, "close 1005", next(t, p.probe()))
		p.say("4alive")
		require.Equal(t, "4alive", p.get().body)
		c := p.upgrade()
		time.Sleep(400 * time.Millisecond) // beyond the bound
		tell(t, c, "4in time")
		require.Equal(t, "4in time", next(t, c))
	}
}

func TestUpgradedHeartbeat(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 4} {
		r := startLoops(t, n, func(o *Options) {
			o.PingInterval, o.PingTimeout = 300*time.Millisecond, 300*time.Millisecond
		})
		for range 4 {
			p := r.openPolling(t)
			c := p.upgrade()
			for range 2 {
				require.Equal(t, "2", next(t, c))
				tell(t, c, "3")
			}
			require.Equal(t, "2", next(t, c))
			require.Equal(t, "close 1005", next(t, c))
			require.Equal(t, ReasonPingTimeout, <-r.ends)
		}
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	r := startLoops(t, 2, nil)
	const base = "/socket.io/?transport=websocket&EIO="
	for range 4 {
		p := r.openPolling(t)
		for target, want := range map[string]string{
			base + "4&sid=" + p.sid[:18] + "xy":                "Session ID unknown",
			base + "4&sid=nonsense":                            "Session ID unknown",
			base + "3&sid=" + p.sid:                            "Bad request",
			"/socket.io/?transport=polling&EIO=4&sid=" + p.sid: "Bad request",
		} {
			resp := r.request(t, "GET", target, upgrade)
			require.Equal(t, 400, resp.StatusCode)
			require.True(t, resp.Close)
			b := make([]byte, 100)
			k, _ := resp.Body.Read(b)
			if !strings.Contains(target, "polling") {
				require.Equal(t, want, string(b[:k]))
			}
		}
		resp := r.request(t, "GET", base+"4&sid="+p.sid, strings.Replace(upgrade, "dGhl", "", 1))
		require.Equal(t, 400, resp.StatusCode, "a bad key")
		r.onSession(t, p, func(s *Session) bool { return s.side.phase == onPolling })
		c := p.upgrade()
		tell(t, c, "4fine")
		require.Equal(t, "4fine", next(t, c))
	}
}

// A client that polls right behind its upgrade packet is too late, on whatever
// loop the two arrive first.
func TestPollBehindUpgrade(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		for range 40 {
			p := r.openPolling(t)
			c := p.upgrade()
			a := p.get()
			require.Equal(t, 400, a.status)
			require.Equal(t, `{"code":3,"message":"Bad request"}`, a.body)
			tell(t, c, "4hello")
			require.Equal(t, "4hello", next(t, c))
		}
	})
}

// The server ends sessions in every state.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		finish := func(p *poller) {
			r.onSession(t, p, func(s *Session) bool { s.End(ReasonForcedClose); return true })
			require.Equal(t, ReasonForcedClose, <-r.ends)
		}
		for range 4 {
			p := r.openPolling(t)
			c := p.begin("GET", "", "")
			r.waiting(t, p)
			finish(p)
			require.Equal(t, "1", end(t, c, "GET").body)
			r.gone(t, p)

			p = r.openPolling(t)
			finish(p)
			require.Equal(t, "6\x1e1", p.get().body, "the next poll is told")
			r.gone(t, p)

			p = r.openPolling(t)
			p.say("4a")
			finish(p)
			require.Equal(t, "4a", p.get().body, "what was sent comes first")
			require.Equal(t, "ok", p.post("4ignored").body)
			require.Equal(t, "6\x1e1", p.get().body)
			r.gone(t, p)

			p = r.openPolling(t)
			c = p.upgrade()
			tell(t, c, "4a")
			require.Equal(t, "4a", next(t, c))
			finish(p)
			require.Equal(t, "close 1005", next(t, c))
			r.gone(t, p)

			p = r.openPolling(t)
			c = p.probe()
			finish(p)
			require.Equal(t, "close 1005", next(t, c), "in the middle of an upgrade")
			require.Equal(t, "6\x1e1", p.get().body)
		}
	})
}

func TestShutdownTellsPolls(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		var polls, sockets []net.Conn
		for range 6 {
			p := r.openPolling(t)
			polls = append(polls, p.begin("GET", "", ""))
			r.waiting(t, p)
			r.openPolling(t) // no poll
			p = r.openPolling(t)
			sockets = append(sockets, p.upgrade())
			r.onSession(t, p, func(s *Session) bool { return s.Transport() == "websocket" })
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- r.Shutdown(ctx) }()
		for _, c := range polls {
			require.Equal(t, "1", end(t, c, "GET").body)
			_ = c.Close()
		}
		for _, c := range sockets {
			require.Contains(t, next(t, c), "close 1")
			_ = c.Close()
		}
		require.NoError(t, <-done)
		shut := 0
		for range 18 {
			if <-r.ends == ReasonShutdown {
				shut++
			}
		}
		require.GreaterOrEqual(t, shut, 12, "all but WebSockets whose client was faster")
		require.Zero(t, r.Stats().Detached)
		require.Zero(t, r.Stats().Conns)
	})
}

// Streams in both directions while the transport changes: every number once,
// in order.
func TestUpgradeUnderFire(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n, " loops"), func(t *testing.T) {
			t.Parallel()
			r := startLoops(t, n, nil)
			var all sync.WaitGroup
			for range 24 {
				all.Go(func() { streams(t, r) })
			}
			all.Wait()
		})
	}
}

const streamLen = 300

// streams echoes numbers over an upgrade that happens somewhere in the middle.
func streams(t *testing.T, r *rig) {
	p := r.openPolling(t)
	sent, got := 0, 0
	batch := func(k int) string {
		var out []string
		for range k {
			out = append(out, fmt.Sprint("4", sent))
			sent++
		}
		return strings.Join(out, "\x1e")
	}
	take := func(payload string) {
		for _, m := range strings.Split(payload, "\x1e") {
			if m != "6" && m != "2" {
				if m != fmt.Sprint("4", got) {
					t.Errorf("%q, expected %d", m, got)
				}
				got++
			}
		}
	}
	for range 5 {
		p.say(batch(20))
		take(p.get().body)
	}
	p.say(batch(20)) // not fetched
	c := p.probe()
	p.say(batch(20))
	tell(t, c, "5")
	go func() {
		for i := sent; i < streamLen; i++ {
			_ = wsutil.WriteClientText(c, []byte(fmt.Sprint("4", i)))
		}
	}()
	for got < streamLen {
		take(next(t, c))
	}
	_ = c.Close()
}
