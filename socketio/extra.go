package socketio

import (
	"context"
	"net"
	"sync"
	"time"
)

// extra is what few sockets have for long; an idle one has none, so that it
// stays small. Fields are guarded by mu unless marked.
type extra struct {
	mu   sync.Mutex
	dead bool // replaced or dropped; look again

	data   any
	values map[string]any
	reg    *registry
	done   chan struct{} // closed when the socket leaves

	// The handshake, until it is released.
	head      []byte
	auth      []byte
	remote    net.Addr
	opened    time.Time
	handshake *Handshake

	session *session // with recovery, once admitted or restored

	early []string // rooms joined before acceptance
	last  []string // rooms at the time of leaving, for OnDisconnecting

	asks map[uint64]*answer // by ack id; loop only
}

// edit runs f on the socket's extra state under its lock, making it if create
// is set. Any goroutine; f must be short.
func (s *Socket) edit(create bool, f func(x *extra)) {
	for {
		x := s.ext.Load()
		if x == nil {
			if !create {
				return
			}
			x = &extra{}
			if !s.ext.CompareAndSwap(nil, x) {
				continue
			}
		}
		x.mu.Lock()
		if x.dead {
			x.mu.Unlock()
			continue
		}
		f(x)
		x.mu.Unlock()
		return
	}
}

// shrink drops the extra state if nothing is in it. Loop only, because asks
// is looked at.
func (s *Socket) shrink() {
	x := s.ext.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.data == nil && x.values == nil && x.reg == nil && x.done == nil && x.head == nil &&
		x.auth == nil && x.handshake == nil && len(x.early) == 0 && x.last == nil &&
		len(x.asks) == 0 && x.session == nil {
		x.dead = true
		s.ext.Store(nil)
	}
}

// SetData stores a value of the application with the socket. In a cluster
// FetchSockets of other nodes shows it as JSON, made on any goroutine at any
// time: then v must not change any more (store a new one), or must have a
// MarshalJSON that locks.
func (s *Socket) SetData(v any) { s.edit(v != nil, func(x *extra) { x.data = v }) }

// Data returns what SetData stored, or nil.
func (s *Socket) Data() (v any) {
	s.edit(false, func(x *extra) { v = x.data })
	return v
}

// Set stores a value under a key; nil removes it.
func (s *Socket) Set(key string, v any) {
	s.edit(v != nil, func(x *extra) {
		if v == nil {
			delete(x.values, key)
			return
		}
		if x.values == nil {
			x.values = make(map[string]any)
		}
		x.values[key] = v
	})
}

// Get returns the value stored under a key, or nil.
func (s *Socket) Get(key string) (v any) {
	s.edit(false, func(x *extra) { v = x.values[key] })
	return v
}

// handlers returns the socket's own registry, making it.
func (s *Socket) handlers() (r *registry) {
	s.edit(true, func(x *extra) {
		if x.reg == nil {
			x.reg = &registry{}
		}
		r = x.reg
	})
	return r
}

// own returns the socket's own handlers, never nil.
func (s *Socket) own() *handlerSet {
	h := &noHandlers
	if s.ext.Load() != nil {
		s.edit(false, func(x *extra) {
			if x.reg != nil {
				h = x.reg.load()
			}
		})
	}
	return h
}

var closedChan = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// socketContext is the context of a socket, without a byte of its own.
type socketContext Socket

// Context returns a context that ends when the socket has left.
func (s *Socket) Context() context.Context { return (*socketContext)(s) }

func (*socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *socketContext) Done() <-chan struct{} {
	s := (*Socket)(c)
	done := closedChan
	if s.is(stClosed) {
		return done
	}
	s.edit(true, func(x *extra) {
		if x.done == nil {
			x.done = make(chan struct{})
			if s.is(stClosed) {
				close(x.done)
			}
		}
		done = x.done
	})
	return done
}

func (c *socketContext) Err() error {
	if (*Socket)(c).is(stClosed) {
		return context.Canceled
	}
	return nil
}

func (*socketContext) Value(any) any { return nil }

// endContext closes the context's channel. It runs after the state is
// stClosed; Done closes a channel made later itself, or saw the state.
func (s *Socket) endContext() {
	s.edit(false, func(x *extra) {
		if x.done == nil {
			return
		}
		select {
		case <-x.done:
		default:
			close(x.done)
		}
	})
}
