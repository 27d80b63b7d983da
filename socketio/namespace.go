package socketio

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
	"github.com/throng-server/throng/rooms"
)

// Reasons given to disconnect handlers by this package, as Node names them;
// the others are those of a transport: "transport close", "transport error",
// "ping timeout", "parse error", "forced close", and "slow consumer" for a
// client that did not read.
const (
	ReasonClientDisconnect = "client namespace disconnect"
	ReasonServerDisconnect = "server namespace disconnect"
	ReasonShutdown         = "server shutting down"
	// ReasonMailboxOverflow: the client sent faster than its handlers ran.
	ReasonMailboxOverflow = "mailbox overflow"
)

// Namespace is a part of the server that clients connect to by name. Its
// methods may be called from any goroutine; handlers registered while clients
// are connected take part from their next event.
type Namespace struct {
	srv     *Server
	name    string
	num     rooms.NS
	reg     registry
	acks    atomic.Uint64
	sockets atomic.Int64
	goodbye *netpoll.Msg
}

// Name returns the namespace's name, "/" for the default one.
func (n *Namespace) Name() string { return n.name }

// Server returns the server the namespace is part of.
func (n *Namespace) Server() *Server { return n.srv }

// Len returns the number of connected sockets, a moment old.
func (n *Namespace) Len() int { return int(n.sockets.Load()) }

func (n *Namespace) handlers() *registry { return &n.reg }

// nextAck returns an acknowledgement id: one counter a namespace, from 0, for
// single emits and broadcasts.
func (n *Namespace) nextAck() uint64 { return n.acks.Add(1) - 1 }

// Of returns the namespace of a name, making it. A leading slash is added.
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	s.nsMu.Lock()
	defer s.nsMu.Unlock()
	old := *s.namespaces.Load()
	if n := old[name]; n != nil {
		return n
	}
	n := &Namespace{srv: s, name: name, num: rooms.NS(len(old))}
	n.goodbye = netpoll.NewMsgWire(
		netpoll.FinishFrame(ws.OpText, sio.AppendDisconnect(newFrame(nil), name)), 1)
	set := make(map[string]*Namespace, len(old)+1)
	for k, v := range old {
		set[k] = v
	}
	set[name] = n
	s.namespaces.Store(&set)
	return n
}

// lookup finds a namespace by the name in a packet, without allocating.
func (s *Server) lookup(name []byte) *Namespace { return (*s.namespaces.Load())[string(name)] }

// Use adds a middleware: it runs for every socket before it is accepted, in
// the order of Use, on the admission pool, and may block. An error refuses the
// socket: the client gets its text as connect_error, with the data of an
// *Error. Emits to the socket are sent at once; rooms it joins take effect
// when it is accepted.
func (n *Namespace) Use(f Middleware) {
	n.reg.change(func(h *handlerSet) { h.middleware = add(h.middleware, f) })
}

// OnConnection adds a handler for accepted sockets. The socket's events wait
// until all of them have returned.
func (n *Namespace) OnConnection(f func(s *Socket)) {
	n.reg.change(func(h *handlerSet) { h.connection = add(h.connection, f) })
}

// OnDisconnecting adds a handler for sockets that are leaving; Socket.Rooms
// still tells where they were.
func (n *Namespace) OnDisconnecting(f func(s *Socket, reason string)) { n.reg.disconnecting(f) }

// OnDisconnect adds a handler for sockets that have left. It runs exactly once
// for each accepted socket, after its last event.
func (n *Namespace) OnDisconnect(f func(s *Socket, reason string)) { n.reg.disconnect(f) }

// On adds a handler for an event. Handlers of the namespace run before the
// socket's own.
func (n *Namespace) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) {
	n.reg.on(event, plain(f), opts)
}

// Off removes the handlers of an event.
func (n *Namespace) Off(event string) { n.reg.off(event) }

// OnAny adds a handler for all events, before the others.
func (n *Namespace) OnAny(f func(s *Socket, e *Event)) { n.reg.onAny(plain(f)) }

// UseEvent adds a guard: it runs for every event, after OnAny handlers and
// before the others; an error drops the event and goes to OnError.
func (n *Namespace) UseEvent(f func(s *Socket, e *Event) error) { n.reg.guard(f) }

// On adds a handler for an event of this socket.
func (s *Socket) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) {
	s.handlers().on(event, plain(f), opts)
}

// Off removes this socket's own handlers of an event.
func (s *Socket) Off(event string) { s.handlers().off(event) }

// OnAny adds a handler for all events of this socket.
func (s *Socket) OnAny(f func(s *Socket, e *Event)) { s.handlers().onAny(plain(f)) }

// UseEvent adds a guard for the events of this socket; see Namespace.UseEvent.
func (s *Socket) UseEvent(f func(s *Socket, e *Event) error) { s.handlers().guard(f) }

// OnDisconnecting is Namespace.OnDisconnecting for this socket. It must be
// registered before the socket leaves.
func (s *Socket) OnDisconnecting(f func(s *Socket, reason string)) { s.handlers().disconnecting(f) }

// OnDisconnect is Namespace.OnDisconnect for this socket.
func (s *Socket) OnDisconnect(f func(s *Socket, reason string)) { s.handlers().disconnect(f) }

func plain(f func(*Socket, *Event)) handler {
	return func(s *Socket, e *Event) error {
		f(s, e)
		return nil
	}
}

func (r *registry) onAny(f handler) {
	r.change(func(h *handlerSet) { h.any = add(h.any, f) })
}

func (r *registry) guard(f handler) {
	r.change(func(h *handlerSet) { h.guards = add(h.guards, f) })
}

func (r *registry) disconnecting(f func(*Socket, string)) {
	r.change(func(h *handlerSet) { h.disconnecting = add(h.disconnecting, f) })
}

func (r *registry) disconnect(f func(*Socket, string)) {
	r.change(func(h *handlerSet) { h.disconnect = add(h.disconnect, f) })
}

// All returns a broadcast to the whole namespace.
func (n *Namespace) All() Broadcast { return Broadcast{ns: n} }

// Emit sends an event to every socket of the namespace; see Broadcast.Emit.
func (n *Namespace) Emit(event string, args ...any) error { return n.All().emit(nil, event, args) }

// Send emits the event "message".
func (n *Namespace) Send(args ...any) error { return n.All().emit(nil, "message", args) }

// EmitWithAck is Broadcast.EmitWithAck to the whole namespace.
func (n *Namespace) EmitWithAck(ctx context.Context, event string, args ...any) ([]Answer, error) {
	return n.All().EmitWithAck(ctx, event, args...)
}

// To returns a broadcast to rooms.
func (n *Namespace) To(rooms ...string) Broadcast { return n.All().To(rooms...) }

// In is To.
func (n *Namespace) In(rooms ...string) Broadcast { return n.All().To(rooms...) }

// Except returns a broadcast to all but the members of rooms.
func (n *Namespace) Except(rooms ...string) Broadcast { return n.All().Except(rooms...) }

// Volatile returns a broadcast that may be dropped; see Broadcast.Volatile.
func (n *Namespace) Volatile() Broadcast { return n.All().Volatile() }

// Local returns a broadcast that stays on this server.
func (n *Namespace) Local() Broadcast { return n.All().Local() }

// Timeout returns a broadcast whose acknowledgements must come within d.
func (n *Namespace) Timeout(d time.Duration) Broadcast { return n.All().Timeout(d) }

// FetchSockets returns the sockets of the namespace.
func (n *Namespace) FetchSockets(ctx context.Context) ([]*Socket, error) {
	return n.All().FetchSockets(ctx)
}

// SocketsJoin makes all sockets join rooms.
func (n *Namespace) SocketsJoin(rooms ...string) { n.All().SocketsJoin(rooms...) }

// SocketsLeave makes all sockets leave rooms.
func (n *Namespace) SocketsLeave(rooms ...string) { n.All().SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets.
func (n *Namespace) DisconnectSockets(closeConnection bool) {
	n.All().DisconnectSockets(closeConnection)
}

// CloseRoom makes everybody leave a room.
func (n *Namespace) CloseRoom(room string) { n.srv.postAll(&closeRoom{ns: n, room: room}) }
