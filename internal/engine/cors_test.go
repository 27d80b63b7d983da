package engine

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const poll = "/socket.io/?EIO=4&transport=polling"
	one := start(t, func(o *Options) {
		o.CORSAllowedOrigins = []string{"https://a.example", "https://b.example"}
		o.CORSCredentials = true
		o.CORSExposedHeaders = []string{"X-One", "X-Two"}
		o.CORSMaxAge = time.Minute
	})
	everybody := start(t, func(o *Options) { o.CORSAllowedOrigins = []string{"*"} })
	for _, c := range []struct {
		r                        *rig
		method, target, fields   string
		status                   int
		allow, vary, credentials string
	}{
		{one, "GET", poll, "Origin: https://a.example\r\n", 200, "https://a.example", "Origin", "true"},
		{one, "GET", poll, "", 200, "", "Origin", "true"},
		{one, "GET", poll, "Origin: https://evil.example\r\n", 400, "", "Origin", "true"},
		{one, "GET", poll + "&sid=x", "Origin: https://b.example\r\n", 400, "https://b.example",
			"Origin", "true"},
		{one, "GET", "/socket.io/?EIO=4&transport=websocket", upgrade +
			"Origin: https://b.example\r\n", 101, "https://b.example", "Origin", "true"},
		{one, "OPTIONS", poll + "&sid=any", "Origin: https://a.example\r\n" +
			"Access-Control-Request-Headers: x-a, x-b\r\n", 204, "https://a.example",
			"Origin, Access-Control-Request-Headers", "true"},
		{one, "OPTIONS", poll, "Origin: https://evil.example\r\n", 204, "",
			"Origin, Access-Control-Request-Headers", "true"},
		{everybody, "GET", poll, "Origin: https://c.example\r\n", 200, "*", "", ""},
		{everybody, "GET", poll, "", 200, "*", "", ""},
		{everybody, "OPTIONS", poll, "", 204, "*", "Access-Control-Request-Headers", ""},
	} {
		resp := c.r.request(t, c.method, c.target, c.fields)
		what := c.method + " " + c.target + " " + c.fields
		require.Equal(t, c.status, resp.StatusCode, what)
		require.Equal(t, c.allow, resp.Header.Get("Access-Control-Allow-Origin"), what)
		require.Equal(t, c.vary, resp.Header.Get("Vary"), what)
		require.Equal(t, c.credentials, resp.Header.Get("Access-Control-Allow-Credentials"), what)
		if c.r == one {
			require.Equal(t, "X-One,X-Two", resp.Header.Get("Access-Control-Expose-Headers"))
		}
		if c.method == "OPTIONS" {
			require.Equal(t, "0", resp.Header.Get("Content-Length"))
			require.Equal(t, "GET,HEAD,PUT,PATCH,POST,DELETE",
				resp.Header.Get("Access-Control-Allow-Methods"))
		}
		if strings.Contains(c.fields, "x-a") {
			require.Equal(t, "x-a, x-b", resp.Header.Get("Access-Control-Allow-Headers"))
			require.Equal(t, "60", resp.Header.Get("Access-Control-Max-Age"))
		}
	}
	same := start(t, nil)
	resp := same.request(t, "GET", poll, "Origin: http://"+same.Addr().String()+"\r\n")
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, resp.Header.Values("Access-Control-Allow-Origin"))
	require.Empty(t, resp.Header.Values("Vary"))
	require.Equal(t, 400, same.request(t, "OPTIONS", poll, "").StatusCode)
	require.Equal(t, 400, same.request(t, "GET", poll, "Origin: http://evil\r\n").StatusCode)
}

func TestCookieAndHooks(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) {
		o.Cookie = &http.Cookie{}
		o.InitialHeaders = func(h http.Header, r *http.Request) {
			h.Set("X-First", r.Header.Get("X-Who")+"!\r\nInjected: yes")
		}
		o.Headers = func(h http.Header, r *http.Request) { h.Set("X-Each", r.Method) }
	})
	p := &poller{t: t, r: r}
	a := end(t, p.begin("GET", "X-Who: me\r\n", ""), "GET")
	p.sid = a.body[len(`0{"sid":"`):][:IDLen]
	require.Equal(t, "io="+p.sid+"; Path=/; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))
	require.Equal(t, "me!  Injected: yes", a.header.Get("X-First"))
	require.Equal(t, "GET", a.header.Get("X-Each"))
	for range 4 { // on both loops
		a = p.post("4x")
		require.Equal(t, "ok", a.body)
		require.Equal(t, "POST", a.header.Get("X-Each"))
		require.Empty(t, a.header.Values("X-First"))
		a = p.get()
		require.Equal(t, "4x", a.body)
		require.Equal(t, "GET", a.header.Get("X-Each"))
		require.Empty(t, a.header.Values("Set-Cookie"))
	}
	resp := r.request(t, "GET", "/socket.io/?EIO=4&transport=websocket", upgrade)
	require.Equal(t, 101, resp.StatusCode)
	require.Equal(t, "GET", resp.Header.Get("X-Each"))
	require.Empty(t, resp.Header.Values("Set-Cookie"))
	c := p.upgrade()
	tell(t, c, "4over")
	require.Equal(t, "4over", next(t, c))

	r = start(t, func(o *Options) {
		o.Cookie = &http.Cookie{Name: "sess", MaxAge: 10, Path: "/x", Secure: true,
			SameSite: http.SameSiteNoneMode}
	})
	p = &poller{t: t, r: r}
	require.Regexp(t, `^sess=[A-Za-z0-9_-]{20}; Path=/x; Max-Age=10; HttpOnly; Secure; SameSite=None$`,
		p.get().header.Get("Set-Cookie"))
}

func TestCompression(t *testing.T) {
	t.Parallel()
	eachLoops(t, func(t *testing.T, r *rig) {
		long := "4" + strings.Repeat("a", 1023)
		for accept, coding := range map[string]string{
			"gzip, deflate, br": "gzip", "deflate": "deflate", "*": "gzip", "br": "", "": "",
			"gzip;q=0, deflate": "deflate", "identity": "", "GZIP": "gzip",
		} {
			fields := ""
			if accept != "" {
				fields = "Accept-Encoding: " + accept + "\r\n"
			}
			p := r.openPolling(t)
			p.say(long)
			a := end(t, p.begin("GET", fields, ""), "GET")
			require.Equal(t, coding, a.header.Get("Content-Encoding"), accept)
			require.Equal(t, long, inflate(t, coding, a.body))
			// A poll that waits.
			c := p.begin("GET", fields, "")
			r.waiting(t, p)
			p.say(long)
			a = end(t, c, "GET")
			require.Equal(t, long, inflate(t, coding, a.body))
			p.say(long[:1023])
			a = end(t, p.begin("GET", fields, ""), "GET")
			require.Equal(t, long[:1023], a.body, "small ones are left alone")
			require.Empty(t, a.header.Values("Content-Encoding"))
		}
	})
	r := start(t, func(o *Options) { o.CompressFrom = -1 })
	p := r.openPolling(t)
	long := "4" + strings.Repeat("a", 5000)
	p.say(long)
	require.Equal(t, long, end(t, p.begin("GET", "Accept-Encoding: gzip\r\n", ""), "GET").body)
}

func inflate(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	require.NoError(t, err)
	return b.String()
}

func TestOldBrowsersGetTheirHeader(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	p := r.openPolling(t)
	for _, agent := range []string{"Mozilla/5.0 (compatible;MSIE 10.0)", "Trident/7.0"} {
		fields := "User-Agent: " + agent + "\r\n"
		require.Equal(t, "0", end(t, p.begin("POST", fields, "4a"), "POST").header.Get("X-XSS-Protection"))
		require.Equal(t, "0", end(t, p.begin("GET", fields, ""), "GET").header.Get("X-XSS-Protection"))
	}
	p.say("4a")
	require.Empty(t, p.get().header.Values("X-XSS-Protection"))
}

func TestTransportsOption(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) { o.Transports = []string{"polling"} })
	a := (&poller{t: t, r: r}).get()
	require.Contains(t, a.body, `"upgrades":[]`)
	resp := r.request(t, "GET", "/socket.io/?EIO=4&transport=websocket", upgrade)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, `{"code":0,"message":"Transport unknown"}`, string(body))
	r = start(t, func(o *Options) { o.Transports = []string{"websocket"} })
	require.Equal(t, 400, (&poller{t: t, r: r}).get().status)
	require.Contains(t, r.log.String(), "long-polling is switched off")
	r = start(t, func(o *Options) { o.DisableUpgrades = true })
	require.Contains(t, (&poller{t: t, r: r}).get().body, `"upgrades":[]`)
}
