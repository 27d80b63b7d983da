package demo

import "github.com/throng-server/throng/socketio"

// Broadcast repeats to everybody what one client says, in the namespace /.
//
// A client receives on connecting
//
//	status {msg: "Connected"}
//
// and when somebody sent
//
//	message {msg}     everybody, the sender too, receives   response {message}
//	message "text"    the sender receives   response {data: "Message received!"}
//	chat message text everybody receives    chat message text
//
// socket.send("text") of a client is the event "message".
func Broadcast(srv *socketio.Server) {
	// The server itself stands for the namespace /.
	srv.OnError(tellSender)

	srv.OnConnection(func(s *socketio.Socket) {
		_ = s.Emit("status", status{Msg: "Connected"})
	})

	// An argument that may be of several types is decoded into any: maps,
	// slices, strings, float64, bool, nil, and []byte for a binary value.
	socketio.On(srv, "message", func(s *socketio.Socket, in any) error {
		switch in := in.(type) {
		case string:
			return s.Emit("response", received{Data: "Message received!"})
		case map[string]any:
			if msg, ok := in["msg"]; ok {
				return srv.Emit("response", response{Message: msg})
			}
		}
		return refuse("message needs a text or {msg}")
	})

	socketio.On(srv, "chat message", func(s *socketio.Socket, in *string) error {
		if in == nil {
			return refuse("chat message needs a text")
		}
		return srv.Emit("chat message", *in)
	})
}

type response struct {
	Message any `json:"message"`
}

type received struct {
	Data string `json:"data"`
}
