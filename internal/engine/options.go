package engine

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/throng-server/throng/netpoll"
)

// Options configures a Server. socketio validates them and fills in defaults;
// New only requires Path and Open.
type Options struct {
	// Path is the prefix of request targets that belong to Engine.IO,
	// compared with the raw target; without its last slash it is ours as well.
	Path string
	// PingInterval and PingTimeout are the heartbeat's times.
	PingInterval, PingTimeout time.Duration
	// MaxPayload is the largest message, announced in the open packet.
	MaxPayload int
	// CORSAllowedOrigins lists origins ("https://example.com", or "*" for
	// any); empty means the same origin only.
	CORSAllowedOrigins []string
	// CORSCredentials, CORSMethods, CORSAllowedHeaders, CORSExposedHeaders and
	// CORSMaxAge are the rest of what browsers are told when origins are
	// listed.
	CORSCredentials    bool
	CORSMethods        []string
	CORSAllowedHeaders []string
	CORSExposedHeaders []string
	CORSMaxAge         time.Duration

	// AllowEIO3 lets clients of revision 3 of the protocol in.
	AllowEIO3 bool
	// Transports lists "polling" and "websocket"; empty: both.
	Transports []string
	// DisableUpgrades empties the list of upgrades that polling clients are
	// offered.
	DisableUpgrades bool
	// UpgradeTimeout bounds an upgrade. Default 10 s.
	UpgradeTimeout time.Duration
	// CompressFrom is the size in bytes from which answers to polls are
	// compressed; negative: never.
	CompressFrom int
	// Cookie is the pattern of a cookie that polling handshakes set.
	Cookie *http.Cookie

	// AllowRequest may refuse a new session with an error: 403, or 400 for a
	// WebSocket, with the error's text. It runs on the admission pool, before
	// the handshake is answered, and may block.
	AllowRequest func(r *http.Request) error
	// InitialHeaders adds headers to the answer of a handshake, Headers to
	// every answer of Engine.IO but errors. They run like AllowRequest.
	InitialHeaders, Headers func(h http.Header, r *http.Request)
	// Crowded, if set, tells whether the client's address has as many sessions
	// as it may have; forwarded returns the X-Forwarded-For. It must not block.
	Crowded func(remote func() net.Addr, forwarded func() string) bool
	// AllowTimeout bounds the hooks. Default 10 s.
	AllowTimeout time.Duration
	// HandOver tells which names below Path net/http answers (the client
	// files), given the target's path without Path.
	HandOver func(name []byte) bool
	// NodeTag is the node's part of every id.
	NodeTag uint16
	// Elsewhere, if set, forwards what belongs to other nodes.
	Elsewhere *Elsewhere
	Logger    *slog.Logger
	// StartLoop runs on each loop before its first connection and returns
	// the owner's state of that loop: Loop.App.
	StartLoop func(l *Loop) any
	// Refused, if set, is told of every request that is refused. It must not
	// block: it runs on a loop, or on a goroutine of net/http.
	Refused func(r *Refusal)
	// Watched, if set, tells whether Refused wants the heads of requests; the
	// copies cost something. It must not block.
	Watched func() bool
	// Open makes the object of a new connection. It embeds a Session.
	Open func(l *Loop) Upper
}

// Upper is what the object of a connection does with its session. All methods
// run on the connection's loop.
type Upper interface {
	netpoll.Drainer
	// session is the embedded Session.
	session() *Session
	// Opened runs when the open packet is queued. head is the request head;
	// it is valid until Opened returns unless owned is true. remote is the
	// client's address.
	Opened(head []byte, owned bool, remote net.Addr)
	// Packet is an Engine.IO message: text, or an attachment when binary. p
	// is valid until Packet returns unless owned is true.
	Packet(binary bool, p []byte, owned bool)
	// Deadline runs when the time set with Session.SetDeadline has come.
	Deadline()
	// Ended runs exactly once for each opened session; nothing can be sent
	// any more. reason is one of the Reason constants or what Session.End
	// was given.
	Ended(reason string)
}

// Reasons for the end of a session, as Node names them.
const (
	ReasonTransportClose = "transport close"
	ReasonTransportError = "transport error"
	ReasonPingTimeout    = "ping timeout"
	ReasonParseError     = "parse error"
	ReasonForcedClose    = "forced close"
	ReasonShutdown       = "server shutting down"
	// ReasonSlowConsumer has no counterpart in Node, which buffers without
	// bound.
	ReasonSlowConsumer = "slow consumer"
)
