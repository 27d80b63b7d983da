package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/throng-server/throng/socketio"
)

// relay says how to emit the event "news".
type relay struct {
	Server    bool            `json:"server"` // from the server, not the socket
	Broadcast bool            `json:"broadcast"`
	To        []string        `json:"to"`
	Except    []string        `json:"except"`
	Local     bool            `json:"local"`
	Volatile  bool            `json:"volatile"`
	Binary    bool            `json:"binary"`
	Arg       json.RawMessage `json:"arg"`
}

func (r relay) broadcast(s *socketio.Socket) socketio.Broadcast {
	b := s.Broadcast()
	if r.Server {
		b = s.Namespace().To(r.To...)
	} else if len(r.To) > 0 {
		b = s.To(r.To...)
	}
	if len(r.Except) > 0 {
		b = b.Except(r.Except...)
	}
	if r.Local {
		b = b.Local()
	}
	if r.Volatile {
		b = b.Volatile()
	}
	return b
}

// selections are handlers about rooms and many sockets at once.
func selections(srv *socketio.Server) {
	socketio.OnAck(srv, "join", func(_ context.Context, s *socketio.Socket, in json.RawMessage) ([]string, error) {
		rooms, err := list(in)
		if err != nil {
			return nil, err
		}
		s.Join(rooms...)
		return s.Rooms(), nil
	})
	socketio.OnAck(srv, "leave", func(_ context.Context, s *socketio.Socket, room string) ([]string, error) {
		s.Leave(room)
		return s.Rooms(), nil
	})
	srv.On("rooms", func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack(s.Rooms()) })

	socketio.OnAck(srv, "relay", func(_ context.Context, s *socketio.Socket, r relay) (string, error) {
		if r.Binary {
			return "sent", r.broadcast(s).Emit("news", map[string]any{
				"text": r.Arg, "bytes": []byte{1, 2, 3}})
		}
		return "sent", r.broadcast(s).Emit("news", r.Arg)
	})
	srv.On("join-and-emit", func(s *socketio.Socket, e *socketio.Event) {
		var room string
		var n int
		_ = e.Bind(&room, &n)
		s.Join(room)
		_ = srv.To(room).Emit("news", n)
	})
	srv.On("leave-and-emit", func(s *socketio.Socket, e *socketio.Event) {
		var room string
		var n int
		_ = e.Bind(&room, &n)
		s.Join(room)
		s.Leave(room)
		_ = srv.To(room).Emit("news", n)
	})

	socketio.OnAck(srv, "fetch", func(ctx context.Context, _ *socketio.Socket, rooms []string) ([]string, error) {
		sockets, err := srv.To(rooms...).FetchSockets(ctx)
		ids := []string{}
		for _, s := range sockets {
			ids = append(ids, s.ID())
		}
		return ids, err
	})
	type move struct {
		To   []string `json:"to"`
		Room string   `json:"room"`
	}
	socketio.OnAck(srv, "sockets-join", func(_ context.Context, _ *socketio.Socket, m move) (string, error) {
		srv.To(m.To...).SocketsJoin(m.Room)
		return "ok", nil
	})
	socketio.OnAck(srv, "sockets-leave", func(_ context.Context, _ *socketio.Socket, m move) (string, error) {
		srv.To(m.To...).SocketsLeave(m.Room)
		return "ok", nil
	})
	socketio.OnAck(srv, "sockets-disconnect", func(_ context.Context, _ *socketio.Socket, m move) (string, error) {
		srv.To(m.To...).DisconnectSockets(false)
		return "ok", nil
	})
	socketio.OnAck(srv, "close-room", func(_ context.Context, _ *socketio.Socket, room string) (string, error) {
		srv.CloseRoom(room)
		return "ok", nil
	})
	srv.On("disconnect-me", func(s *socketio.Socket, e *socketio.Event) {
		var all bool
		_ = e.Bind(&all)
		s.Disconnect(all)
	})
}

// list reads a string or a list of strings.
func list(in json.RawMessage) (rooms []string, err error) {
	var one string
	if json.Unmarshal(in, &one) == nil {
		return []string{one}, nil
	}
	if err = json.Unmarshal(in, &rooms); err != nil {
		return nil, fmt.Errorf("rooms: %w", err)
	}
	return rooms, nil
}
