package demo

import (
	"errors"

	"github.com/throng-server/throng/socketio"
)

// What a client may ask for needs a bound.
const (
	maxRooms    = 20 // a socket may be in at once
	maxRoomName = 64 // bytes
)

// Chat is a chat with rooms in the namespace /chat.
//
// Clients send
//
//	join_room    {room}
//	leave_room   {room}
//	room_message {room, msg}
//
// and everybody in the room receives
//
//	room_message text
func Chat(srv *socketio.Server) {
	chat := srv.Of("/chat")

	// A typed handler: On decodes the event's first argument into the
	// handler's last parameter. The error it returns is logged.
	socketio.On(chat, "join_room", func(s *socketio.Socket, in roomRequest) error {
		if in.Room == "" || len(in.Room) > maxRoomName {
			return errors.New("a room's name has 1 to 64 bytes")
		}
		// A socket is always in one room already, named by its own id.
		if len(s.Rooms()) > maxRooms {
			return errors.New("too many rooms")
		}
		s.Join(in.Room)
		// chat.To is everybody in the room; s.To would leave s itself out.
		return chat.To(in.Room).Emit("room_message", "Joined "+in.Room)
	})

	// A room begins with its first member and ends with its last; nothing
	// has to be created or deleted.
	socketio.On(chat, "leave_room", func(s *socketio.Socket, in roomRequest) error {
		s.Leave(in.Room)
		return nil
	})

	socketio.On(chat, "room_message", func(s *socketio.Socket, in roomMessage) error {
		return chat.To(in.Room).Emit("room_message", in.Msg)
	})
}

type roomRequest struct {
	Room string `json:"room"`
}

type roomMessage struct {
	Room string `json:"room"`
	Msg  string `json:"msg"`
}
