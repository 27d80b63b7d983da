package beside

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	maxIdle     = 64
	// idleTime is shorter than servers keep idle connections: a request that
	// meets one being closed would fail.
	idleTime = time.Second
	// noteEvery is the time between two lines about an upstream that fails.
	noteEvery = time.Second
)

// Upstream forwards requests to an application. WebSocket and other upgrades
// pass; answers are passed on as they come.
type Upstream struct {
	proxy   httputil.ReverseProxy
	target  *url.URL
	trusted []netip.Prefix
	hidden  []string
	log     *slog.Logger
	noted   atomic.Int64
	skipped atomic.Uint64
}

// NewUpstream forwards to target, http://host[:port][/path]. X-Forwarded-For,
// -Host and -Proto of requests from the networks of trusted are extended, those
// of all others replaced, and what else these claim to be forwarded is dropped.
func NewUpstream(target string, trusted []netip.Prefix, log *slog.Logger) (*Upstream, error) {
	t, err := url.Parse(target)
	if err != nil || t.Scheme != "http" && t.Scheme != "https" || t.Host == "" ||
		t.RawQuery != "" || t.Fragment != "" {
		return nil, fmt.Errorf("the URL %q is not http://host[:port]/path or https://", target)
	}
	u := &Upstream{target: t, trusted: trusted, log: log}
	u.proxy = httputil.ReverseProxy{
		Rewrite: u.rewrite,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: idleTime, DisableCompression: true,
		},
		FlushInterval: -1,
		ErrorHandler:  u.failed,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return u, nil
}

// Hide answers requests for the path of endpoint, and those below it, as if
// there were nothing if endpoint has the target's port: what is meant for this
// server alone must not be reached through it. all: nothing is left of the
// target. Before requests are served.
func (u *Upstream) Hide(endpoint string) (all bool) {
	e, err := url.Parse(endpoint)
	if err != nil || port(e) != port(u.target) {
		return false // one host may have several names, so only ports tell
	}
	dir, _, _ := strings.Cut(e.Path, "{")
	dir = path.Clean("/" + dir)
	u.hidden = append(u.hidden, dir)
	return below(path.Join("/", u.target.Path), dir)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// ServeHTTP forwards a request.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, h := range u.hidden {
		if below(path.Join("/", u.target.Path, r.URL.Path), h) {
			http.NotFound(w, r)
			return
		}
	}
	u.proxy.ServeHTTP(w, r)
}

// below tells whether a clean path is dir, or begins with it.
func below(name, dir string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(name), strings.ToLower(dir))
	return ok && (rest == "" || dir == "/" || rest[0] == '/' || rest[0] == ';')
}

func (u *Upstream) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(u.target)
	p.Out.Host = p.In.Host // pages make links of it
	if !u.trusts(p.In.RemoteAddr) {
		maps.DeleteFunc(p.Out.Header, func(name string, _ []string) bool { return claim(name) })
		p.SetXForwarded()
		return
	}
	p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	p.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v := p.In.Header[name]; len(v) > 0 {
			p.Out.Header[name] = v
		}
	}
}

// claim tells whether a field is one that proxies tell applications with who
// asked, and what for. To many applications an underscore is a hyphen.
func claim(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return strings.HasPrefix(name, "x-forwarded-") || name == "forwarded" || name == "x-real-ip"
}

func (u *Upstream) trusts(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, n := range u.trusted {
		if n.Contains(a.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// failed answers for an upstream that does not.
func (u *Upstream) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	now, last := time.Now().UnixNano(), u.noted.Load()
	if now-last < int64(noteEvery) || !u.noted.CompareAndSwap(last, now) {
		u.skipped.Add(1)
	} else {
		u.log.Warn("the upstream does not answer", "url", u.target.Redacted(), "error", err,
			"suppressed", u.skipped.Swap(0))
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", "1")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "The application does not answer.\n")
}
