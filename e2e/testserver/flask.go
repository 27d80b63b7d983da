package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/throng-server/throng/socketio"
)

type said struct {
	Data json.RawMessage `json:"data,omitempty"`
	Room string          `json:"room,omitempty"`
}

type response struct {
	Data  any `json:"data"`
	Count int `json:"count"`
}

// flask does in the namespace "/flask" what the example application of
// Flask-SocketIO does.
func flask(srv *socketio.Server) {
	ns := srv.Of("/flask")
	// count is the session's counter, one up.
	count := func(s *socketio.Socket) int {
		n, _ := s.Get("receive_count").(int)
		s.Set("receive_count", n+1)
		return n + 1
	}
	rooms := func(s *socketio.Socket) string { return strings.Join(s.Rooms(), ", ") }

	ns.OnConnection(func(s *socketio.Socket) { _ = s.Emit("my_response", response{"Connected", 0}) })
	_ = srv.Go(func(ctx context.Context) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = ns.Emit("my_response", response{"Server generated event", n})
			}
		}
	})
	socketio.On(ns, "my_event", func(s *socketio.Socket, in said) error {
		return s.Emit("my_response", response{in.Data, count(s)})
	})
	socketio.On(ns, "my_broadcast_event", func(s *socketio.Socket, in said) error {
		return ns.Emit("my_response", response{in.Data, count(s)})
	})
	socketio.On(ns, "join", func(s *socketio.Socket, in said) error {
		s.Join(in.Room)
		return s.Emit("my_response", response{"In rooms: " + rooms(s), count(s)})
	})
	socketio.On(ns, "leave", func(s *socketio.Socket, in said) error {
		s.Leave(in.Room)
		return s.Emit("my_response", response{"In rooms: " + rooms(s), count(s)})
	})
	socketio.On(ns, "close_room", func(s *socketio.Socket, in said) error {
		if err := ns.To(in.Room).Emit("my_response",
			response{"Room " + in.Room + " is closing.", count(s)}); err != nil {
			return err
		}
		ns.CloseRoom(in.Room)
		return nil
	})
	socketio.On(ns, "my_room_event", func(s *socketio.Socket, in said) error {
		return ns.To(in.Room).Emit("my_response", response{in.Data, count(s)})
	})
	ns.On("disconnect_request", func(s *socketio.Socket, _ *socketio.Event) {
		_ = s.EmitFunc(func(*socketio.Ack, error) { s.Disconnect(false) },
			"my_response", response{"Disconnected!", count(s)})
	})
	ns.On("my_ping", func(s *socketio.Socket, _ *socketio.Event) { _ = s.Emit("my_pong") })
	ns.OnUnhandled(func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("my_response", response{[]any{e.Name(), e.Args()}, count(s)})
	})
	// The server asks a client of its choice, and one client another.
	socketio.OnAck2(ns, "call", func(ctx context.Context, _ *socketio.Socket, sid, event string) (any, error) {
		a, err := ns.Call(ctx, sid, event)
		if err != nil {
			return nil, &socketio.Error{Message: err.Error()}
		}
		return a.Args(), nil
	})
	socketio.OnAck(ns, "rooms_of", func(_ context.Context, _ *socketio.Socket, sid string) (any, error) {
		return ns.RoomsOf(sid)
	})
	socketio.OnAck(ns, "members", func(ctx context.Context, _ *socketio.Socket, _ any) (any, error) {
		return ns.Rooms(ctx)
	})
	socketio.On(ns, "send_away", func(_ *socketio.Socket, sid string) error {
		ns.Disconnect(sid, false)
		return nil
	})
}
