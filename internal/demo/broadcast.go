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
//	message {msg}
//
// everybody, the sender too, receives
//
//	response {message}
func Broadcast(srv *socketio.Server) {
	// The server itself stands for the namespace /.
	srv.OnConnection(func(s *socketio.Socket) {
		s.Emit("status", status{Msg: "Connected"})
	})

	socketio.On(srv, "message", func(s *socketio.Socket, in status) error {
		return srv.Emit("response", response{Message: in.Msg})
	})
}

type status struct {
	Msg string `json:"msg"`
}

type response struct {
	Message string `json:"message"`
}
