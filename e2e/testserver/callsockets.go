package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/throng-server/throng/socketio"
)

// sockets are the calls about one socket, wherever it is.
func (c *caller) sockets() apis {
	// remote is a call of the RemoteSocket with the call's id.
	remote := func(f func(ctx context.Context, r *socketio.RemoteSocket, c *call, args []any) (any, error)) func(
		context.Context, target, *call, []any) (any, error) {
		return func(ctx context.Context, on target, c *call, args []any) (any, error) {
			list, err := on.ns.To(c.ID).FetchSockets(ctx)
			if err != nil {
				return nil, err
			}
			// Others may be in a room of that name.
			list = slices.DeleteFunc(list, func(r *socketio.RemoteSocket) bool { return r.ID() != c.ID })
			if len(list) != 1 {
				return nil, fmt.Errorf("%d sockets with one id", len(list))
			}
			ctx, cancel := c.bounded(ctx)
			defer cancel()
			return f(ctx, list[0], c, args)
		}
	}
	return apis{
		"join": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.s.Join(c.Rooms...)
			return on.s.Rooms(), nil
		},
		"leave": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.s.Leave(c.Rooms...)
			return on.s.Rooms(), nil
		},
		"call": func(ctx context.Context, on target, c *call, args []any) (any, error) {
			ctx, cancel := c.bounded(ctx)
			defer cancel()
			return acked(on.ns.Call(ctx, c.ID, c.Event, args...))
		},
		"disconnect": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.ns.Disconnect(c.ID, c.Close)
			return nil, nil
		},
		"remote.emit": remote(func(_ context.Context, r *socketio.RemoteSocket, c *call, args []any) (any, error) {
			return nil, r.Emit(c.Event, args...)
		}),
		"remote.emitWithAck": remote(func(ctx context.Context, r *socketio.RemoteSocket, c *call, args []any) (any, error) {
			return acked(r.EmitWithAck(ctx, c.Event, args...))
		}),
		"remote.join": remote(func(_ context.Context, r *socketio.RemoteSocket, c *call, _ []any) (any, error) {
			r.Join(c.Rooms...)
			return nil, nil
		}),
		"remote.leave": remote(func(_ context.Context, r *socketio.RemoteSocket, c *call, _ []any) (any, error) {
			r.Leave(c.Rooms...)
			return nil, nil
		}),
		"remote.disconnect": remote(func(_ context.Context, r *socketio.RemoteSocket, c *call, _ []any) (any, error) {
			r.Disconnect(c.Close)
			return nil, nil
		}),
	}
}

// bounded is the context of a call that waits for one socket.
func (c *call) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(c.Timeout)*time.Millisecond)
}

func acked(ack *socketio.Ack, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return ack.Raw(), nil
}

// servers are the calls between servers.
func (c *caller) servers() apis {
	return apis{
		"serverSideEmit": func(_ context.Context, on target, c *call, args []any) (any, error) {
			return nil, on.ns.ServerSideEmit(c.Event, args...)
		},
		"serverSideEmitWithAck": func(ctx context.Context, on target, c *call, args []any) (any, error) {
			ctx, cancel := c.bounded(ctx)
			defer cancel()
			list, err := on.ns.ServerSideEmitWithAck(ctx, c.Event, args...)
			return answersOf(list), err
		},
		"heard": func(context.Context, target, *call, []any) (any, error) {
			return c.heard.take(), nil
		},
	}
}

// hearing keeps what other servers have told this one.
type hearing struct {
	mu   sync.Mutex
	list []heardEvent
}

type heardEvent struct {
	NS   string `json:"nsp"`
	Args []any  `json:"args"`
}

func (h *hearing) listen(ns *socketio.Namespace) {
	hear := func(event string, f func(e *socketio.ServerEvent)) {
		// The name is none of those that are reserved.
		if err := ns.OnServerSide(event, f); err != nil {
			panic(err)
		}
	}
	hear("tell", func(e *socketio.ServerEvent) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = append(h.list, heardEvent{ns.Name(), serverArgs(e)})
	})
	hear("ask", func(e *socketio.ServerEvent) {
		e.Ack(append(serverArgs(e), "answered")...)
		e.Ack("once is enough")
	})
	// Nobody answers, but there is a handler.
	hear("ask-in-vain", func(*socketio.ServerEvent) {})
}

// serverArgs are a number or text and bytes.
func serverArgs(e *socketio.ServerEvent) []any {
	var v any
	var b []byte
	if len(e.Args()) < 2 || e.Bind(&v, &b) != nil {
		_ = e.Bind(&v)
		return []any{v}
	}
	return []any{v, b}
}

// take returns what was heard since the last time.
func (h *hearing) take() []heardEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	if list == nil {
		list = []heardEvent{}
	}
	return list
}
