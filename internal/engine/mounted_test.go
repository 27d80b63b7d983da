package engine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kept is one connection that net/http has, after a page.
type kept struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
	r  *rig
}

func (r *rig) kept(t *testing.T) *kept {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	k := &kept{Conn: c, t: t, br: bufio.NewReader(c), r: r}
	require.Equal(t, "page", k.do("GET", "/page", "", "").body)
	require.Equal(t, 1, r.Stats().HTTPConns)
	return k
}

func (k *kept) send(method, target, fields, body string) {
	k.t.Helper()
	if method == "POST" && !strings.Contains(fields, "Transfer-Encoding") {
		fields += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err := fmt.Fprintf(k, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", method, target,
		k.r.Addr(), fields, body)
	require.NoError(k.t, err)
}

func (k *kept) answer(method string) answer {
	k.t.Helper()
	resp, err := http.ReadResponse(k.br, &http.Request{Method: method})
	require.NoError(k.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(k.t, err)
	return answer{resp.StatusCode, string(body), resp.Header}
}

func (k *kept) do(method, target, fields, body string) answer {
	k.t.Helper()
	k.send(method, target, fields, body)
	return k.answer(method)
}

func TestNetHTTPConnections(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 4} {
		r := startLoops(t, n, func(o *Options) {
			o.MaxPayload = 5000
			o.Cookie = &http.Cookie{}
			o.CORSAllowedOrigins = []string{"https://a.example"}
		})
		k := r.kept(t)
		const base = "/socket.io/?EIO=4&transport=polling"
		for range 3 {
			a := k.do("GET", base, "Origin: https://a.example\r\n", "")
			require.Equal(t, 200, a.status)
			require.Equal(t, "https://a.example", a.header.Get("Access-Control-Allow-Origin"))
			require.Contains(t, a.header.Get("Set-Cookie"), "io=")
			p := &poller{t: t, r: r, sid: a.body[len(`0{"sid":"`):][:IDLen]}
			target := base + "&sid=" + p.sid
			require.Equal(t, "ok", k.do("POST", target, "", "4one").body)
			require.Equal(t, "4one", k.do("GET", target, "", "").body)
			k.send("GET", target, "", "")
			r.waiting(t, p)
			p.say("4two") // on a loop's connection
			a = k.answer("GET")
			require.Equal(t, "4two", a.body)
			require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"))
			chunked := "Transfer-Encoding: chunked\r\n"
			require.Equal(t, "ok", k.do("POST", target, chunked, "4\r\n4abc\r\n0\r\n\r\n").body)
			require.Equal(t, "4abc", p.get().body)
			long := "4" + strings.Repeat("a", 2000)
			p.say(long)
			a = k.do("GET", target, "Accept-Encoding: gzip\r\n", "")
			require.Equal(t, long, inflate(t, a.header.Get("Content-Encoding"), a.body))
			require.Equal(t, 500, k.do("PUT", target, "", "").status)
			require.Equal(t, 204, k.do("OPTIONS", target, "", "").status)
			require.Equal(t, `{"code":1,"message":"Session ID unknown"}`,
				k.do("GET", target+"x", "", "").body)
			require.Equal(t, `{"code":3,"message":"Bad request"}`,
				k.do("GET", strings.Replace(target, "EIO=4", "EIO=3", 1), "", "").body)
			require.Equal(t, `{"code":0,"message":"Transport unknown"}`,
				k.do("GET", "/socket.io/x", "", "").body)

			// The upgrade, on this very connection in the last round.
			p.say("4waiting")
		}
		a := k.do("GET", base, "", "")
		p := &poller{t: t, r: r, sid: a.body[len(`0{"sid":"`):][:IDLen]}
		p.say("4waiting")
		k.send("GET", "/socket.io/?EIO=4&transport=websocket&sid="+p.sid, upgrade, "")
		resp, err := http.ReadResponse(k.br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		c := &buffered{Conn: k.Conn, r: k.br}
		tell(t, c, "2probe")
		require.Equal(t, "3probe", next(t, c))
		tell(t, c, "5", "4more")
		require.Equal(t, "4waiting", next(t, c))
		require.Equal(t, "4more", next(t, c))
		require.NoError(t, c.Close())
		r.gone(t, p)

		k = r.kept(t)
		k.send("GET", "/socket.io/?EIO=4&transport=websocket", upgrade, "")
		resp, err = http.ReadResponse(k.br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		c = &buffered{Conn: k.Conn, r: k.br}
		require.Equal(t, byte('0'), next(t, c)[0])
		require.NoError(t, c.Close())
		require.Equal(t, ReasonTransportClose, <-r.ends)
	}
}

func TestNetHTTPAborts(t *testing.T) {
	t.Parallel()
	r := startLoops(t, 2, func(o *Options) { o.MaxPayload = 100 })
	const base = "/socket.io/?EIO=4&transport=polling&sid="
	for range 3 {
		p := r.openPolling(t)
		k := r.kept(t)
		k.send("GET", base+p.sid, "", "")
		r.waiting(t, p)
		require.NoError(t, k.Close())
		require.Equal(t, ReasonTransportError, <-r.ends)
		r.gone(t, p)
		require.Eventually(t, func() bool { return r.Stats().HTTPConns == 0 }, patience, time.Millisecond)

		p = r.openPolling(t)
		k = r.kept(t)
		require.Equal(t, 413, k.do("POST", base+p.sid, "", strings.Repeat("4", 101)).status)
		p.say("4alive")
		require.Equal(t, "4alive", p.get().body)
		_ = k.Close()
		require.Eventually(t, func() bool { return r.Stats().HTTPConns == 0 }, patience, time.Millisecond)
	}
}
