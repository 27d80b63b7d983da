package feed

import (
	"context"
	"errors"
	"sync"

	"github.com/throng-server/throng/cluster/queue"
	"github.com/throng-server/throng/socketio"
)

// maxServerEvents bounds the events that wait for the handlers of the server.
const maxServerEvents = 1024

var errBusy = errors.New("the server's handlers are slower than the events for them")

// Sink does what a queue.Reader reads on a server. It implements queue.Sink.
type Sink struct {
	srv *socketio.Server

	mu     sync.Mutex
	events []func()
	busy   bool
}

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

// ServerEvent implements queue.Sink: handlers run one after the other, in the
// order of the events, and do not hold up the Reader.
func (s *Sink) ServerEvent(ns, event string, args []any) error {
	n, ok := s.srv.Namespace(ns)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) >= maxServerEvents {
		return errBusy
	}
	s.events = append(s.events, func() { _ = n.ReceiveServerSide(event, args...) })
	if s.busy {
		return nil
	}
	s.busy = true
	return s.srv.Go(func(context.Context) { s.run() })
}

func (s *Sink) run() {
	for {
		s.mu.Lock()
		if len(s.events) == 0 {
			s.busy = false
			s.mu.Unlock()
			return
		}
		f := s.events[0]
		s.events = s.events[1:]
		s.mu.Unlock()
		f()
	}
}
