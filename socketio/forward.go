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
// balancer may spread the requests of one client over all nodes. A node that
// cannot be reached gives 502, and the client begins a new session.
type forwarder struct {
	nodes cluster.Transport
	proxy httputil.ReverseProxy
	sent  atomic.Uint64
	fails atomic.Uint64

	mu      sync.Mutex
	tunnels map[*tunnel]struct{}
}

// tunnel is a WebSocket between a client and another node.
type tunnel struct{ cut context.CancelFunc }

type forwardTo struct{}

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
	if s.opt.Cluster == nil {
		return nil
	}
	f := &forwarder{nodes: s.opt.Cluster, tunnels: make(map[*tunnel]struct{})}
	f.proxy = httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			node := r.In.Context().Value(forwardTo{}).(*cluster.Node)
			out := r.Out
			out.URL.Scheme, out.URL.Host = "http", node.Addr
			out.URL.RawQuery = r.In.URL.RawQuery
			out.Host = r.In.Host // the other node checks the origin against it
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host",
				"X-Forwarded-Proto", "Forwarded"} {
				if v, ok := r.In.Header[name]; ok {
					out.Header[name] = v
				}
			}
			if ip, _, err := net.SplitHostPort(r.In.RemoteAddr); err == nil {
				out.Header.Add("X-Forwarded-For", ip)
			}
			out.Header.Set(engine.HopHeader, hop(node.Secret, []byte(out.Method),
				[]byte(out.URL.RequestURI())))
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: forwardDial}).DialContext,
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
			node := r.Context().Value(forwardTo{}).(*cluster.Node)
			s.warn(noteForward, "a request could not be forwarded to the node of its session",
				"node", node.ID, "addr", node.Addr, "error", err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return f
}

// elsewhere is what engine has to know; nil for a server that is alone.
func (f *forwarder) elsewhere() *engine.Elsewhere {
	if f == nil {
		return nil
	}
	return &engine.Elsewhere{
		Lives: func(tag uint16) bool {
			n, ok := f.nodes.NodeByTag(tag)
			return ok && n.Addr != ""
		},
		Forward: f.forward,
		Genuine: func(got, method, target []byte) bool {
			self := f.nodes.Self()
			return self.Secret != "" &&
				hmac.Equal(got, []byte(hop(self.Secret, method, target)))
		},
	}
}

func (f *forwarder) forward(tag uint16, w http.ResponseWriter, r *http.Request) {
	node, ok := f.nodes.NodeByTag(tag)
	if !ok {
		w.WriteHeader(http.StatusBadGateway) // it has left meanwhile
		return
	}
	f.sent.Add(1)
	ctx := context.WithValue(r.Context(), forwardTo{}, &node)
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
