package socketio

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/engine"
)

const (
	// forwardDial bounds the connection to another node.
	forwardDial = 3 * time.Second
	// forwardIdle is shorter than a node keeps an idle connection, so that no
	// request meets its end.
	forwardIdle = 30 * time.Second
	// forwardKept bounds the idle connections to one node.
	forwardKept = 256
	// forwardBuffer has room for most answers to polls.
	forwardBuffer = 8 << 10
)

// forwarder sends requests to the node that their session id names, so that a
// balancer may spread the requests of one client over all nodes, or the kernel
// over the processes of a port. If it cannot be reached the session is unknown,
// and the client begins a new one.
type forwarder struct {
	nodes cluster.Transport // nil: none but siblings
	kin   *siblings         // nil: none
	proxy httputil.ReverseProxy
	sent  atomic.Uint64
	fails atomic.Uint64

	mu      sync.Mutex
	tunnels map[*tunnel]struct{}
}

// tunnel is a WebSocket between a client and another node.
type tunnel struct{ cut context.CancelFunc }

type forwardTo struct{}

// target is where a request goes.
type target struct {
	id, addr, secret string
	tag              uint16
	kin              bool
}

// buffers are what answers are copied through.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, forwardBuffer)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

func newForwarder(s *Server) *forwarder {
	if s.opt.Cluster == nil && s.kin == nil {
		return nil
	}
	f := &forwarder{nodes: s.opt.Cluster, kin: s.kin, tunnels: make(map[*tunnel]struct{})}
	f.proxy = httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to := r.In.Context().Value(forwardTo{}).(*target)
			out := r.Out
			out.URL.Scheme, out.URL.Host = "http", to.addr
			out.URL.RawQuery = r.In.URL.RawQuery
			out.Host = r.In.Host // the other node checks the origin against it
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host",
				"X-Forwarded-Proto", "Forwarded"} {
				if v, ok := r.In.Header[name]; ok {
					out.Header[name] = v
				}
			}
			if to.kin { // it answers as this process would
				out.Header.Set(remoteHeader, r.In.RemoteAddr)
				return
			}
			if ip, _, err := net.SplitHostPort(r.In.RemoteAddr); err == nil {
				out.Header.Add("X-Forwarded-For", ip)
			}
			out.Header.Set(engine.HopHeader, hop(to.secret, []byte(out.Method),
				[]byte(out.URL.RequestURI())))
		},
		Transport: &http.Transport{
			DialContext:         s.kin.dial,
			MaxIdleConnsPerHost: forwardKept,
			IdleConnTimeout:     forwardIdle,
			DisableCompression:  true, // as the client and the other node agree
			// A poll waits for the next heartbeat.
			ResponseHeaderTimeout: s.opt.PingInterval + s.opt.PingTimeout + forwardDial,
		},
		FlushInterval: -1,
		BufferPool:    &buffers{},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the client has gone
			}
			f.fails.Add(1)
			to := r.Context().Value(forwardTo{}).(*target)
			if to.kin {
				f.kin.gone(to.tag) // as it does when it is replaced: no reason to warn
			} else {
				s.warn(noteForward, "a request could not be forwarded to the node of its session",
					"node", to.id, "addr", to.addr, "error", err)
			}
			s.eng.Unknown(w, r)
		},
	}
	return f
}

// elsewhere is what engine has to know; nil for a server that is alone.
func (f *forwarder) elsewhere(s *Server) *engine.Elsewhere {
	if f == nil {
		return nil
	}
	return &engine.Elsewhere{
		Lives: func(tag uint16, hopped bool) bool {
			_, ok := f.find(tag, hopped)
			return ok
		},
		Forward: func(tag uint16, w http.ResponseWriter, r *http.Request) {
			to, ok := f.find(tag, r.Header.Get(engine.HopHeader) != "")
			if !ok { // it has left meanwhile
				s.eng.Unknown(w, r)
				return
			}
			f.forward(&to, w, r)
		},
		Genuine: func(got, method, target []byte) bool {
			if f.nodes == nil {
				return false
			}
			self := f.nodes.Self()
			return self.Secret != "" &&
				hmac.Equal(got, []byte(hop(self.Secret, method, target)))
		},
	}
}

// find finds the process that a tag belongs to; hopped: for a request that
// another node has sent to the address that this process shares with it. There
// it goes no further than to a sibling, which sees whether it is genuine. It
// does not block.
func (f *forwarder) find(tag uint16, hopped bool) (to target, ok bool) {
	if f.kin.lives(tag) {
		return target{addr: siblingURL(tag), tag: tag, kin: true}, true
	}
	if f.nodes == nil || hopped {
		return to, false
	}
	n, ok := f.nodes.NodeByTag(tag)
	return target{id: n.ID, addr: n.Addr, secret: n.Secret, tag: tag}, ok && n.Addr != ""
}

func (f *forwarder) forward(to *target, w http.ResponseWriter, r *http.Request) {
	f.sent.Add(1)
	ctx := context.WithValue(r.Context(), forwardTo{}, to)
	if r.Header.Get("Upgrade") != "" {
		var t tunnel
		ctx, t.cut = context.WithCancel(ctx)
		f.mu.Lock()
		f.tunnels[&t] = struct{}{}
		f.mu.Unlock()
		defer func() {
			t.cut()
			f.mu.Lock()
			delete(f.tunnels, &t)
			f.mu.Unlock()
		}()
	}
	f.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// sendAway cuts so many tunnels, and returns how many are left.
func (f *forwarder) sendAway(quota int) (left int) {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for t := range f.tunnels {
		if quota--; quota < 0 {
			break
		}
		t.cut()
		delete(f.tunnels, t)
	}
	return len(f.tunnels)
}

// hop proves to a node that one of its cluster forwards a request.
func hop(secret string, method, target []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = h.Write(method) // never fails; see hash.Hash
	_, _ = h.Write([]byte{' '})
	_, _ = h.Write(target)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
