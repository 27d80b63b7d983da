package socketio

import (
	"maps"
	"sync"
	"sync/atomic"
)

// handler is one registered function; typed ones report errors.
type handler func(s *Socket, e *Event) error

// listener is a registration of a handler: its address tells it from others
// of the same function.
type listener struct {
	f      handler
	inline bool
	// off is set if the handler runs once: whoever swaps ran first runs it.
	off func()
	ran atomic.Bool
}

// Middleware decides whether a socket may join a namespace.
type Middleware func(s *Socket) error

// ErrorHandler is told of a handler's error, on a worker. If it returns a
// value that is not nil and the client waits for an acknowledgement, that
// value is sent.
type ErrorHandler func(s *Socket, event string, err error) (reply any)

// eventHandlers are the functions for one event name.
type eventHandlers struct {
	name   string
	list   []*listener
	inline bool // all of them are
}

// handlerSet is everything registered on a namespace or a socket. It is
// immutable: readers on loops and workers take no lock.
type handlerSet struct {
	events        map[string]*eventHandlers
	any           []*listener
	guards        []*listener
	unhandled     []*listener
	outgoing      []*listener
	middleware    []Middleware
	connection    []func(*Socket)
	disconnecting []func(*Socket, string)
	disconnect    []func(*Socket, string)
	onError       ErrorHandler
	rooms         *roomHooks
	inline        bool // some event has only inline handlers
}

var noHandlers handlerSet

// registry holds the current handlerSet and replaces it on a change.
type registry struct {
	mu  sync.Mutex
	set atomic.Pointer[handlerSet]
}

// load returns the current set, never nil.
func (r *registry) load() *handlerSet {
	if h := r.set.Load(); h != nil {
		return h
	}
	return &noHandlers
}

func (r *registry) change(edit func(h *handlerSet)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := *r.load()
	edit(&h)
	r.set.Store(&h)
}

// add returns list with f added, never sharing the room behind list: an older
// set may be in use.
func add[T any](list []T, f T) []T { return append(list[:len(list):len(list)], f) }

// without returns a copy of list that lacks l.
func without(list []*listener, l *listener) []*listener {
	var kept []*listener
	for _, o := range list {
		if o != l {
			kept = append(kept, o)
		}
	}
	return kept
}

// on registers a handler of an event and returns what takes it off again.
func (r *registry) on(event string, f handler, opts []HandlerOption) (off func()) {
	var c handlerConfig
	for _, o := range opts {
		o(&c)
	}
	l := &listener{f: f, inline: c.inline}
	off = func() {
		r.change(func(h *handlerSet) {
			if e := h.events[event]; e != nil {
				h.replace(event, without(e.list, l))
			}
		})
	}
	if c.once {
		l.off = off
	}
	r.change(func(h *handlerSet) {
		var list []*listener
		if e := h.events[event]; e != nil {
			list = e.list
		}
		h.replace(event, add(list, l))
	})
	return off
}

// replace sets the handlers of an event.
func (h *handlerSet) replace(event string, list []*listener) {
	h.events = maps.Clone(h.events)
	if len(list) == 0 {
		delete(h.events, event)
		return
	}
	if h.events == nil {
		h.events = make(map[string]*eventHandlers)
	}
	e := &eventHandlers{name: event, list: list, inline: true}
	for _, l := range list {
		e.inline = e.inline && l.inline
	}
	h.events[event] = e
	h.inline = h.inline || e.inline
}

// Lists of a handlerSet that listen has to do with.
func anyOf(h *handlerSet) *[]*listener       { return &h.any }
func guardsOf(h *handlerSet) *[]*listener    { return &h.guards }
func unhandledOf(h *handlerSet) *[]*listener { return &h.unhandled }
func outgoingOf(h *handlerSet) *[]*listener  { return &h.outgoing }

// listen adds a handler to one of the lists, or puts it in front, and returns
// what takes it off again.
func (r *registry) listen(of func(*handlerSet) *[]*listener, f handler, front bool) (off func()) {
	l := &listener{f: f}
	r.change(func(h *handlerSet) {
		list := of(h)
		if front {
			*list = append([]*listener{l}, *list...)
		} else {
			*list = add(*list, l)
		}
	})
	return func() {
		r.change(func(h *handlerSet) {
			list := of(h)
			*list = without(*list, l)
		})
	}
}

// clear empties one of the lists.
func (r *registry) clear(of func(*handlerSet) *[]*listener) {
	r.change(func(h *handlerSet) { *of(h) = nil })
}

func (r *registry) off(event string) {
	r.change(func(h *handlerSet) { h.replace(event, nil) })
}

// offAll takes off what On registered, for every event.
func (r *registry) offAll() {
	r.change(func(h *handlerSet) { h.events, h.inline = nil, false })
}

func (r *registry) disconnecting(f func(*Socket, string)) {
	r.change(func(h *handlerSet) { h.disconnecting = add(h.disconnecting, f) })
}

func (r *registry) disconnect(f func(*Socket, string)) {
	r.change(func(h *handlerSet) { h.disconnect = add(h.disconnect, f) })
}

func (r *registry) onError(f ErrorHandler) {
	r.change(func(h *handlerSet) { h.onError = f })
}

type handlerConfig struct{ inline, once bool }

// HandlerOption changes how a handler runs.
type HandlerOption func(*handlerConfig)

// Inline runs a handler on the event loop, which saves the way through a
// worker. The handler must not block; the event's bytes are valid until it
// returns, and calls that wait return ErrOnLoop. An event that comes while
// earlier ones of its connection wait for a worker waits with them and runs
// there. It has an effect only if all handlers of the event, on the namespace and the
// socket, are inline and no catch-all handler is registered.
func Inline() HandlerOption { return func(c *handlerConfig) { c.inline = true } }

// Once takes the handler off when it runs for the first time. On a namespace
// that is once for all its sockets together.
func Once() HandlerOption { return func(c *handlerConfig) { c.once = true } }

// Target is what events can be handled on: a *Server (meaning its namespace
// "/"), a *Namespace or a *Socket.
type Target interface {
	handlers() *registry
}
