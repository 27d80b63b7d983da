package demo

import (
	"context"

	"github.com/throng-server/throng/socketio"
)

// Chat is a chat with rooms in the namespace /chat, where a background worker
// sends the messages, and in /, where they are sent at once.
//
// Clients send
//
//	join_room    {room}
//	leave_room   {room}
//	room_message {room, msg}
//	typing       {room, typing}
//
// and the members of a room receive
//
//	room_message text
//	typing       {room, sid, typing}
//	room_members {room, count}
func Chat(srv *socketio.Server) {
	chat := srv.Of("/chat")
	joinAndLeave(srv, chat)

	// The worker takes messages out of a channel. Go runs it until the server
	// shuts down; any method of socketio may be called from any goroutine.
	queue := make(chan roomMessage, 1000)
	_ = srv.Go(func(ctx context.Context) {
		for {
			select {
			case m := <-queue:
				_ = chat.To(m.Room).Emit("room_message", *m.Msg)
			case <-ctx.Done():
				return
			}
		}
	})

	socketio.On(chat, "room_message", func(s *socketio.Socket, in roomMessage) error {
		if err := in.check(s); err != nil {
			return err
		}
		if err := s.Emit("status", status{Msg: "Message queued"}); err != nil {
			return err
		}
		// A handler may block: while the queue is full its senders wait here,
		// and only they do.
		select {
		case queue <- in:
		case <-s.Context().Done():
		}
		return nil
	})

	// The same rooms, without the worker, in the namespace /.
	root := srv.Of("/")
	joinAndLeave(srv, root)
	socketio.On(root, "room_message", func(s *socketio.Socket, in roomMessage) error {
		if err := in.check(s); err != nil {
			return err
		}
		return root.To(in.Room).Emit("room_message", *in.Msg)
	})
}

// joinAndLeave adds to a namespace what the two chats have in common.
func joinAndLeave(srv *socketio.Server, ns *socketio.Namespace) {
	// What a handler returns as error is told to the sender: see problem.go.
	ns.OnError(tellSender)
	// room_members is sent from there, whatever the reason of a change is.
	tellMembers(srv, ns)

	// A typed handler: OnAck decodes the event's first argument into the
	// handler's last parameter, and acknowledges with the handler's result if
	// the client asked for that. On is the same without acknowledgement.
	socketio.OnAck(ns, "join_room",
		func(_ context.Context, s *socketio.Socket, in roomRequest) ([]string, error) {
			if err := enter(s, in.Room); err != nil {
				return nil, err
			}
			// ns.To is everybody in the room; s.To would leave s itself out.
			err := ns.To(in.Room).Emit("room_message", "Joined "+in.Room)
			return roomsOf(s), err
		})

	// A room begins with its first member and ends with its last; nothing has
	// to be created or deleted.
	socketio.OnAck(ns, "leave_room",
		func(_ context.Context, s *socketio.Socket, in roomRequest) ([]string, error) {
			s.Leave(in.Room)
			return roomsOf(s), nil
		})

	socketio.On(ns, "typing", func(s *socketio.Socket, in typingRequest) error {
		if !isIn(s, in.Room) {
			return refuse("join the room first")
		}
		// Volatile: a client that is behind has no use for it.
		return s.To(in.Room).Volatile().Emit("typing", typingNote{in.Room, s.ID(), in.Typing})
	})
}

type roomRequest struct {
	Room string `json:"room"`
}

type roomMessage struct {
	Room string  `json:"room"`
	Msg  *string `json:"msg"` // nil: the client sent none
}

// check returns what is wrong with a message.
func (m roomMessage) check(s *socketio.Socket) error {
	switch {
	case m.Room == "":
		return refuse("room is missing")
	case m.Msg == nil:
		return refuse("msg is missing")
	case !isIn(s, m.Room):
		return refuse("join the room first")
	}
	return nil
}

type typingRequest struct {
	Room   string `json:"room"`
	Typing bool   `json:"typing"`
}

type typingNote struct {
	Room   string `json:"room"`
	SID    string `json:"sid"`
	Typing bool   `json:"typing"`
}

type status struct {
	Msg string `json:"msg"`
}
