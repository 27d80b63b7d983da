package socketio

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// Codes of a ConnectionError, as the protocol numbers them.
const (
	CodeUnknownTransport    = 0
	CodeUnknownSession      = 1
	CodeBadHandshakeMethod  = 2
	CodeBadRequest          = 3
	CodeForbidden           = 4
	CodeUnsupportedProtocol = 5
)

// ConnectionError is a request to connect that was refused before there was a
// socket. Refusals of a middleware are none.
type ConnectionError struct {
	// Code and Message are what the client was told, or would have been if its
	// transport could say so.
	Code    int
	Message string
	// Context says what was wrong with the request: {"transport": ...},
	// {"sid": ...}, {"method": ...}, {"protocol": ...}, {"message": ...} with
	// AllowRequest's error, or a "name": INVALID_ORIGIN with the "origin",
	// TRANSPORT_MISMATCH with "transport" and "previousTransport",
	// PROTOCOL_MISMATCH with "protocol" and "previousProtocol".
	Context map[string]string
	// Request is the request without its body; nil if net/http cannot read it.
	Request *http.Request
}

func (e *ConnectionError) Error() string { return "socketio: connection refused: " + e.Message }

// refusalHook holds the OnConnectionError hooks and what waits for them.
type refusalHook struct {
	list    atomic.Pointer[[]func(*ConnectionError)]
	box     netpoll.Mailbox
	waiting atomic.Int32
}

// OnConnectionError adds a hook for requests that were refused. Hooks run one
// after the other, on a worker. While 1,024 refusals wait for a slow hook,
// further ones are only counted, as "connection_error_hook" among the drops.
func (s *Server) OnConnectionError(f func(e *ConnectionError)) {
	for {
		old := s.refusals.list.Load()
		var list []func(*ConnectionError)
		if old != nil {
			list = *old
		}
		list = add(list, f)
		if s.refusals.list.CompareAndSwap(old, &list) {
			return
		}
	}
}

// refusalNote is a refusal on its way to the hooks.
type refusalNote struct {
	node   netpoll.Node
	srv    *Server
	err    ConnectionError
	head   []byte
	remote string
}

// refused is engine.Options.Refused.
func (s *Server) refused(r *engine.Refusal) {
	hook := &s.refusals
	if hook.list.Load() == nil {
		return
	}
	if hook.waiting.Add(1) > maxRefusalNotes {
		hook.waiting.Add(-1)
		s.drop(dropRefusalNotes)
		s.warn(noteRefusals, "OnConnectionError hooks are slower than requests are refused",
			"waiting", maxRefusalNotes)
		return
	}
	n := &refusalNote{srv: s, head: slices.Clone(r.Head),
		err: ConnectionError{Code: r.Code, Message: r.Message, Context: make(map[string]string, 2)}}
	if r.Name != "" {
		n.err.Context["name"] = r.Name
	}
	if r.Key != "" {
		n.err.Context[r.Key] = string(r.Value)
	}
	if r.Previous != "" {
		n.err.Context["previous"+strings.ToUpper(r.Key[:1])+r.Key[1:]] = r.Previous
	}
	if r.Remote != nil {
		n.remote = r.Remote.String()
	}
	if r.Request != nil {
		// The handler that has it goes on reading the body.
		n.err.Request = r.Request.Clone(s.tasks.ctx)
		n.err.Request.Body = http.NoBody
	}
	n.node.Init(n)
	s.net.Workers().Submit(&hook.box, &n.node)
}

// Run calls the hooks, on a worker.
func (n *refusalNote) Run() {
	s := n.srv
	s.refusals.waiting.Add(-1)
	if n.err.Request == nil && n.head != nil {
		if r, err := engine.ParseHead(n.head, n.remote); err == nil {
			n.err.Request = r
		}
	}
	for _, f := range *s.refusals.list.Load() {
		s.guard("OnConnectionError", func() { f(&n.err) })
	}
}
