package socketio

import (
	"context"
	"time"
)

// The methods of this file mean the namespace "/".

func (s *Server) handlers() *registry { return &s.root.reg }

// Use is Namespace.Use for "/".
func (s *Server) Use(f Middleware) { s.root.Use(f) }

// OnConnection is Namespace.OnConnection for "/".
func (s *Server) OnConnection(f func(s *Socket)) { s.root.OnConnection(f) }

// OnDisconnecting is Namespace.OnDisconnecting for "/".
func (s *Server) OnDisconnecting(f func(s *Socket, reason string)) { s.root.OnDisconnecting(f) }

// OnDisconnect is Namespace.OnDisconnect for "/".
func (s *Server) OnDisconnect(f func(s *Socket, reason string)) { s.root.OnDisconnect(f) }

// OnError is Namespace.OnError for "/"; see Options.OnError for all.
func (s *Server) OnError(f ErrorHandler) { s.root.OnError(f) }

// On is Namespace.On for "/".
func (s *Server) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) (
	off func(),
) {
	return s.root.On(event, f, opts...)
}

// Off is Namespace.Off for "/".
func (s *Server) Off(event string) { s.root.Off(event) }

// OnAny is Namespace.OnAny for "/".
func (s *Server) OnAny(f func(s *Socket, e *Event)) (off func()) { return s.root.OnAny(f) }

// OnAnyOutgoing is Namespace.OnAnyOutgoing for "/".
func (s *Server) OnAnyOutgoing(f func(s *Socket, e *Event)) (off func()) {
	return s.root.OnAnyOutgoing(f)
}

// OnUnhandled is Namespace.OnUnhandled for "/".
func (s *Server) OnUnhandled(f func(s *Socket, e *Event)) (off func()) {
	return s.root.OnUnhandled(f)
}

// UseEvent is Namespace.UseEvent for "/".
func (s *Server) UseEvent(f func(s *Socket, e *Event) error) (off func()) {
	return s.root.UseEvent(f)
}

// OnCreateRoom is Namespace.OnCreateRoom for "/".
func (s *Server) OnCreateRoom(f func(room string)) { s.root.OnCreateRoom(f) }

// OnJoinRoom is Namespace.OnJoinRoom for "/".
func (s *Server) OnJoinRoom(f func(room, id string)) { s.root.OnJoinRoom(f) }

// OnLeaveRoom is Namespace.OnLeaveRoom for "/".
func (s *Server) OnLeaveRoom(f func(room, id string)) { s.root.OnLeaveRoom(f) }

// OnDeleteRoom is Namespace.OnDeleteRoom for "/".
func (s *Server) OnDeleteRoom(f func(room string)) { s.root.OnDeleteRoom(f) }

// Socket is Namespace.Socket for "/".
func (s *Server) Socket(id string) (*Socket, error) { return s.root.Socket(id) }

// Rooms is Namespace.Rooms for "/".
func (s *Server) Rooms(ctx context.Context) (map[string]int, error) { return s.root.Rooms(ctx) }

// RoomsOf is Namespace.RoomsOf for "/".
func (s *Server) RoomsOf(id string) ([]string, error) { return s.root.RoomsOf(id) }

// Call is Namespace.Call for "/".
func (s *Server) Call(ctx context.Context, id, event string, args ...any) (*Ack, error) {
	return s.root.Call(ctx, id, event, args...)
}

// Disconnect is Namespace.Disconnect for "/".
func (s *Server) Disconnect(id string, closeConnection bool) {
	s.root.Disconnect(id, closeConnection)
}

// OnServerSide is Namespace.OnServerSide for "/".
func (s *Server) OnServerSide(event string, f func(e *ServerEvent)) error {
	return s.root.OnServerSide(event, f)
}

// ServerSideEmit is Namespace.ServerSideEmit for "/".
func (s *Server) ServerSideEmit(event string, args ...any) error {
	return s.root.ServerSideEmit(event, args...)
}

// ServerSideEmitWithAck is Namespace.ServerSideEmitWithAck for "/".
func (s *Server) ServerSideEmitWithAck(ctx context.Context, event string, args ...any) (
	[]Answer, error,
) {
	return s.root.ServerSideEmitWithAck(ctx, event, args...)
}

// All returns a broadcast to the namespace "/".
func (s *Server) All() Broadcast { return s.root.All() }

// Emit sends an event to every socket of "/".
func (s *Server) Emit(event string, args ...any) error {
	return s.root.All().emit(nil, event, args)
}

// Send emits the event "message".
func (s *Server) Send(args ...any) error { return s.root.Send(args...) }

// EmitWithAck is Namespace.EmitWithAck for "/".
func (s *Server) EmitWithAck(ctx context.Context, event string, args ...any) ([]Answer, error) {
	return s.root.All().EmitWithAck(ctx, event, args...)
}

// To is Namespace.To for "/".
func (s *Server) To(rooms ...string) Broadcast { return s.root.All().To(rooms...) }

// In is To.
func (s *Server) In(rooms ...string) Broadcast { return s.root.All().To(rooms...) }

// Except is Namespace.Except for "/".
func (s *Server) Except(rooms ...string) Broadcast { return s.root.All().Except(rooms...) }

// Volatile is Namespace.Volatile for "/".
func (s *Server) Volatile() Broadcast { return s.root.All().Volatile() }

// Local is Namespace.Local for "/".
func (s *Server) Local() Broadcast { return s.root.All().Local() }

// Timeout is Namespace.Timeout for "/".
func (s *Server) Timeout(d time.Duration) Broadcast { return s.root.All().Timeout(d) }

// FetchSockets is Namespace.FetchSockets for "/".
func (s *Server) FetchSockets(ctx context.Context) ([]*RemoteSocket, error) {
	return s.root.All().FetchSockets(ctx)
}

// LocalSockets is Namespace.LocalSockets for "/".
func (s *Server) LocalSockets(ctx context.Context) ([]*Socket, error) {
	return s.root.All().LocalSockets(ctx)
}

// Count is Namespace.Count for "/".
func (s *Server) Count(ctx context.Context) (int, error) { return s.root.All().Count(ctx) }

// AllSockets is Namespace.AllSockets for "/".
func (s *Server) AllSockets(ctx context.Context) ([]string, error) {
	return s.root.All().AllSockets(ctx)
}

// SocketsJoin is Namespace.SocketsJoin for "/".
func (s *Server) SocketsJoin(rooms ...string) { s.root.All().SocketsJoin(rooms...) }

// SocketsLeave is Namespace.SocketsLeave for "/".
func (s *Server) SocketsLeave(rooms ...string) { s.root.All().SocketsLeave(rooms...) }

// DisconnectSockets is Namespace.DisconnectSockets for "/".
func (s *Server) DisconnectSockets(closeConnection bool) {
	s.root.All().DisconnectSockets(closeConnection)
}

// CloseRoom is Namespace.CloseRoom for "/".
func (s *Server) CloseRoom(room string) { s.root.CloseRoom(room) }
