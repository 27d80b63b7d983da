package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const proxyTimeouts = "raise the proxy's timeouts above pingInterval + pingTimeout: nginx " +
	"proxy_read_timeout, HAProxy timeout tunnel and timeout server, AWS ALB idle timeout"

const upgradeHeaders = "the proxy must pass the upgrade on: nginx proxy_http_version 1.1, " +
	"proxy_set_header Upgrade $http_upgrade and Connection \"upgrade\"; a CDN may need WebSocket " +
	"switched on. Clients stay on polling until then"

const buffering = "a proxy keeps answers back: nginx proxy_buffering off"

func (v *visit) session() string { return v.url("transport=polling&sid=" + v.opened.SID) }

// polling joins the namespace / by requests.
func (v *visit) polling(ctx context.Context) {
	begun := time.Now()
	a, err := v.ask(ctx, v.client, "POST", v.session(), "40", requestTimeout)
	if err == nil && (a.status != http.StatusOK || a.body != "ok") {
		err = errors.New(a.says())
	}
	if err == nil {
		a, err = v.ask(ctx, v.client, "GET", v.session(), "", requestTimeout)
	}
	took := time.Since(begun).Round(100 * time.Microsecond)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		v.r.add("polling", Fail, buffering, "no answer within %v", requestTimeout)
	case err != nil:
		v.r.add("polling", Fail, v.stickyAdvice(a), "%v", err)
	case strings.HasPrefix(a.body, "40"):
		v.r.add("polling", level(took > 2*slow, Warn), "users notice that; "+buffering,
			"joined / by a POST and a GET in %v", took)
	case strings.HasPrefix(a.body, "44"):
		v.r.add("polling", OK, "", "answered; the application refuses this client: %.60s", a.body)
	default:
		v.r.add("polling", Fail, v.stickyAdvice(a), "%s", a.says())
	}
}

func (v *visit) stickyAdvice(a answer) string {
	if a.engineCode() == 1 {
		return "requests of one session reach several servers: make the balancer sticky, or join the " +
			"servers to a cluster that forwards them (--valkey, --advertise)"
	}
	return "the requests of a session do not all reach the server"
}

// sticky sends the session's requests on connections of their own, as behind a
// balancer that spreads them.
func (v *visit) sticky(ctx context.Context) {
	for i := range strangers {
		// A pong that nobody has asked for is ignored.
		a, err := v.ask(ctx, v.fresh, "POST", v.session(), "3", requestTimeout)
		if err == nil && a.status == http.StatusOK {
			continue
		}
		if err == nil {
			err = errors.New(a.says())
		}
		v.r.add("session on new connections", Fail, v.stickyAdvice(a), "request %d of %d: %v", i+1,
			strangers, err)
		return
	}
	v.r.add("session on new connections", OK, "", "%d of %d reached it", strangers, strangers)
}

// dial opens a WebSocket.
func (v *visit) dial(ctx context.Context, query string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var status int
	d := ws.Dialer{
		Header:        ws.HandshakeHeaderHTTP{"Origin": {v.Origin}},
		OnStatusError: func(s int, _ []byte, _ io.Reader) { status = s },
	}
	if v.TLS != nil {
		d.TLSConfig = v.TLS.Clone()
		d.TLSConfig.NextProtos = []string{"http/1.1"}
	} else {
		d.TLSConfig = &tls.Config{NextProtos: []string{"http/1.1"}}
	}
	u := "ws" + strings.TrimPrefix(v.url(query), "http")
	c, br, _, err := d.Dial(ctx, u)
	if err != nil {
		if status != 0 {
			return nil, fmt.Errorf("status %d instead of 101", status)
		}
		return nil, err
	}
	if br != nil && br.Buffered() > 0 {
		return &early{Conn: c, read: br.Read}, nil
	}
	return c, nil
}

// early is a connection of which something came with the handshake.
type early struct {
	net.Conn
	read func([]byte) (int, error)
}

func (e *early) Read(p []byte) (int, error) { return e.read(p) }

func say(c net.Conn, text string) error {
	return wsutil.WriteClientText(c, []byte(text))
}

func hear(c net.Conn, limit time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(limit))
	b, err := wsutil.ReadServerText(c)
	return string(b), err
}

// upgrade moves the polling session to a WebSocket.
func (v *visit) upgrade(ctx context.Context) {
	const check = "upgrade from polling"
	c, err := v.dial(ctx, "transport=websocket&sid="+v.opened.SID)
	if err != nil {
		v.r.add(check, Warn, upgradeHeaders, "%v", err)
		return
	}
	defer c.Close()
	begun := time.Now()
	got := ""
	if err = say(c, "2probe"); err == nil {
		got, err = hear(c, requestTimeout)
	}
	if err == nil && got != "3probe" {
		err = fmt.Errorf("the probe came back as %.40q", got)
	}
	if err != nil {
		v.r.add(check, Warn, upgradeHeaders, "%v", err)
		return
	}
	took := time.Since(begun).Round(100 * time.Microsecond)
	_ = say(c, "5")
	v.r.add(check, OK, "", "probe answered in %v", took)
	_ = say(c, "1")
}

// websocket opens a session without polling, measures it and leaves it alone
// until the server pings.
func (v *visit) websocket(ctx context.Context) {
	c, err := v.dial(ctx, "transport=websocket")
	if err != nil {
		v.r.add("websocket", Fail, upgradeHeaders, "%v", err)
		return
	}
	defer c.Close()
	open, err := hear(c, requestTimeout)
	if err != nil || !strings.HasPrefix(open, "0") {
		v.r.add("websocket", Fail, "something else answers there", "opened, then %.40q, %v", open, err)
		return
	}
	begun := time.Now()
	got := ""
	if err = say(c, "40"); err == nil {
		got, err = hear(c, requestTimeout)
	}
	took := time.Since(begun).Round(100 * time.Microsecond)
	if err != nil || !strings.HasPrefix(got, "4") {
		v.r.add("websocket", Fail, upgradeHeaders, "opened, but / does not answer: %.40q, %v", got, err)
		return
	}
	v.r.add("websocket", level(took > slow, Warn), "users notice that: a distant server, or a proxy "+
		"that holds frames back", "round trip %v", took)
	if v.Idle <= 0 {
		return
	}
	poll := make(chan Finding, 1)
	go func() { poll <- v.idlePoll(ctx) }()
	v.r.Findings = append(v.r.Findings, v.idle(c), <-poll)
}

// patience is how long connections are left alone. The first ping may come at
// any time, so that a whole interval without a word ends with the second.
func (v *visit) patience() time.Duration {
	if v.opened.PingInterval == 0 {
		return v.Idle
	}
	return min(v.Idle, 2*v.interval()+requestTimeout)
}

// idle leaves a WebSocket alone.
func (v *visit) idle(c net.Conn) Finding {
	return v.silence("idle websocket", func(limit time.Duration) (bool, error) {
		got, err := hear(c, limit)
		if err != nil || got != "2" {
			return false, err // an event
		}
		return true, say(c, "3")
	})
}

// idlePoll leaves a poll of a session of its own alone.
func (v *visit) idlePoll(ctx context.Context) Finding {
	w := *v
	w.r = &Report{}
	if !w.handshake(ctx) {
		return w.r.Findings[len(w.r.Findings)-1]
	}
	return w.silence("idle poll", func(limit time.Duration) (bool, error) {
		a, err := w.ask(ctx, w.client, "GET", w.session(), "", limit)
		if err == nil && a.body != "2" {
			err = errors.New(a.says())
		}
		if err != nil {
			return false, err
		}
		a, err = w.ask(ctx, w.client, "POST", w.session(), "3", requestTimeout)
		if err == nil && a.status != http.StatusOK {
			err = errors.New(a.says())
		}
		return true, err
	})
}

// silence listens until the server has pinged after nearly a whole interval in
// which nobody said a word: whatever cuts connections that say nothing has cut
// this one by then. listen waits for at most a limit, answers a ping and
// reports it.
func (v *visit) silence(check string, listen func(limit time.Duration) (ping bool, err error)) Finding {
	begun := time.Now()
	last := begun
	for {
		ping, err := listen(v.patience() - time.Since(begun))
		quiet := time.Since(last)
		if err == nil && (!ping || quiet < v.interval()*9/10) {
			last = time.Now()
			continue
		}
		timeout := net.Error(nil)
		return v.waited(check, quiet, err, errors.Is(err, context.DeadlineExceeded) ||
			errors.As(err, &timeout) && timeout.Timeout())
	}
}

func (v *visit) waited(check string, after time.Duration, err error, timeout bool) Finding {
	r := Report{}
	after = after.Round(100 * time.Millisecond)
	switch {
	case err == nil:
		r.add(check, OK, "", "the server's ping came after %v", after)
	case timeout && (v.interval() == 0 || v.interval() > after):
		r.add(check, OK, "", "open after %v; the server pings every %v", after, v.interval())
	case timeout:
		r.add(check, Fail, "what the server sends does not come through: "+buffering,
			"no ping within %v", after)
	default:
		r.add(check, Fail, proxyTimeouts, "cut after %v: %v", after, err)
	}
	return r.Findings[0]
}
