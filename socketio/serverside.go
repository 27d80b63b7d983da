package socketio

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/throng-server/throng/protocol/sio"
)

// ServerEvent is an event that another server of the cluster has sent.
type ServerEvent struct {
	name  string
	args  []byte
	atts  [][]byte
	once  sync.Once
	reply func(args []any)
}

// Name returns the event's name.
func (e *ServerEvent) Name() string { return e.name }

// Args returns the arguments, validated JSON.
func (e *ServerEvent) Args() []json.RawMessage { return splitArgs(e.args) }

// Bind decodes the arguments into pointers; see Event.Bind.
func (e *ServerEvent) Bind(dst ...any) error { return bind(e.args, e.atts, dst) }

// WantsAck tells whether the sender waits for an answer.
func (e *ServerEvent) WantsAck() bool { return e.reply != nil }

// Ack answers the sender, if it waits; only the first call counts.
func (e *ServerEvent) Ack(args ...any) {
	if e.reply != nil {
		e.once.Do(func() { e.reply(args) })
	}
}

// remoteHandlers are those of events of other servers.
type remoteHandlers struct {
	mu     sync.RWMutex
	events map[string][]func(*ServerEvent)
}

// serverSideReserved are names that servers keep for themselves.
func serverSideReserved(event string) bool {
	switch event {
	case "connect", "connection", "new_namespace":
		return true
	}
	return false
}

// OnServerSide adds a handler for an event that other servers of the cluster
// send with ServerSideEmit in the namespace of the same name. It fails with
// ErrReserved for connect, connection and new_namespace.
func (n *Namespace) OnServerSide(event string, f func(e *ServerEvent)) error {
	if serverSideReserved(event) {
		return ErrReserved
	}
	r := &n.remote
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make(map[string][]func(*ServerEvent))
	}
	r.events[event] = add(r.events[event], f)
	return nil
}

// deliver runs the handlers of an event of another server, one after the
// other, on the calling goroutine.
func (n *Namespace) deliver(e *ServerEvent) {
	n.remote.mu.RLock()
	list := n.remote.events[e.name]
	n.remote.mu.RUnlock()
	for _, f := range list {
		n.srv.guard("OnServerSide", func() { f(e) })
	}
}

// ServerSideEmit sends an event to the other servers of the cluster, never to
// this one: their OnServerSide handlers get it. It fails with ErrReserved for
// connect, connection and new_namespace, with the encoder's error, and with
// ErrNoOtherNodes on a server that is in no cluster.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	if serverSideReserved(event) {
		return ErrReserved
	}
	if _, _, err := sio.AppendEvent(nil, n.name, -1, event, args); err != nil {
		return err
	}
	return ErrNoOtherNodes
}

// ServerSideEmitWithAck is ServerSideEmit that waits for the answer of each
// other server. On a server that is in no cluster it returns at once, with no
// answer and ErrNoOtherNodes.
func (n *Namespace) ServerSideEmitWithAck(_ context.Context, event string, args ...any) (
	[]Answer, error,
) {
	return nil, n.ServerSideEmit(event, args...)
}
