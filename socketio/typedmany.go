package socketio

import "context"

// On2 is On for two arguments.
func On2[A, B any](t Target, event string, f func(s *Socket, a A, b B) error,
	opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var a A
		var b B
		if err := e.decode(&a, &b); err != nil {
			return err
		}
		return f(s, a, b)
	}, opts)
}

// On3 is On for three arguments.
func On3[A, B, C any](t Target, event string, f func(s *Socket, a A, b B, c C) error,
	opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var a A
		var b B
		var c C
		if err := e.decode(&a, &b, &c); err != nil {
			return err
		}
		return f(s, a, b, c)
	}, opts)
}

// On4 is On for four arguments. For more, see Event.Bind.
func On4[A, B, C, D any](t Target, event string, f func(s *Socket, a A, b B, c C, d D) error,
	opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var a A
		var b B
		var c C
		var d D
		if err := e.decode(&a, &b, &c, &d); err != nil {
			return err
		}
		return f(s, a, b, c, d)
	}, opts)
}

// OnAck2 is OnAck for two arguments.
func OnAck2[A, B, Out any](t Target, event string,
	f func(ctx context.Context, s *Socket, a A, b B) (Out, error), opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var a A
		var b B
		return acknowledge(s, e, func(ctx context.Context) (Out, error) {
			return f(ctx, s, a, b)
		}, &a, &b)
	}, opts)
}

// OnAck3 is OnAck for three arguments. For more, and for acknowledgements with
// several values, see Event.Bind and Event.Ack.
func OnAck3[A, B, C, Out any](t Target, event string,
	f func(ctx context.Context, s *Socket, a A, b B, c C) (Out, error), opts ...HandlerOption,
) (off func()) {
	return t.handlers().on(event, func(s *Socket, e *Event) error {
		var a A
		var b B
		var c C
		return acknowledge(s, e, func(ctx context.Context) (Out, error) {
			return f(ctx, s, a, b, c)
		}, &a, &b, &c)
	}, opts)
}
