package socketio

// Use adds a middleware: it runs for every socket before it is accepted, in
// the order of Use, on the admission pool, and may block. An error refuses the
// socket: the client gets its text as connect_error, with the data of an
// *Error. Emits to the socket are sent at once; rooms it joins take effect
// when it is accepted.
func (n *Namespace) Use(f Middleware) {
	n.reg.change(func(h *handlerSet) { h.middleware = add(h.middleware, f) })
}

// OnConnection adds a handler for accepted sockets. The socket's events wait
// until all of them have returned.
func (n *Namespace) OnConnection(f func(s *Socket)) {
	n.reg.change(func(h *handlerSet) { h.connection = add(h.connection, f) })
}

// OnDisconnecting adds a handler for sockets that are leaving; Socket.Rooms
// still tells where they were.
func (n *Namespace) OnDisconnecting(f func(s *Socket, reason string)) { n.reg.disconnecting(f) }

// OnDisconnect adds a handler for sockets that have left. It runs exactly once
// for each accepted socket, after its last event.
func (n *Namespace) OnDisconnect(f func(s *Socket, reason string)) { n.reg.disconnect(f) }

// OnError sets the handler of errors and panics in this namespace's handlers,
// middleware included, in place of Options.OnError; nil takes it off.
func (n *Namespace) OnError(f ErrorHandler) { n.reg.onError(f) }

// On adds a handler for an event. Handlers of the namespace run before the
// socket's own. off takes it off again.
func (n *Namespace) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) (
	off func(),
) {
	return n.reg.on(event, plain(f), opts)
}

// Off removes the handlers of an event.
func (n *Namespace) Off(event string) { n.reg.off(event) }

// OffAll removes the handlers of all events; catch-all ones, guards and those
// of connections stay.
func (n *Namespace) OffAll() { n.reg.offAll() }

// OnAny adds a handler for all events, before the others.
func (n *Namespace) OnAny(f func(s *Socket, e *Event)) (off func()) {
	return n.reg.listen(anyOf, plain(f), false)
}

// PrependAny is OnAny in front of those that are there.
func (n *Namespace) PrependAny(f func(s *Socket, e *Event)) (off func()) {
	return n.reg.listen(anyOf, plain(f), true)
}

// OffAny removes the handlers of OnAny.
func (n *Namespace) OffAny() { n.reg.clear(anyOf) }

// OnUnhandled adds a handler for events that neither the namespace nor the
// socket has a handler for.
func (n *Namespace) OnUnhandled(f func(s *Socket, e *Event)) (off func()) {
	return n.reg.listen(unhandledOf, plain(f), false)
}

// UseEvent adds a guard: it runs for every event, after OnAny handlers and
// before the others; an error drops the event and goes to OnError.
func (n *Namespace) UseEvent(f func(s *Socket, e *Event) error) (off func()) {
	return n.reg.listen(guardsOf, f, false)
}

// On adds a handler for an event of this socket. off takes it off again.
func (s *Socket) On(event string, f func(s *Socket, e *Event), opts ...HandlerOption) (
	off func(),
) {
	return s.handlers().on(event, plain(f), opts)
}

// Off removes this socket's own handlers of an event.
func (s *Socket) Off(event string) { s.handlers().off(event) }

// OffAll removes this socket's own handlers of all events.
func (s *Socket) OffAll() { s.handlers().offAll() }

// OnAny adds a handler for all events of this socket.
func (s *Socket) OnAny(f func(s *Socket, e *Event)) (off func()) {
	return s.handlers().listen(anyOf, plain(f), false)
}

// PrependAny is OnAny in front of those that are there.
func (s *Socket) PrependAny(f func(s *Socket, e *Event)) (off func()) {
	return s.handlers().listen(anyOf, plain(f), true)
}

// OffAny removes the handlers of OnAny.
func (s *Socket) OffAny() { s.handlers().clear(anyOf) }

// OnUnhandled is Namespace.OnUnhandled for this socket.
func (s *Socket) OnUnhandled(f func(s *Socket, e *Event)) (off func()) {
	return s.handlers().listen(unhandledOf, plain(f), false)
}

// UseEvent adds a guard for the events of this socket; see Namespace.UseEvent.
// The namespace's guards run first.
func (s *Socket) UseEvent(f func(s *Socket, e *Event) error) (off func()) {
	return s.handlers().listen(guardsOf, f, false)
}

// OnError sets the handler of errors and panics in the handlers of this
// socket's events, those of its namespace included; nil takes it off.
func (s *Socket) OnError(f ErrorHandler) { s.handlers().onError(f) }

// OnDisconnecting is Namespace.OnDisconnecting for this socket. It must be
// registered before the socket leaves.
func (s *Socket) OnDisconnecting(f func(s *Socket, reason string)) { s.handlers().disconnecting(f) }

// OnDisconnect is Namespace.OnDisconnect for this socket.
func (s *Socket) OnDisconnect(f func(s *Socket, reason string)) { s.handlers().disconnect(f) }

func plain(f func(*Socket, *Event)) handler {
	return func(s *Socket, e *Event) error {
		f(s, e)
		return nil
	}
}
