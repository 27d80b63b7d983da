package socketio

import (
	"maps"
	"sync"
	"sync/atomic"
)

// handler is one registered function; typed ones report errors.
type handler func(s *Socket, e *Event) error

// Middleware decides whether a socket may join a namespace.
type Middleware func(s *Socket) error

// eventHandlers are the functions for one event name.
type eventHandlers struct {
	name   string
	list   []handler
	inline bool
}

// handlerSet is everything registered on a namespace or a socket. It is
// immutable: readers on loops and workers take no lock.
type handlerSet struct {
	events        map[string]*eventHandlers
	any           []handler
	guards        []handler
	middleware    []Middleware
	connection    []func(*Socket)
	disconnecting []func(*Socket, string)
	disconnect    []func(*Socket, string)
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

func (r *registry) on(event string, f handler, opts []HandlerOption) {
	var c handlerConfig
	for _, o := range opts {
		o(&c)
	}
	r.change(func(h *handlerSet) {
		h.events = maps.Clone(h.events)
		if h.events == nil {
			h.events = make(map[string]*eventHandlers)
		}
		e := eventHandlers{name: event, inline: c.inline}
		if old := h.events[event]; old != nil {
			e = *old
			e.inline = e.inline && c.inline
		}
		e.list = add(e.list, f)
		h.events[event] = &e
		h.inline = h.inline || e.inline
	})
}

func (r *registry) off(event string) {
	r.change(func(h *handlerSet) {
		h.events = maps.Clone(h.events)
		delete(h.events, event)
	})
}

type handlerConfig struct{ inline bool }

// HandlerOption changes how a handler runs.
type HandlerOption func(*handlerConfig)

// Inline runs a handler on the event loop, which saves the way through a
// worker. The handler must not block; the event's bytes are valid until it
// returns, and calls that wait return ErrOnLoop. An event that comes while
// earlier ones of its connection wait for a worker waits with them and runs
// there. It has an effect only if all handlers of the event, on the namespace and the
// socket, are inline and no catch-all handler is registered.
func Inline() HandlerOption { return func(c *handlerConfig) { c.inline = true } }

// Target is what events can be handled on: a *Server (meaning its namespace
// "/"), a *Namespace or a *Socket.
type Target interface {
	handlers() *registry
}
