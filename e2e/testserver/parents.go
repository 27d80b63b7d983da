package main

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/throng-server/throng/socketio"
)

// parents have namespaces that come into being when a client names them.
func parents(srv *socketio.Server) {
	srv.OnNewNamespace(func(n *socketio.Namespace) {
		journal(map[string]any{"event": "new_namespace", "nsp": n.Name()})
	})
	rooms := srv.OfPattern(regexp.MustCompile(`^/dynamic-\d+$`))
	rooms.Use(func(s *socketio.Socket) error {
		if s.Namespace().Name() == "/dynamic-13" {
			return errors.New("unlucky number")
		}
		return nil
	})
	rooms.OnConnection(func(s *socketio.Socket) { _ = s.Emit("welcome", s.Namespace().Name()) })
	rooms.OnDisconnect(func(s *socketio.Socket, reason string) {
		journal(map[string]any{"event": "disconnect", "id": s.ID(), "nsp": s.Namespace().Name(),
			"reason": reason})
	})
	rooms.On("publish", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Namespace().Emit("published", e.Raw()...)
	})
	rooms.On("publish-to-all", func(_ *socketio.Socket, e *socketio.Event) {
		_ = rooms.Emit("published", e.Raw()...)
	})
	srv.On("dynamic", func(_ *socketio.Socket, e *socketio.Event) {
		names := []string{}
		for _, n := range rooms.Children() {
			names = append(names, n.Name())
		}
		_ = e.Ack(names)
	})

	byKey := srv.OfFunc(func(name string, auth json.RawMessage) bool {
		var in struct{ Key string }
		return name == "/by-key" && json.Unmarshal(auth, &in) == nil && in.Key == "secret"
	})
	socketio.OnAck2(byKey, "add", func(_ context.Context, _ *socketio.Socket, a, b int) (int, error) {
		return a + b, nil
	})
}
