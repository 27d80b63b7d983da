package socketio

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/throng-server/throng/cluster"
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
	series series
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
// send with ServerSideEmit in the namespace of the same name. The handlers of a
// namespace run one after the other, on a worker, in the order in which each
// server has sent. It fails with ErrReserved for connect, connection and
// new_namespace.
func (n *Namespace) OnServerSide(event string, f func(e *ServerEvent)) error {
	if serverSideReserved(event) {
		return ErrReserved
	}
	r := &n.remote
	r.mu.Lock()
	defer r.mu.Unlock()
	r.series.srv = n.srv
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

// ReceiveServerSide queues an event for the OnServerSide handlers as if another
// server had sent it: for programs that bring events of other systems. Nobody
// waits for an answer. It fails with ErrReserved for connect, connection and
// new_namespace, and with the encoder's error.
func (n *Namespace) ReceiveServerSide(event string, args ...any) error {
	if serverSideReserved(event) {
		return ErrReserved
	}
	text, atts, err := sio.AppendEvent(nil, "/", -1, event, args)
	if err != nil {
		return err
	}
	pk, err := sio.Parse(text, len(atts))
	if err != nil {
		return err
	}
	if n.handles(event) {
		n.queueServerEvent(&ServerEvent{name: event, args: pk.Args, atts: atts})
	}
	return nil
}

// ServerSideEmit sends an event to the other servers of the cluster, never to
// this one: their OnServerSide handlers get it. It fails with ErrReserved for
// connect, connection and new_namespace, with the encoder's error, and with
// ErrNoOtherNodes on a server that is in no cluster.
func (n *Namespace) ServerSideEmit(event string, args ...any) error {
	op, err := n.serverOp(event, args)
	if err == nil {
		n.srv.mesh.publish(cluster.Kept, op)
	}
	return err
}

// ServerSideEmitWithAck is ServerSideEmit that waits for the answer of each
// other server, until ctx ends, or for 5 s if it has no deadline. The answers'
// From is the ID of the node. Nodes that have no handler, that do not answer in
// time or that are lost are named by a *PartialError beside the other answers.
// On a server that is in no cluster it returns at once, with no answer and
// ErrNoOtherNodes.
func (n *Namespace) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) (
	[]Answer, error,
) {
	op, err := n.serverOp(event, args)
	if err != nil {
		return nil, err
	}
	if n.srv.onLoop() != nil {
		return nil, ErrOnLoop
	}
	m := n.srv.mesh
	wait := bound(ctx, 0, defaultQuestionTimeout)
	parts, err := m.wait(ctx, m.ask(op, nil, wait), wait)
	list, _, bad := answers(parts)
	if err == nil {
		err = bad
	}
	return list, err
}

// serverOp encodes an event for other servers: text and attachments as records.
func (n *Namespace) serverOp(event string, args []any) (*cluster.Op, error) {
	if serverSideReserved(event) {
		return nil, ErrReserved
	}
	text, atts, err := sio.AppendEvent(nil, "/", -1, event, args)
	if err != nil {
		return nil, err
	}
	if n.srv.mesh == nil {
		return nil, ErrNoOtherNodes
	}
	a := Ack{args: text, atts: atts}
	return &cluster.Op{Kind: cluster.ServerEvent, NS: n.name, Body: a.append(nil)}, nil
}

// serverEvent queues an event of another server for the handlers. It is called
// by the transport.
func (m *mesh) serverEvent(from cluster.Node, op *cluster.Op) error {
	r := recordsOf(op.Body)
	text, atts := r.packet()
	pk, err := sio.Parse(text, len(atts))
	if err == nil && (r.Bad || len(r.Rest) > 0 || len(pk.Data) == 0 || pk.Attachments != len(atts) ||
		pk.Type != sio.Event && pk.Type != sio.BinaryEvent) {
		err = cluster.ErrEntry
	}
	if err != nil {
		return err
	}
	e := &ServerEvent{name: string(pk.Name), args: pk.Args, atts: atts}
	var answer *reply
	if op.Request != 0 {
		answer = &reply{m: m, to: from, id: op.Request}
		answer.announce(1)
		e.reply = func(args []any) { answer.event(args) }
	}
	n := m.namespace(op.NS)
	if n == nil || !n.handles(e.name) {
		if answer != nil {
			answer.flush(cluster.Last)
		}
		return nil
	}
	n.queueServerEvent(e)
	return nil
}

// queueServerEvent queues an event for the handlers. Any goroutine.
func (n *Namespace) queueServerEvent(e *ServerEvent) {
	if !n.remote.series.add(func() { n.deliver(e) }, maxServerEvents) {
		n.srv.drop(dropServerEvents)
		n.srv.warn(noteServerEvents, "the handlers of OnServerSide are slower than other servers "+
			"send events: one is dropped", "namespace", n.name, "waiting", maxServerEvents)
	}
}

// event answers an event.
func (r *reply) event(args []any) {
	text, atts, err := sio.AppendAck(nil, "/", 0, args)
	var a Answer
	if err == nil {
		var pk sio.Packet
		if pk, err = sio.Parse(text, len(atts)); err == nil {
			a = Answer{From: r.m.t.Self().ID, Ack: Ack{args: pk.Args, atts: atts}}
		}
	}
	if err != nil {
		r.m.srv.opt.Logger.Error("socketio: an answer to another server has no JSON", "error", err)
	} else {
		r.add(a.append)
	}
	r.flush(cluster.Last)
}

// handles tells whether somebody wants events of a name.
func (n *Namespace) handles(event string) bool {
	n.remote.mu.RLock()
	defer n.remote.mu.RUnlock()
	return len(n.remote.events[event]) > 0
}
