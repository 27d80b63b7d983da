package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/throng-server/throng/socketio"
)

// call is one call of the API that somebody asks for with the event "call";
// the arguments of what is emitted follow it.
type call struct {
	Do string `json:"do"`
	// NS names the namespace, that of the caller by default; "children" is the
	// parent.
	NS       string   `json:"nsp"`
	To       []string `json:"to"`
	Except   []string `json:"except"`
	Local    bool     `json:"local"`
	Volatile bool     `json:"volatile"`
	Plain    bool     `json:"plain"`
	Timeout  int      `json:"timeout"` // ms
	Event    string   `json:"event"`
	Rooms    []string `json:"rooms"`
	Close    bool     `json:"close"`
	ID       string   `json:"id"`
}

// result is what the call has returned.
type result struct {
	Value   any      `json:"value"`
	Error   string   `json:"error"`
	Missing []string `json:"missing"` // nodes
}

// caller makes the calls.
type caller struct {
	srv      *socketio.Server
	children *socketio.Namespace
	heard    hearing
	apis     map[string]func(ctx context.Context, on target, c *call, args []any) (any, error)
}

// target is what a call is about: a namespace, the sockets that a broadcast
// means, and the socket that calls unless it is the server.
type target struct {
	ns *socketio.Namespace
	b  socketio.Broadcast
	s  *socketio.Socket
}

// calls lets the clients of some namespaces call the API. Those of "/control"
// call as the server and are in none of the others.
func calls(srv *socketio.Server) {
	c := &caller{srv: srv, children: srv.OfPattern(regexp.MustCompile(`^/child-\d+$`))}
	c.apis = c.broadcasts()
	for _, table := range []apis{c.lookups(), c.sockets(), c.servers()} {
		for name, f := range table {
			c.apis[name] = f
		}
	}
	for _, ns := range []*socketio.Namespace{srv.Of("/"), srv.Of("/chat"), c.children} {
		ns.OnConnection(func(s *socketio.Socket) {
			s.SetData(map[string]string{"name": s.Handshake().Query.Get("name")})
		})
		c.serve(ns, false)
	}
	c.serve(srv.Of("/control"), true)
	for _, ns := range []*socketio.Namespace{srv.Of("/"), srv.Of("/chat")} {
		c.heard.listen(ns)
	}
}

type apis = map[string]func(ctx context.Context, on target, c *call, args []any) (any, error)

func (c *caller) serve(ns *socketio.Namespace, asServer bool) {
	ns.On("call", func(s *socketio.Socket, e *socketio.Event) {
		var in call
		if err := e.Bind(&in); err != nil {
			_ = e.Ack(result{Error: err.Error()})
			return
		}
		on := target{ns: s.Namespace(), s: s}
		if asServer {
			on = target{ns: c.namespace(in.NS)}
		}
		on.b = in.selection(on)
		f := c.apis[in.Do]
		if f == nil {
			_ = e.Ack(result{Error: fmt.Sprintf("no such call: %q", in.Do)})
			return
		}
		v, err := f(context.Background(), on, &in, e.Raw()[1:])
		out := result{Value: v, Error: word(err)}
		if p := (*socketio.PartialError)(nil); errors.As(err, &p) {
			out.Missing = p.Missing
		}
		_ = e.Ack(out)
	})
}

func (c *caller) namespace(name string) *socketio.Namespace {
	switch name {
	case "":
		return c.srv.Of("/")
	case "children":
		return c.children
	}
	return c.srv.Of(name)
}

func (c *call) selection(on target) socketio.Broadcast {
	b := on.ns.All()
	if on.s != nil {
		b = on.s.Broadcast()
	}
	b = b.To(c.To...).Except(c.Except...)
	if c.Local {
		b = b.Local()
	}
	if c.Volatile {
		b = b.Volatile()
	}
	if c.Plain {
		b = b.Compress(false)
	}
	if c.Timeout > 0 {
		b = b.Timeout(time.Duration(c.Timeout) * time.Millisecond)
	}
	return b
}

// word names an error.
func word(err error) string {
	for _, e := range []struct {
		err  error
		word string
	}{
		{socketio.ErrTimeout, "timeout"}, {socketio.ErrDisconnected, "disconnected"},
		{socketio.ErrNoSocket, "no socket"}, {socketio.ErrNoAnswer, "no answer"},
		{socketio.ErrNoOtherNodes, "no other nodes"}, {socketio.ErrReserved, "reserved"},
		{socketio.ErrParent, "parent"}, {context.DeadlineExceeded, "deadline"},
	} {
		if errors.Is(err, e.err) {
			return e.word
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// answer is what one receiver has answered.
type answer struct {
	From string `json:"from"`
	Args []any  `json:"args"`
}

func answersOf(list []socketio.Answer) []answer {
	out := make([]answer, 0, len(list))
	for i := range list {
		out = append(out, answer{list[i].From, list[i].Raw()})
	}
	return out
}

// broadcasts are the calls over a selection.
func (c *caller) broadcasts() apis {
	return apis{
		"emit": func(_ context.Context, on target, c *call, args []any) (any, error) {
			return nil, on.b.Emit(c.Event, args...)
		},
		"send": func(_ context.Context, on target, _ *call, args []any) (any, error) {
			return nil, on.b.Send(args...)
		},
		"emitWithAck": func(ctx context.Context, on target, c *call, args []any) (any, error) {
			list, err := on.b.EmitWithAck(ctx, c.Event, args...)
			return answersOf(list), err
		},
		"emitFunc": func(_ context.Context, on target, c *call, args []any) (any, error) {
			type end struct {
				list []socketio.Answer
				err  error
			}
			done := make(chan end, 1)
			if err := on.b.EmitFunc(func(list []socketio.Answer, err error) {
				done <- end{list, err}
			}, c.Event, args...); err != nil {
				return nil, err
			}
			got := <-done
			return answersOf(got.list), got.err
		},
		"socketsJoin": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.b.SocketsJoin(c.Rooms...)
			return nil, nil
		},
		"socketsLeave": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.b.SocketsLeave(c.Rooms...)
			return nil, nil
		},
		"disconnectSockets": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			on.b.DisconnectSockets(c.Close)
			return nil, nil
		},
		"closeRoom": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			for _, room := range c.Rooms {
				on.ns.CloseRoom(room)
			}
			return nil, nil
		},
	}
}

// found is a socket as FetchSockets tells it.
type found struct {
	ID    string          `json:"id"`
	Node  string          `json:"node"`
	NS    string          `json:"nsp"`
	Here  bool            `json:"here"`
	Rooms []string        `json:"rooms"`
	Data  json.RawMessage `json:"data"`
	Query string          `json:"query"`
	Trace string          `json:"trace"`
	Auth  json.RawMessage `json:"auth"`
}

// lookups are the calls that find out.
func (c *caller) lookups() apis {
	return apis{
		"fetchSockets": func(ctx context.Context, on target, _ *call, _ []any) (any, error) {
			list, err := on.b.FetchSockets(ctx)
			out := []found{}
			for _, r := range list {
				h := r.Handshake()
				out = append(out, found{ID: r.ID(), Node: r.Node(), NS: r.Namespace().Name(),
					Here: r.Local() != nil, Rooms: r.Rooms(), Data: r.Data(),
					Query: h.Query.Get("name"), Trace: h.Header.Get("X-Trace"), Auth: h.Auth})
			}
			return out, err
		},
		"localSockets": func(ctx context.Context, on target, _ *call, _ []any) (any, error) {
			list, err := on.b.LocalSockets(ctx)
			ids := []string{}
			for _, s := range list {
				ids = append(ids, s.ID())
			}
			return ids, err
		},
		"allSockets": func(ctx context.Context, on target, _ *call, _ []any) (any, error) {
			return on.b.AllSockets(ctx)
		},
		"count": func(ctx context.Context, on target, _ *call, _ []any) (any, error) {
			return on.b.Count(ctx)
		},
		"rooms": func(ctx context.Context, on target, _ *call, _ []any) (any, error) {
			return on.ns.Rooms(ctx)
		},
		"roomsOf": func(_ context.Context, on target, c *call, _ []any) (any, error) {
			return on.ns.RoomsOf(c.ID)
		},
		"nodes": func(_ context.Context, on target, _ *call, _ []any) (any, error) {
			st := c.srv.Stats().Cluster
			ids := []string{}
			for _, n := range st.Nodes {
				ids = append(ids, n.ID)
			}
			return map[string]any{"self": st.Self.ID, "others": ids,
				"drops": c.srv.Stats().Drops, "dropped": st.Dropped, "err": st.Err}, nil
		},
	}
}
