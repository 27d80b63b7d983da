package main

import (
	"errors"
	"sync/atomic"

	"github.com/throng-server/throng/socketio"
)

// listeners are handlers of all events, in and out, and guards.
func listeners(srv *socketio.Server) {
	// What goes out to a socket is journaled; it asks to be heard with "go".
	out := srv.Of("/outgoing")
	out.OnConnection(func(s *socketio.Socket) {
		s.OnAnyOutgoing(func(s *socketio.Socket, e *socketio.Event) {
			journal(map[string]any{"event": "outgoing", "id": s.ID(), "name": e.Name(),
				"args": e.Args(), "attachments": len(e.Attachments())})
		})
	})
	out.On("go", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("emitted", 1, "two")
		_ = out.Emit("broadcast", []byte{1, 2, 3})
		_ = s.Broadcast().Emit("others", nil)
		_ = e.Ack("acknowledged")
	})

	guarded := srv.Of("/guarded")
	var order atomic.Int64
	step := func(s *socketio.Socket, what string, e *socketio.Event) {
		_ = s.Emit("step", what, e.Name(), order.Add(1))
	}
	guarded.OnAny(func(s *socketio.Socket, e *socketio.Event) { step(s, "any", e) })
	guarded.PrependAny(func(s *socketio.Socket, e *socketio.Event) { step(s, "first", e) })
	guarded.UseEvent(func(s *socketio.Socket, e *socketio.Event) error {
		step(s, "guard", e)
		if e.Name() == "forbidden" {
			return errors.New("not allowed")
		}
		return nil
	})
	guarded.OnConnection(func(s *socketio.Socket) {
		s.UseEvent(func(s *socketio.Socket, e *socketio.Event) error {
			step(s, "own guard", e)
			return nil
		})
	})
	guarded.OnError(func(s *socketio.Socket, event string, err error) any {
		_ = s.Emit("refused", event, err.Error())
		return map[string]string{"refused": err.Error()}
	})
	for _, name := range []string{"forbidden", "allowed"} {
		guarded.On(name, func(s *socketio.Socket, e *socketio.Event) {
			step(s, "handler", e)
			_ = e.Ack("handled")
		})
	}
	guarded.OnUnhandled(func(s *socketio.Socket, e *socketio.Event) {
		step(s, "unhandled", e)
		_ = e.Ack(append([]any{"nobody listens to " + e.Name()}, e.Raw()...)...)
	})
	guarded.On("once", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack("only once") },
		socketio.Once())
}
