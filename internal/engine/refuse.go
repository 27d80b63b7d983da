package engine

import (
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
	keptConnection
	refusalKinds
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
		note: `HTTP long-polling is not enabled: a client asked for transport=polling and ` +
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
	serverDraining: {name: "draining", status: 503, code: 3, message: "Server shutting down"},
	forbidden: {name: "forbidden", status: 403, code: 4, message: "Forbidden",
		note: "AllowRequest refused a session"},
	keptConnection: {name: "kept_connection", status: 503, code: 3,
		message: "Upgrade needs a new connection"},
}

// reply answers a refused request. An upgrade gets plain text and the end of
// the connection, everything else the JSON body of the protocol.
func reply(k refusal, r *netpoll.Request) netpoll.Reply {
	f := &refusals[k]
	if r.Upgrade {
		status := f.status
		if status == 403 {
			status = 400
		}
		return netpoll.Reply{Kind: netpoll.Respond, Status: status, ContentType: "text/html",
			Body: []byte(f.message), Close: true}
	}
	body := append([]byte(`{"code":`), strconv.Itoa(f.code)...)
	body = append(body, `,"message":"`...)
	body = append(body, f.message...)
	body = append(body, `"}`...)
	return netpoll.Reply{Kind: netpoll.Respond, Status: f.status,
		ContentType: "application/json", Body: body,
		Close: k == serverDraining || r.ContentLength > 0 || r.Chunked}
}
