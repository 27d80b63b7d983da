package socketio

import (
	"context"
	"time"

	"github.com/throng-server/throng/cluster"
)

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

// FetchSockets returns the sockets of the namespace on all nodes; see
// Broadcast.FetchSockets.
func (n *Namespace) FetchSockets(ctx context.Context) ([]*RemoteSocket, error) {
	return n.All().FetchSockets(ctx)
}

// LocalSockets returns the sockets of the namespace on this server; see
// Broadcast.LocalSockets.
func (n *Namespace) LocalSockets(ctx context.Context) ([]*Socket, error) {
	return n.All().LocalSockets(ctx)
}

// Count returns how many sockets the namespace has on all nodes; see
// Broadcast.Count. Len is the number on this server.
func (n *Namespace) Count(ctx context.Context) (int, error) { return n.All().Count(ctx) }

// SocketsJoin makes all sockets join rooms.
func (n *Namespace) SocketsJoin(rooms ...string) { n.All().SocketsJoin(rooms...) }

// SocketsLeave makes all sockets leave rooms.
func (n *Namespace) SocketsLeave(rooms ...string) { n.All().SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets.
func (n *Namespace) DisconnectSockets(closeConnection bool) {
	n.All().DisconnectSockets(closeConnection)
}

// CloseRoom makes everybody leave a room; the sockets stay connected.
func (n *Namespace) CloseRoom(room string) {
	n.All().tell(cluster.CloseRoom, 0, []string{room})
	n.All().each(func(b Broadcast) { n.srv.postAll(&closeRoom{ns: b.ns, room: room}) })
}
