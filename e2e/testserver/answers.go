package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/throng-server/throng/socketio"
)

type question struct {
	Arg     int      `json:"arg"`
	To      []string `json:"to"`
	Timeout int      `json:"timeout"` // ms
}

func (q question) wait() time.Duration { return time.Duration(q.Timeout) * time.Millisecond }

// answers are handlers that ask back.
func answers(srv *socketio.Server) {
	socketio.OnAck(srv, "sum", func(_ context.Context, _ *socketio.Socket, in []float64) (float64, error) {
		sum := 0.0
		for _, f := range in {
			sum += f
		}
		return sum, nil
	})
	socketio.OnAck(srv, "refuse", func(context.Context, *socketio.Socket, json.RawMessage) (int, error) {
		return 0, &socketio.Error{Message: "no", Data: 7}
	})
	socketio.OnAck(srv, "fail", func(context.Context, *socketio.Socket, json.RawMessage) (int, error) {
		return 0, errors.New("a secret of the server")
	})
	socketio.OnAck(srv, "fall", func(context.Context, *socketio.Socket, json.RawMessage) (int, error) {
		panic("on purpose")
	})

	// Asking the client needs its ack to be read while the handler waits.
	socketio.OnAck(srv, "ask-me", func(ctx context.Context, s *socketio.Socket, q question) (any, error) {
		ack, err := s.Timeout(q.wait()).EmitWithAck(ctx, "question", q.Arg)
		if err != nil {
			return map[string]string{"error": err.Error()}, nil
		}
		return map[string]any{"answer": ack.Args()[0]}, nil
	})
	srv.On("ask-me-hex", func(s *socketio.Socket, e *socketio.Event) {
		ack, err := s.Timeout(2*time.Second).EmitWithAck(context.Background(), "question", 1)
		if err != nil {
			return
		}
		var b []byte
		if err := ack.Bind(&b); err != nil {
			return
		}
		_ = e.Ack(hex.EncodeToString(b))
	})
	socketio.OnAck(srv, "broadcast-ack", func(ctx context.Context, _ *socketio.Socket, q question) (any, error) {
		list, err := srv.To(q.To...).Timeout(q.wait()).EmitWithAck(ctx, "vote", "topic")
		responses := []json.RawMessage{}
		for _, a := range list {
			responses = append(responses, a.Args()...)
		}
		out := map[string]any{"responses": responses, "error": ""}
		if err != nil {
			out["error"] = err.Error()
		}
		return out, nil
	})
}
