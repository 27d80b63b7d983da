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

// On is Namespace.On for "/".
func (s *Server) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) {
	s.root.On(event, f, opts...)
}

// OnAny is Namespace.OnAny for "/".
func (s *Server) OnAny(f func(s *Socket, e *Event)) { s.root.OnAny(f) }

// UseEvent is Namespace.UseEvent for "/".
func (s *Server) UseEvent(f func(s *Socket, e *Event) error) { s.root.UseEvent(f) }

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
func (s *Server) FetchSockets(ctx context.Context) ([]*Socket, error) {
	return s.root.All().FetchSockets(ctx)
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
