package demo

import (
	"errors"
	"log/slog"

	"github.com/throng-server/throng/socketio"
)

// problem is what a client is told of an event that could not be served. The
// protocol has no error reply, so it is an event like any other.
type problem struct {
	Event string `json:"event"`
	Msg   string `json:"msg"`
}

// refuse makes an error whose text is meant for the client.
func refuse(text string) error { return &socketio.Error{Message: text} }

// tellSender is the OnError of every demo: what a handler returns as an error,
// or an argument that does not fit the handler's type, becomes an event to
// whoever caused it. What it returns is the acknowledgement, if the client
// waits for one.
func tellSender(s *socketio.Socket, event string, err error) (reply any) {
	p := problem{Event: event, Msg: "the server could not do that"}
	var meant *socketio.Error
	var arg *socketio.ArgumentError
	switch {
	case errors.As(err, &meant):
		p.Msg = meant.Message
	case errors.As(err, &arg):
		p.Msg = "the payload is not what this event needs"
	case errors.Is(err, socketio.ErrDisconnected):
		return nil // nobody is left to be told
	default:
		// Nobody but the log needs to know more.
		slog.Error("demo: handler failed", "event", event, "error", err)
	}
	_ = s.Emit("request_error", p)
	return p
}
