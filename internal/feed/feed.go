package feed

import (
	"github.com/throng-server/throng/cluster/queue"
	"github.com/throng-server/throng/socketio"
)

// Sink does what a queue.Reader reads on a server. It implements queue.Sink.
type Sink struct{ srv *socketio.Server }

// New returns a Sink for srv, which may not have started yet.
func New(srv *socketio.Server) *Sink { return &Sink{srv: srv} }

// Serves implements queue.Sink.
func (s *Sink) Serves(ns string) bool {
	_, ok := s.srv.Namespace(ns)
	return ok
}

// with calls f with the selection in a namespace, on this server only. One
// that has just gone has no sockets.
func (s *Sink) with(ns string, to queue.Target, f func(b socketio.Broadcast)) {
	if n, ok := s.srv.Namespace(ns); ok {
		f(n.Local().To(to.Rooms...).Except(to.Except...))
	}
}

// Emit implements queue.Sink.
func (s *Sink) Emit(ns string, to queue.Target, f queue.Flags, event string, args []any) (err error) {
	s.with(ns, to, func(b socketio.Broadcast) {
		if f&queue.Volatile != 0 {
			b = b.Volatile()
		}
		if f&queue.Plain != 0 {
			b = b.Compress(false)
		}
		err = b.Emit(event, args...)
	})
	return err
}

// Join implements queue.Sink.
func (s *Sink) Join(ns string, to queue.Target, rooms []string) {
	s.with(ns, to, func(b socketio.Broadcast) { b.SocketsJoin(rooms...) })
}

// Leave implements queue.Sink.
func (s *Sink) Leave(ns string, to queue.Target, rooms []string) {
	s.with(ns, to, func(b socketio.Broadcast) { b.SocketsLeave(rooms...) })
}

// Disconnect implements queue.Sink.
func (s *Sink) Disconnect(ns string, to queue.Target, connections bool) {
	s.with(ns, to, func(b socketio.Broadcast) { b.DisconnectSockets(connections) })
}

// CloseRoom implements queue.Sink. Namespace.CloseRoom would go to the other
// servers, which have read the message themselves.
func (s *Sink) CloseRoom(ns, room string) {
	s.with(ns, queue.Target{Rooms: []string{room}}, func(b socketio.Broadcast) { b.SocketsLeave(room) })
}

// ServerEvent implements queue.Sink.
func (s *Sink) ServerEvent(ns, event string, args []any) error {
	if n, ok := s.srv.Namespace(ns); ok {
		return n.ReceiveServerSide(event, args...)
	}
	return nil
}
