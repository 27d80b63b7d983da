package main

import (
	"encoding/hex"
	"time"

	"github.com/throng-server/throng/socketio"
)

type person struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

type greeting struct {
	Greeting string `json:"greeting"`
	Count    int    `json:"count"`
}

// events are handlers that are about arguments.
func events(srv *socketio.Server) {
	root := srv.Of("/")
	follow(root)

	root.OnConnection(func(s *socketio.Socket) {
		h := s.Handshake()
		var auth any
		_ = h.DecodeAuth(&auth) // stays nil, which the tests would see
		s.Set("handshake", map[string]any{"auth": auth, "address": h.Address,
			"secure": h.Secure, "url": h.URL,
			"header": h.Header.Get("X-Trace"),
			"query":  map[string]string{"lang": h.Query.Get("lang"), "x": h.Query.Get("x")}})
		_ = s.Emit("status", map[string]string{"msg": "Connected"})
	})
	root.On("handshake", func(s *socketio.Socket, e *socketio.Event) {
		_ = e.Ack(s.Get("handshake"))
	})

	root.On("echo", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("echo", e.Raw()...)
	})
	root.On("echo-ack", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack(e.Raw()...) })
	root.On("ack-twice", func(_ *socketio.Socket, e *socketio.Event) {
		_ = e.Ack(1)
		_ = e.Ack(2)
	})
	root.On("ack-never", func(*socketio.Socket, *socketio.Event) {})

	socketio.On(root, "typed", func(s *socketio.Socket, in person) error {
		return s.Emit("typed", greeting{Greeting: "hello " + in.Name, Count: in.Count + 1})
	})
	root.On("panic", func(*socketio.Socket, *socketio.Event) { panic("on purpose") })

	root.On("hex", func(_ *socketio.Socket, e *socketio.Event) {
		var b []byte
		if err := e.Bind(&b); err != nil {
			return
		}
		_ = e.Ack(hex.EncodeToString(b))
	})
	root.On("binary-please", func(s *socketio.Socket, _ *socketio.Event) {
		_ = s.Emit("binary", []byte{1, 2, 3}, map[string]any{
			"list": []any{[]byte{4}, map[string][]byte{"deep": {5, 6}}}, "text": "t"})
	})

	root.On("data-set", func(s *socketio.Socket, e *socketio.Event) {
		var v string
		_ = e.Bind(&v)
		s.SetData(v)
		_ = e.Ack()
	})
	root.On("data-get", func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack(s.Data()) })

	// Handlers that take their time.
	root.On("slow", func(_ *socketio.Socket, e *socketio.Event) {
		time.Sleep(time.Millisecond)
		_ = e.Ack(e.Raw()...)
	})
	root.On("hold", func(_ *socketio.Socket, e *socketio.Event) {
		var ms int
		_ = e.Bind(&ms)
		time.Sleep(time.Duration(ms) * time.Millisecond)
		_ = e.Ack()
	})
	root.On("note", func(s *socketio.Socket, e *socketio.Event) {
		var text string
		_ = e.Bind(&text)
		journal(map[string]any{"event": "note", "id": s.ID(), "text": text})
	})

	root.On("stats", func(_ *socketio.Socket, e *socketio.Event) {
		st := srv.Stats()
		_ = e.Ack(map[string]any{"connections": st.Connections, "rooms": st.Rooms,
			"drops": st.Drops})
	})
}
