package main

import "github.com/throng-server/throng/socketio"

// recovery is a namespace that emits nothing of its own accord: what a client
// sees there, somebody has shouted.
func recovery(srv *socketio.Server) {
	ns := srv.Of("/recovery")
	ns.OnConnection(func(s *socketio.Socket) {
		if !s.Recovered() {
			s.Join("room")
			s.SetData("kept")
		}
	})
	ns.On("who", func(s *socketio.Socket, e *socketio.Event) {
		_ = e.Ack(map[string]any{"recovered": s.Recovered(), "data": s.Data(), "rooms": s.Rooms()})
	})
	ns.On("shout", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.To("room").Emit("shout", e.Raw()...)
		_ = e.Ack()
	})
}
