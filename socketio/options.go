package socketio

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/netpoll"
)

// Options configures a Server. The zero value works; each field says what it
// means then.
type Options struct {
	// Addr to listen on, "host:port". Default ":5000".
	Addr string
	// Path of Engine.IO requests, compared as a prefix. Default "/socket.io/".
	// Clients may ask for it without its last slash.
	Path string
	// Loops is the number of event loops. Default: netpoll.Processors.
	Loops int
	// ReusePort lets several processes share the address.
	ReusePort bool
	// MaxConnections bounds open connections. Default: the limit of open
	// files minus a reserve.
	MaxConnections int
	// MaxConnectionsPerAddress bounds the sessions of one client address, or of
	// one /64 network of IPv6; behind TrustedProxies it is the address that
	// they tell. One too many is refused with status 429. What has not begun a
	// session is not counted: it has 5 s for its request. Default: no bound.
	MaxConnectionsPerAddress int
	// EventRate bounds the events of a socket in a second, on average, and
	// EventBurst those at once; its default is what EventRate allows in a
	// second, at least 1. An event above is dropped, counted and logged; if the
	// client waits for an acknowledgement it gets {"error": message}.
	// Default: no bound.
	EventRate  float64
	EventBurst int
	// NodeTag is put into every socket id, so that several servers can tell
	// theirs. Default: random.
	NodeTag uint16

	// Cluster joins the server to others, which then are one for clients: what
	// is sent to rooms, done to sockets and asked of them holds on all nodes.
	// NodeTag is that of the node. The server starts the transport and closes
	// it, and the servers must register the same parents (see OfFunc) in the
	// same order. Default: alone.
	Cluster cluster.Transport

	// PingInterval and PingTimeout are the heartbeat. Default 25 s and 20 s.
	// With an interval of 20 s or more both last up to 0.4 s longer, so that
	// the heartbeats of many come together and the server sleeps in between.
	PingInterval time.Duration
	PingTimeout  time.Duration
	// ConnectTimeout ends a connection that joined no namespace. Default 45 s.
	ConnectTimeout time.Duration
	// MaxPayload is the largest message of a client in bytes, one message on
	// the wire. Default 1,000,000.
	MaxPayload int
	// MaxAttachments bounds binary values in one packet, both ways. Default 10.
	MaxAttachments int
	// MaxNamespaces bounds the namespaces of one connection. Default 64.
	MaxNamespaces int
	// MaxDynamicNamespaces bounds the children of OfFunc and OfPattern that
	// clients have brought into being. Default 10,000.
	MaxDynamicNamespaces int
	// CleanupEmptyChildNamespaces removes a child of OfFunc or OfPattern when
	// its last socket has left; the next client makes a new one. Default: they
	// stay.
	CleanupEmptyChildNamespaces bool
	// MaxRooms bounds the rooms a socket is in, its own id apart. All joins
	// count, whoever asked for them: rooms are joined by the server, but often
	// named by the client. One too many is not joined, counted and logged.
	// Default 1,000; -1 means no bound.
	MaxRooms int
	// MailboxEvents and MailboxBytes bound what waits for the handlers of one
	// connection; beyond, it is closed. Default 16,384 and 1 MiB. One message
	// larger than the bytes passes while nothing else waits.
	MailboxEvents int
	MailboxBytes  int
	// MailboxTotal bounds the bytes waiting for all handlers. Default 512 MiB.
	MailboxTotal int
	// MaxPendingBytes and MaxPendingFrames bound what waits for one client to
	// read; beyond, it is closed. Default 1 MiB and 4,096. One message larger
	// than the bytes passes while nothing else waits.
	MaxPendingBytes  int
	MaxPendingFrames int
	// MaxWorkers bounds the handlers running at the same time. Default 10,000.
	MaxWorkers int

	// EventNames are the events that Stats counts by themselves, at most 256.
	// Default: none, because clients can invent names.
	EventNames []string

	// CORSAllowedOrigins lists the origins browsers may connect from, each
	// "scheme://host[:port]", or "*" for any. Default: the same host and port.
	CORSAllowedOrigins []string
	// CORSCredentials lets browsers send cookies to those origins. CORSMethods,
	// CORSAllowedHeaders, CORSExposedHeaders and CORSMaxAge fill in the other
	// headers of cross-origin answers; by default a preflight allows GET, HEAD,
	// PUT, PATCH, POST, DELETE and whatever headers it asks for. Without
	// CORSAllowedOrigins none of them is sent.
	CORSCredentials    bool
	CORSMethods        []string
	CORSAllowedHeaders []string
	CORSExposedHeaders []string
	CORSMaxAge         time.Duration

	// AllowEIO3 lets clients 1.x and 2.x in, which speak revision 3 of Engine.IO
	// and revision 4 of Socket.IO. Their sockets' ids are those that they know:
	// in "/" the id of the connection, elsewhere "/namespace#" and that.
	AllowEIO3 bool

	// Transports lists the transports clients may use, "polling" and
	// "websocket". Default: both.
	Transports []string
	// DisableUpgrades does not offer polling clients the way to WebSocket.
	DisableUpgrades bool
	// UpgradeTimeout bounds that way; afterwards a client stays on polling.
	// Default 10 s.
	UpgradeTimeout time.Duration
	// HTTPCompression is the size in bytes from which answers to polls are
	// compressed with gzip or deflate, for clients that accept it; negative:
	// never. Default 1,024.
	HTTPCompression int
	// Cookie is the pattern of a cookie that carries the id of a connection
	// and is set when one begins with polling, for proxies that choose a server
	// by it; the server itself does not read it. An empty Name means "io", an
	// empty Path "/", no SameSite Lax; HttpOnly is always set. Default: none.
	Cookie *http.Cookie

	// ConnectionStateRecovery lets clients come back to their sessions.
	// Default: off.
	ConnectionStateRecovery *ConnectionStateRecovery

	// TrustedProxies are the networks of proxies whose X-Forwarded-For and
	// X-Forwarded-Proto are believed; see Handshake. Default: none.
	TrustedProxies []netip.Prefix

	// AllowRequest may refuse a connection with an error before its handshake
	// is answered: with status 403 and the error's text, or 400 for a
	// WebSocket. It may block, for at most 10 s.
	AllowRequest func(r *http.Request) error
	// InitialHeaders may add headers to the answer of a connection's handshake,
	// Headers to every answer to Engine.IO requests; both may block, and each
	// request costs more if they are set. They must not keep h or r.
	InitialHeaders func(h http.Header, r *http.Request)
	Headers        func(h http.Header, r *http.Request)

	// KeepHeaders names request headers that Socket.Handshake still has after
	// the connection handlers have returned; the rest is freed then.
	KeepHeaders []string
	// KeepHandshake keeps the whole handshake, auth included, for the life of
	// the socket, at the price of its bytes per connection.
	KeepHandshake bool

	// ClientFiles answers requests for the browser client below Path
	// (socket.io.js and its variants). Default: they are refused.
	ClientFiles http.Handler
	// OnError is called, on a worker, when a handler failed or panicked and
	// neither the socket nor its namespace has an OnError of its own. If it
	// returns a value that is not nil and the client waits for an
	// acknowledgement, that value is sent. Default: log.
	OnError func(s *Socket, event string, err error) (reply any)

	// Logger for everything worth a line. Default slog.Default().
	Logger *slog.Logger
}

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	wait := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	if o.Addr == "" {
		o.Addr = ":5000"
	}
	if o.Path == "" {
		o.Path = defaultPath
	}
	if !strings.HasSuffix(o.Path, "/") {
		o.Path += "/"
	}
	set(&o.Loops, min(netpoll.Processors(), 255))
	wait(&o.PingInterval, defaultPingInterval)
	wait(&o.PingTimeout, defaultPingTimeout)
	wait(&o.ConnectTimeout, defaultConnectTimeout)
	wait(&o.UpgradeTimeout, defaultUpgradeTimeout)
	set(&o.HTTPCompression, defaultCompression)
	if len(o.Transports) == 0 {
		o.Transports = []string{"polling", "websocket"}
	}
	set(&o.MaxPayload, defaultMaxPayload)
	set(&o.MaxAttachments, defaultMaxAttachments)
	set(&o.MaxNamespaces, defaultMaxNamespaces)
	set(&o.MaxDynamicNamespaces, defaultMaxDynamicNamespaces)
	set(&o.MaxRooms, defaultMaxRooms)
	if o.MaxRooms < 0 {
		o.MaxRooms = math.MaxInt32
	}
	set(&o.MailboxEvents, defaultMailboxEvents)
	set(&o.MailboxBytes, defaultMailboxBytes)
	set(&o.MailboxTotal, defaultMailboxTotal)
	set(&o.MaxPendingBytes, defaultMaxPendingBytes)
	set(&o.MaxPendingFrames, defaultMaxPendingFrames)
	set(&o.MaxWorkers, defaultMaxWorkers)
	if o.ConnectionStateRecovery != nil {
		o.ConnectionStateRecovery = o.ConnectionStateRecovery.withDefaults()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Checked returns o with every default filled in, or an *OptionError that names
// the option NewServer would refuse. Any goroutine.
func (o Options) Checked() (Options, error) {
	o = o.withDefaults()
	return o, o.validate()
}

// validate names the first bad field of options with defaults filled in.
func (o *Options) validate() error {
	bad := func(field, format string, args ...any) error {
		return &OptionError{Field: field, Reason: fmt.Sprintf(format, args...)}
	}
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		return bad("Addr", "%q is not host:port", o.Addr)
	}
	if !strings.HasPrefix(o.Path, "/") || strings.ContainsAny(o.Path, "?# \r\n") {
		return bad("Path", "%q is not an absolute path", o.Path)
	}
	if o.Path == "/" {
		return bad("Path", "must not be the root: every request would be taken for Engine.IO")
	}
	if o.Loops < 1 || o.Loops > 255 {
		return bad("Loops", "%d is not between 1 and 255", o.Loops)
	}
	for _, f := range []struct {
		name string
		v    int
		max  int
	}{
		{"MaxPayload", o.MaxPayload, math.MaxInt32},
		{"MaxAttachments", o.MaxAttachments, 1 << 16},
		{"MaxNamespaces", o.MaxNamespaces, 1 << 16},
		{"MaxDynamicNamespaces", o.MaxDynamicNamespaces, 1 << 24},
		{"MaxRooms", o.MaxRooms, math.MaxInt32},
		{"MailboxEvents", o.MailboxEvents, math.MaxInt32},
		{"MailboxBytes", o.MailboxBytes, math.MaxInt32 / 2},
		{"MailboxTotal", o.MailboxTotal, math.MaxInt64},
		{"MaxPendingBytes", o.MaxPendingBytes, math.MaxInt32},
		{"MaxPendingFrames", o.MaxPendingFrames, math.MaxInt32},
		{"MaxWorkers", o.MaxWorkers, 1 << 20},
	} {
		if f.v < 1 || f.v > f.max {
			return bad(f.name, "%d is not between 1 and %d", f.v, f.max)
		}
	}
	if o.Cluster != nil && o.NodeTag != 0 && o.NodeTag != o.Cluster.Self().Tag {
		return bad("NodeTag", "%d is not the tag %d of the node in the cluster",
			o.NodeTag, o.Cluster.Self().Tag)
	}
	for _, f := range []struct {
		name string
		v    float64
	}{
		{"MaxConnectionsPerAddress", float64(o.MaxConnectionsPerAddress)},
		{"EventRate", o.EventRate}, {"EventBurst", float64(o.EventBurst)},
	} {
		if !(f.v >= 0 && f.v <= 1<<24) {
			return bad(f.name, "%v is not between 0 and %d", f.v, 1<<24)
		}
	}
	if o.MaxConnections < 0 {
		return bad("MaxConnections", "%d is negative", o.MaxConnections)
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"PingInterval", o.PingInterval},
		{"PingTimeout", o.PingTimeout},
		{"ConnectTimeout", o.ConnectTimeout},
		{"UpgradeTimeout", o.UpgradeTimeout},
	} {
		if f.v < 100*time.Millisecond || f.v > 24*time.Hour {
			return bad(f.name, "%v is not between 100ms and 24h", f.v)
		}
	}
	if r := o.ConnectionStateRecovery; r != nil {
		switch d := r.MaxDisconnectionDuration; {
		case d < time.Millisecond || d > 24*time.Hour:
			return bad("ConnectionStateRecovery.MaxDisconnectionDuration",
				"%v is not between 1ms and 24h", d)
		case r.MaxParked < 1:
			return bad("ConnectionStateRecovery.MaxParked", "%d is not positive", r.MaxParked)
		case r.MaxLogBytes < 1:
			return bad("ConnectionStateRecovery.MaxLogBytes", "%d is not positive", r.MaxLogBytes)
		}
	}
	if problem := badNames(o.EventNames); problem != "" {
		return bad("EventNames", "%s", problem)
	}
	for _, p := range o.TrustedProxies {
		if !p.IsValid() {
			return bad("TrustedProxies", "%v is no network", p)
		}
	}
	for _, name := range o.Transports {
		if name != "polling" && name != "websocket" {
			return bad("Transports", `%q is neither "polling" nor "websocket"`, name)
		}
	}
	if o.Cookie != nil {
		c := *o.Cookie
		if c.Name == "" {
			c.Name = "io"
		}
		if err := c.Valid(); err != nil {
			return bad("Cookie", "%v", err)
		}
	}
	for _, f := range []struct {
		name string
		list []string
	}{
		{"CORSMethods", o.CORSMethods},
		{"CORSAllowedHeaders", o.CORSAllowedHeaders},
		{"CORSExposedHeaders", o.CORSExposedHeaders},
	} {
		for _, v := range f.list {
			if v == "" || strings.ContainsAny(v, " \t\r\n,:") {
				return bad(f.name, "%q is not a name", v)
			}
		}
	}
	if o.CORSMaxAge < 0 {
		return bad("CORSMaxAge", "%v is negative", o.CORSMaxAge)
	}
	for _, origin := range o.CORSAllowedOrigins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || (u.Path != "" && u.Path != "/") {
			return bad("CORSAllowedOrigins", `%q is neither "*" nor scheme://host[:port]`, origin)
		}
		if u.Path == "/" {
			return bad("CORSAllowedOrigins", "%q must not end in a slash", origin)
		}
	}
	return nil
}
