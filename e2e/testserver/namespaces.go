package main

import (
	"errors"
	"strconv"

	"github.com/throng-server/throng/socketio"
)

// namespaces are those besides "/".
func namespaces(srv *socketio.Server) {
	name := func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack(s.Namespace().Name()) }

	news := srv.Of("/news")
	follow(news)
	news.On("name", name)
	news.On("publish", func(_ *socketio.Socket, e *socketio.Event) {
		_ = news.Emit("published", e.Raw()...)
	})

	auth := srv.Of("/auth")
	auth.Use(func(s *socketio.Socket) error {
		var in struct{ Token string }
		if err := s.Handshake().DecodeAuth(&in); err != nil || in.Token != "secret" {
			return &socketio.Error{Message: "not authorized",
				Data: map[string]any{"code": 401, "content": "Please sign in"}}
		}
		s.SetData("user of " + in.Token)
		return nil
	})
	auth.On("whoami", func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack(s.Data()) })

	srv.Of("/closed").Use(func(*socketio.Socket) error { return errors.New("closed today") })

	welcome := srv.Of("/welcome")
	welcome.Use(func(s *socketio.Socket) error {
		s.Join("early")
		return s.Emit("from-middleware", 0)
	})
	welcome.OnConnection(func(s *socketio.Socket) {
		_ = s.Emit("first", 1)
		_ = welcome.To("early").Emit("second", 2)
		_ = s.Emit("last", 3)
	})

	srv.Of("/any").OnAny(func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("heard", e.Name(), len(e.Args()))
	})

	// More than one connection may be in.
	for i := range 100 {
		srv.Of("/many-"+strconv.Itoa(i)).On("name", name)
	}
}
