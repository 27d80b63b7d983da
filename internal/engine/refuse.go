package engine

import (
	"encoding/json"
	"net"
	"strconv"

	"github.com/throng-server/throng/netpoll"
)

// refusal is a reason not to open a session.
type refusal uint8

const (
	accepted refusal = iota
	transportUnknown
	pollingOff
	originRefused
	sidUnknown
	badMethod
	badRequest
	badVersion
	serverDraining
	forbidden
	hopRefused
	addressFull
	refusalKinds

	// forwarded is no refusal: another node has the session.
	forwarded = refusalKinds
)

// refusals holds what the client is told (code and message as the reference
// server words them), the counter's name and the line for the log.
var refusals = [refusalKinds]struct {
	name    string
	status  int
	code    int
	message string
	note    string
}{
	transportUnknown: {name: "transport_unknown", status: 400, code: 0,
		message: "Transport unknown"},
	pollingOff: {name: "polling", status: 400, code: 0, message: "Transport unknown",
		note: `HTTP long-polling is switched off: a client asked for transport=polling and ` +
			`was refused; pass transports: ["websocket"] to io()`},
	originRefused: {name: "origin", status: 400, code: 3,
		message: "Origin not allowed: see cors_allowed_origins",
		note:    "origin refused: list it in cors_allowed_origins to accept it"},
	sidUnknown: {name: "sid_unknown", status: 400, code: 1, message: "Session ID unknown"},
	badMethod:  {name: "method", status: 400, code: 2, message: "Bad handshake method"},
	badRequest: {name: "bad_request", status: 400, code: 3, message: "Bad request"},
	badVersion: {name: "protocol_version", status: 400, code: 5,
		message: "Unsupported protocol version",
		note:    "a client of an old protocol was refused: Engine.IO 4 (client 3.x, 4.x) is served"},
	// While the server drains, the connection ends without an answer, as if
	// nobody listened: proxies then ask another instance. The answer is for
	// sessions that find no room any more.
	serverDraining: {name: "draining", status: 503, code: 3, message: "Server shutting down"},
	hopRefused: {name: "hop", status: 400, code: 3, message: "Bad request",
		note: "a request says that another node has forwarded it, and none has"},
	addressFull: {name: "connections_per_address", status: 429, code: 3,
		message: "Too many connections",
		note:    "an address has as many connections as MaxConnectionsPerAddress allows"},
	forbidden: {name: "forbidden", status: 403, code: 4, message: "Forbidden",
		note: "AllowRequest refused a session"},
}

// crowded asks Options.Crowded about a request that would open a session.
func (s *Server) crowded(kind exchangeKind, r *netpoll.Request, remote func() net.Addr) bool {
	return s.opt.Crowded != nil && (kind == openPoll || kind == openWS) &&
		s.opt.Crowded(remote, func() string { return values(r, "x-forwarded-for") })
}

// replyTo answers a refused request.
func replyTo(k refusal, upgrade bool) netpoll.Reply {
	f := &refusals[k]
	r := refusalReply(f.status, f.code, f.message, upgrade)
	r.Close = r.Close || k == serverDraining
	return r
}

// refusalReply is the answer of a refusal: for an upgrade plain text and the
// end of the connection, for everything else the JSON body of the protocol.
func refusalReply(status, code int, message string, upgrade bool) netpoll.Reply {
	if upgrade {
		if status == 403 {
			status = 400 // as the reference server does
		}
		return netpoll.Reply{Status: status, ContentType: "text/html", Body: []byte(message),
			Close: true}
	}
	text, _ := json.Marshal(message) // a string always can be
	body := append([]byte(`{"code":`), strconv.Itoa(code)...)
	body = append(append(append(body, `,"message":`...), text...), '}')
	return netpoll.Reply{Status: status, ContentType: "application/json", Body: body}
}

// keepUsable has the body of a refused request read first, so that the
// connection can be used on.
func keepUsable(r *netpoll.Request, reply netpoll.Reply, limit int) netpoll.Reply {
	if reply.Close || r.ContentLength <= 0 && !r.Chunked {
		return reply
	}
	return netpoll.Reply{Kind: netpoll.ReadBody, Limit: limit, Waiter: &refusedBody{reply}}
}

// refusedBody waits for a body that nobody wants.
type refusedBody struct{ reply netpoll.Reply }

// Body implements netpoll.Waiter.
func (b *refusedBody) Body(*netpoll.Conn, []byte, error) netpoll.Reply { return b.reply }

// Gone implements netpoll.Waiter.
func (b *refusedBody) Gone(*netpoll.Conn, error) {}
