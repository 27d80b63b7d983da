package netpoll

import "github.com/gobwas/ws"

// Handler makes the objects connections live in and decides about requests.
// StartLoop, Open and Request run on a loop and must not block.
type Handler interface {
	// StartLoop runs once on each loop before its first connection; a place
	// to set Loop.App.
	StartLoop(l *Loop)
	// Open returns the object for a new TCP connection, a new one each time:
	// what is still queued for a closed connection must not find its object
	// alive again. Its NetConn is the Conn embedded in it, zero until Open
	// returns.
	Open(l *Loop) Peer
	// Request decides about a complete request head. r and all its slices
	// are valid until Request returns, or Peer.Upgraded for an upgrade.
	Request(c *Conn, r *Request) Reply
}

// Peer is the object that a connection lives in: it embeds a Conn and
// receives what happens to it. All methods run on the connection's loop.
type Peer interface {
	// NetConn returns the embedded Conn.
	NetConn() *Conn
	// Upgraded runs after the 101 response was queued. What it sends leaves
	// in the same write. r is valid until it returns.
	Upgraded(r *Request)
	// Message is a whole WebSocket text or binary message, text checked as
	// UTF-8. p is valid until Message returns unless owned is true: then the
	// buffer belongs to the receiver for good.
	Message(op ws.OpCode, p []byte, owned bool)
	// Timer runs when the time set with Conn.SetTimer has come.
	Timer()
	// Closed runs exactly once for each opened connection, when nothing can be sent or received any
	// more; err says why (ErrPeerGone, *CloseError, ErrSlowConsumer ...).
	Closed(err error)
}

// ReplyKind says what to do with a request.
type ReplyKind uint8

// The ways to answer a request.
const (
	// Respond writes Status, ContentType, Header and Body on the loop.
	Respond ReplyKind = iota
	// Upgrade switches to WebSocket when the handshake is valid; otherwise
	// the client gets the error status RFC 6455 section 4.2.2 names.
	Upgrade
	// Handover gives the connection, this request included, to Options.HTTP
	// (net/http), which keeps it.
	Handover
	// Defer leaves the request unanswered until Conn.Respond; Waiter is told
	// if the client goes away before. The connection's next request waits.
	Defer
	// ReadBody reads the request's body first, at most Limit bytes;
	// Waiter.Body then decides about the request.
	ReadBody
)

// Waiter follows a request that was not answered at once. Its methods run on
// the connection's loop.
type Waiter interface {
	// Body has the whole body of a request answered with ReadBody; the buffer
	// belongs to the receiver. err is ErrTooLarge, and body nil, when it is
	// over the limit: the connection closes after the response then. The reply
	// is anything but Upgrade, Handover and ReadBody.
	Body(c *Conn, body []byte, err error) Reply
	// Gone runs instead of an answer: the client has closed the connection, or
	// the time in Reply.Wait, or for the body, is over. Conn.Respond does
	// nothing for this Waiter any more.
	Gone(c *Conn, err error)
}

// Reply is a Handler's answer to a request.
type Reply struct {
	Kind        ReplyKind
	Status      int
	ContentType string
	// Header holds extra complete lines, each ending in CRLF.
	Header string
	Body   []byte
	// Close closes the connection after the response.
	Close bool
	// Subprotocol is echoed in Sec-WebSocket-Protocol of an upgrade.
	Subprotocol string

	// Waiter belongs to Defer and ReadBody.
	Waiter Waiter
	// Limit of a body in bytes.
	Limit int
	// Wait bounds a Defer in ticks of 100 ms: then the client gets a 503. 0:
	// no bound.
	Wait uint32
}

// Task is work posted to a loop. Run returns true to be called again in a
// later turn before anything posted after it (see Loop.Spent).
type Task interface {
	Run(l *Loop) (again bool)
}

// HeaderField is one header line of a Request.
type HeaderField struct{ Name, Value []byte }

// Request is a parsed HTTP/1.1 request head. Its slices point into the read
// buffer.
type Request struct {
	Method, Target []byte
	// Path and Query are Target split at the first '?'.
	Path, Query []byte
	// Minor is the x of HTTP/1.x.
	Minor         int
	Fields        []HeaderField
	ContentLength int64 // -1: none given
	Chunked       bool
	Expect        bool
	Close         bool // Connection: close, or HTTP/1.0 without keep-alive
	Upgrade       bool // asks for "websocket" in Upgrade with Connection: upgrade
	// Raw is the whole head, up to and including the empty line.
	Raw []byte
}
