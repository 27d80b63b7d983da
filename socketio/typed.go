package socketio

import (
	"context"
	"errors"

	"github.com/throng-server/throng/protocol/sio"
)

// On adds a handler whose argument is decoded from the event's first one. The
// zero value is passed if the client sent none; further ones are ignored. An
// argument of the wrong type, an error or a panic of f goes to
// OnError. No acknowledgement is sent unless it returns one: see OnAck. off
// takes the handler off again.
func On[T any](t Target, event string, f func(s *Socket, in T) error, opts ...HandlerOption) (
	off func(),
) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var in T
		if err := e.decode(&in); err != nil {
			return err
		}
		return f(s, in)
	}, opts)
}

// OnAck adds a handler whose result acknowledges the event. The context ends
// when the socket leaves. When f fails, the client is answered as the package
// documentation says.
func OnAck[In, Out any](t Target, event string,
	f func(ctx context.Context, s *Socket, in In) (Out, error), opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var in In
		return acknowledge(s, e, func(ctx context.Context) (Out, error) {
			return f(ctx, s, in)
		}, &in)
	}, opts)
}

// acknowledge decodes the arguments into dst, calls f and answers with its
// result.
func acknowledge[Out any](s *Socket, e *Event, f func(context.Context) (Out, error),
	dst ...any,
) error {
	if err := e.decode(dst...); err != nil {
		return &ackError{err}
	}
	out, err := callAck(s, f)
	if err != nil {
		return &ackError{err}
	}
	return e.Ack(out)
}

// callAck makes a panic an error that is answered.
func callAck[Out any](s *Socket, f func(context.Context) (Out, error)) (out Out, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = recovered(s, v)
		}
	}()
	return f(s.Context())
}

// Ask emits an event to a socket and decodes the first argument of its
// acknowledgement.
func Ask[T any](ctx context.Context, s *Socket, event string, args ...any) (T, error) {
	var out T
	a, err := s.EmitWithAck(ctx, event, args...)
	if err != nil {
		return out, err
	}
	return out, a.Bind(&out)
}

// decode is Bind for typed handlers: a missing argument is the zero value.
func (e *Event) decode(dst ...any) error {
	if err := sio.DecodeArgs(e.args.JSON, e.args.Attachments, dst...); err != nil {
		return &ArgumentError{Err: err}
	}
	return nil
}

// ArgumentError is what OnError receives when a client's argument does not fit
// the handler's type.
type ArgumentError struct{ Err error }

func (e *ArgumentError) Error() string { return "socketio: invalid argument: " + e.Err.Error() }

// Unwrap returns the decoder's error.
func (e *ArgumentError) Unwrap() error { return e.Err }

// ackError marks an error of an OnAck handler: the client is answered.
type ackError struct{ error }

func (e *ackError) Unwrap() error { return e.error }

func answersErrors(err error) bool {
	var a *ackError
	return errors.As(err, &a)
}

// errorReply is the acknowledgement of a failed OnAck handler.
func errorReply(err error) any {
	type reply struct {
		Error string `json:"error"`
		Data  any    `json:"data,omitempty"`
	}
	var e *Error
	var arg *ArgumentError
	switch {
	case errors.As(err, &e):
		return reply{e.Message, e.Data}
	case errors.As(err, &arg):
		return reply{Error: "invalid argument"}
	}
	return reply{Error: internalError}
}
