package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// requestTimeout bounds every request but the long poll.
	requestTimeout = 10 * time.Second
	// bodyMax bounds what is read of an answer.
	bodyMax = 1 << 20
	// slow is a round trip that users notice.
	slow = 500 * time.Millisecond
	// skew between clocks that breaks tokens.
	skew = 5 * time.Second
	// certificateSoon is the time to renew one.
	certificateSoon = 14 * 24 * time.Hour
	// strangers is how many connections a session's requests come on.
	strangers = 6
)

// Remote is the server to try, as browsers reach it.
type Remote struct {
	// URL is http://host[:port], with /path if it is not /socket.io/.
	URL *url.URL
	// Origin is the page's, scheme://host[:port]; "" is the server's own.
	Origin string
	// Idle bounds how long connections are left alone to see whether a proxy
	// cuts them: until the server's ping after a whole interval without a word,
	// which takes up to two of them, at most this long. 0: not.
	Idle time.Duration
	// TLS may be nil.
	TLS *tls.Config
}

// visit is one walk.
type visit struct {
	Remote
	r      *Report
	base   *url.URL
	client *http.Client // keeps connections
	fresh  *http.Client // a new one for each request
	// turned: the handshake was refused, by a server.
	turned bool
	opened struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int      `json:"pingInterval"`
		PingTimeout  int      `json:"pingTimeout"`
	}
}

// ParseURL reads what a user means: ws and wss are http and https, no path is
// the default one.
func ParseURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("want http://host[:port] or https://host[:port]")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket.io/"
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// Try walks a browser's way to the server. It ends early when nothing answers.
func Try(ctx context.Context, to Remote) *Report {
	if to.Origin == "" {
		to.Origin = to.URL.Scheme + "://" + to.URL.Host
	}
	kept := &http.Transport{TLSClientConfig: to.TLS, Proxy: http.ProxyFromEnvironment}
	fresh := kept.Clone()
	fresh.DisableKeepAlives = true
	defer kept.CloseIdleConnections()
	asIs := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &visit{Remote: to, r: &Report{}, base: to.URL,
		client: &http.Client{Transport: kept, CheckRedirect: asIs},
		fresh:  &http.Client{Transport: fresh, CheckRedirect: asIs}}
	if v.handshake(ctx) {
		v.polling(ctx)
		v.sticky(ctx)
		v.upgrade(ctx)
	}
	if !v.turned {
		v.websocket(ctx)
	}
	v.bundle(ctx)
	return v.r
}

func (v *visit) url(query string) string {
	u := *v.base
	u.RawQuery = "EIO=4&" + query
	return u.String()
}

// answer is what came back for a request.
type answer struct {
	status int
	head   http.Header
	body   string
	took   time.Duration
	tls    *tls.ConnectionState
}

func (v *visit) ask(ctx context.Context, c *http.Client, method, url, body string,
	limit time.Duration,
) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Origin", v.Origin)
	if body != "" {
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	begun := time.Now()
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, plain(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	return answer{status: resp.StatusCode, head: resp.Header, body: string(b),
		took: time.Since(begun), tls: resp.TLS}, plain(err)
}

// plain drops the method and address, which are known.
func plain(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// says is an answer in a line.
func (a answer) says() string {
	return fmt.Sprintf("status %d, %.80q", a.status, a.body)
}

// engineCode is the code of an Engine.IO error, -1 if it is none.
func (a answer) engineCode() int {
	var e struct {
		Code *int `json:"code"`
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || e.Code == nil {
		return -1
	}
	return *e.Code
}

// handshake opens the polling session that the next checks use.
func (v *visit) handshake(ctx context.Context) bool {
	a, err := v.ask(ctx, v.client, "GET", v.url("transport=polling"), "", requestTimeout)
	if err != nil {
		v.r.add("reachable", Fail, "is the server up, does the name lead to it, does a firewall let "+
			"the port through?", "%s: %v", v.base.Host, err)
		return false
	}
	v.r.add("reachable", OK, "", "%s answers in %v", v.base.Host, a.took.Round(100*time.Microsecond))
	v.certificate(a)
	v.clock(a)
	open, isOpen := strings.CutPrefix(a.body, "0")
	if a.status != http.StatusOK || !isOpen || json.Unmarshal([]byte(open), &v.opened) != nil {
		v.refused(a)
		return false
	}
	v.r.add("handshake", OK, "", "session opened, ping every %v, upgrades %v", v.interval(),
		v.opened.Upgrades)
	v.cors(a)
	return true
}

func (v *visit) interval() time.Duration {
	return time.Duration(v.opened.PingInterval) * time.Millisecond
}

func (v *visit) refused(a answer) {
	advice := "something else answers at this address and path: is the proxy's rule for " +
		v.base.Path + " right?"
	code := a.engineCode()
	v.turned = code > 0
	switch {
	case code == 0:
		advice = "the server has polling off; clients need transports: [\"websocket\"]"
	case code >= 0 && strings.Contains(strings.ToLower(a.body), "origin"):
		advice = "allow the page's origin: --cors-allowed-origins " + v.Origin
	case code == 3:
		advice = "the server is draining, full, or refuses the origin " + v.Origin + ": its log says which"
	case a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable:
		advice = "the proxy does not reach the server behind it"
	}
	v.r.add("handshake", Fail, advice, "%s", a.says())
}

func (v *visit) cors(a answer) {
	got := a.head.Get("Access-Control-Allow-Origin")
	own := v.Origin == v.base.Scheme+"://"+v.base.Host
	switch values := len(a.head.Values("Access-Control-Allow-Origin")); {
	case values > 1:
		v.r.add("CORS", Fail, "the proxy adds the header a second time, which browsers refuse: leave it "+
			"to the server", "Access-Control-Allow-Origin stands there %d times", values)
	case got == v.Origin || got == "*":
		v.r.add("CORS", OK, "", "pages of %s may connect", v.Origin)
	case own:
		v.r.add("CORS", OK, "", "pages of the server's own origin need no header")
	default:
		v.r.add("CORS", Fail, "start the server with --cors-allowed-origins "+v.Origin,
			"browsers refuse pages of %s: Access-Control-Allow-Origin is %q", v.Origin, got)
	}
}

func (v *visit) certificate(a answer) {
	if a.tls == nil || len(a.tls.PeerCertificates) == 0 {
		return
	}
	left := time.Until(a.tls.PeerCertificates[0].NotAfter)
	v.r.add("certificate", level(left < certificateSoon, Warn), "renew it",
		"valid for %d days", int(left.Hours()/24))
}

func (v *visit) clock(a answer) {
	t, err := http.ParseTime(a.head.Get("Date"))
	if err != nil {
		return
	}
	off := time.Since(t).Round(time.Second)
	v.r.add("clock", level(off.Abs() > skew, Warn), "set both clocks by NTP: tokens expire early or "+
		"late, and logs do not fit together", "the server's differs by %v", off)
}

// bundle asks for the browser client.
func (v *visit) bundle(ctx context.Context) {
	u := *v.base
	u.Path += "socket.io.js"
	a, err := v.ask(ctx, v.client, "GET", u.String(), "", requestTimeout)
	switch {
	case err != nil:
		v.r.add("browser client", Warn, "pages cannot load it from here", "%s: %v", u.Path, err)
	case a.status == http.StatusOK && strings.Contains(a.body, "Socket.IO"):
		v.r.add("browser client", OK, "", "%s", u.Path)
		v.clock(a)
	case a.status/100 == 3:
		v.r.add("browser client", OK, "", "%s leads to %s", u.Path, a.head.Get("Location"))
	default:
		v.r.add("browser client", Warn, "pages must load it from elsewhere, or start the server with "+
			"--client redirect", "%s: status %d", u.Path, a.status)
	}
}
