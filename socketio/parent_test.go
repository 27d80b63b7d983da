package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// loopCounts are the numbers of loops that tests about order run with.
func loopCounts(t *testing.T, f func(t *testing.T, loops int)) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d loops", n), func(t *testing.T) {
			t.Parallel()
			f(t, n)
		})
	}
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestParentsMakeChildren(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		var asked atomic.Int32
		created := make(chan string, 16)
		var byPattern, byFunc *Namespace
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnNewNamespace(func(n *Namespace) { created <- n.Name() })
			byPattern = s.OfPattern(regexp.MustCompile(`^/room-\d+$`))
			byFunc = s.OfFunc(func(name string, auth json.RawMessage) bool {
				asked.Add(1)
				if name == "/panic" {
					panic("match")
				}
				return string(auth) == `{"key":1}` || name == "/open"
			})
			for _, p := range []*Namespace{byPattern, byFunc} {
				p.Use(func(k *Socket) error {
					if k.Namespace().Name() == "/room-13" {
						return errors.New("unlucky")
					}
					return nil
				})
				p.On("who", func(k *Socket, e *Event) { _ = e.Ack(k.Namespace().Name()) })
			}
		})
		p := dial(t, s)
		first := p.join("/room-1", "")
		require.Equal(t, "/room-1", receive(t, created))
		require.Zero(t, asked.Load(), "the first parent that matches has it")
		p.send(`42/room-1,0["who"]`)
		p.expect(`43/room-1,0["/room-1"]`)
		p.send("40/room-13,")
		p.expect(`44/room-13,{"message":"unlucky"}`)
		require.Equal(t, "/room-13", receive(t, created))
		p.send("40/elsewhere,")
		p.expect(`44/elsewhere,{"message":"Invalid namespace"}`)
		p.send("40/panic,")
		p.expect(`44/panic,{"message":"Invalid namespace"}`)
		require.EqualValues(t, 1, s.Stats().Panics)
		p.join("/elsewhere", `{"key":1}`)
		require.Equal(t, "/elsewhere", receive(t, created))
		p.join("/open", "")
		require.Equal(t, "/open", receive(t, created))

		long := "/room-" + strings.Repeat("1", maxDynamicName)
		p.send("40" + long + ",")
		p.expect("44" + long + `,{"message":"Invalid namespace"}`)

		// Clients of one connection cannot ask twice at the same time.
		q := dial(t, s)
		q.send("40/room-2,", "40/room-2,")
		for got := q.next(); got != "close 1005"; got = q.next() {
			require.Contains(t, got, "40/room-2,")
		}

		// Registrations on the parent are for later children.
		byPattern.On("late", func(_ *Socket, e *Event) { _ = e.Ack("late") })
		p.join("/room-3", "")
		p.send(`42/room-1,1["late"]`, `42/room-3,2["late"]`)
		p.expect(`43/room-3,2["late"]`)

		of := s.Of("room-4")
		require.Same(t, byPattern, of.Parent())
		require.Same(t, of, s.Of("/room-4"))
		require.Nil(t, s.Of("/open ").Parent(), "a function needs the client's auth")
		p.join("/room-4", "")

		require.Equal(t, 3, byPattern.Len())
		require.Equal(t, 2, byFunc.Len())
		require.NoError(t, byPattern.Emit("all", 1))
		var got []string
		for range 3 {
			got = append(got, p.next())
		}
		require.ElementsMatch(t, []string{`42/room-1,["all",1]`, `42/room-3,["all",1]`,
			`42/room-4,["all",1]`}, got)
		require.ErrorIs(t, byPattern.Emit("connect"), ErrReserved)
		ctx := bounded(t)
		_, err := byPattern.FetchSockets(ctx)
		require.ErrorIs(t, err, ErrParent)
		_, err = byPattern.EmitWithAck(ctx, "x")
		require.ErrorIs(t, err, ErrParent)
		_, err = byPattern.Rooms(ctx)
		require.ErrorIs(t, err, ErrParent)

		k, err := byPattern.Socket(first)
		require.NoError(t, err, "a parent finds the sockets of its children")
		require.Equal(t, "/room-1", k.Namespace().Name())
		_, err = byFunc.Socket(first)
		require.ErrorIs(t, err, ErrNoSocket)

		byPattern.SocketsJoin("r")
		require.NoError(t, byPattern.To("r").Emit("in r"))
		for range 3 {
			require.Contains(t, p.next(), `["in r"]`)
		}
		byPattern.CloseRoom("r")
		require.NoError(t, byPattern.To("r").Emit("in r"))
		byPattern.DisconnectSockets(false)
		for range 3 {
			require.Contains(t, p.next(), "41/room-")
		}
		soon(t, "left", func() bool { return byPattern.Len() == 0 })
	})
}

func TestDynamicNamespacesAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxDynamicNamespaces: 2}, func(s *Server) {
		s.OfPattern(regexp.MustCompile(`^/d`))
	})
	p := dial(t, s)
	p.join("/d1", "")
	p.join("/d2", "")
	p.send("40/d3,")
	p.expect(`44/d3,{"message":"Too many namespaces"}`)
	require.EqualValues(t, 1, s.Stats().Drops["max_dynamic_namespaces"])
	s.Of("/d4") // the application's own are not the clients'
	p.join("/d4", "")
	p.send("41/d1,")
	soon(t, "left", func() bool { return s.Of("/d1").Len() == 0 })
	p.send("40/d5,")
	p.expect(`44/d5,{"message":"Too many namespaces"}`)
}

func TestBoundsOfNamesAreChecked(t *testing.T) {
	t.Parallel()
	for field, o := range map[string]Options{
		"MaxDynamicNamespaces": {MaxDynamicNamespaces: -1}, "MaxRooms": {MaxRooms: 1 << 40},
	} {
		_, err := NewServer(o)
		var bad *OptionError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, field, bad.Field)
	}
}

func TestEmptyChildrenAreRemoved(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		var parent *Namespace
		left := make(chan string, 4)
		s := serve(t, Options{Loops: loops, CleanupEmptyChildNamespaces: true, MaxDynamicNamespaces: 1},
			func(s *Server) {
				parent = s.OfPattern(regexp.MustCompile(`^/d`))
				parent.Use(func(k *Socket) error {
					if strings.Contains(string(k.Handshake().Auth), "no") {
						return errors.New("no")
					}
					return nil
				})
				parent.OnDisconnect(func(k *Socket, _ string) { left <- k.Namespace().Name() })
			})
		gone := func() {
			soon(t, "removed", func() bool { return len(parent.Children()) == 0 })
		}
		p := dial(t, s)
		p.join("/d1", "")
		first := parent.Children()[0]
		q := dial(t, s)
		q.join("/d1", "")
		p.send("41/d1,")
		require.Equal(t, "/d1", receive(t, left))
		require.Len(t, parent.Children(), 1)
		_ = q.conn.Close()
		require.Equal(t, "/d1", receive(t, left))
		gone()
		require.NotContains(t, s.Stats().Sockets, "/d1")
		p.send(`40/d2,{"a":"no"}`)
		p.expect(`44/d2,{"message":"no"}`)
		gone()
		p.join("/d1", "")
		require.NotSame(t, first, s.Of("/d1"))
		require.NoError(t, first.Emit("to nobody"))
		require.NoError(t, s.Of("/d1").Emit("here"))
		p.expect(`42/d1,["here"]`)
		p.send("41/d1,")
		receive(t, left)
		soon(t, "empty", func() bool { return s.Of("/d1").Len() == 0 })
		require.Len(t, parent.Children(), 1, "what Of returned stays")
		p.join("/d2", "") // and is not counted
	})
}

// Connections that come to and leave the same few names at the same time find
// each a working namespace.
func TestChildrenUnderChurn(t *testing.T) {
	t.Parallel()
	var parent *Namespace
	s := serve(t, Options{Loops: 2, CleanupEmptyChildNamespaces: true, MaxDynamicNamespaces: 8},
		func(s *Server) {
			parent = s.OfFunc(func(string, json.RawMessage) bool { return true })
			parent.On("who", func(k *Socket, e *Event) { _ = e.Ack(k.Namespace().Name()) })
		})
	var wg sync.WaitGroup
	for i := range 8 {
		p := dial(t, s)
		wg.Go(func() {
			for n := range 60 {
				name := fmt.Sprintf("/n%d", (i+n)%3)
				p.join(name, "")
				p.send(fmt.Sprintf(`42%s,%d["who"]`, name, n))
				p.expect(fmt.Sprintf(`43%s,%d["%s"]`, name, n, name))
				p.send("41" + name + ",")
			}
		})
	}
	wg.Wait()
	soon(t, "all removed", func() bool { return len(parent.Children()) == 0 })
	s.namespaces.mu.RLock()
	defer s.namespaces.mu.RUnlock()
	require.Zero(t, s.namespaces.dynamic)
	require.Len(t, s.namespaces.nums, len(s.namespaces.byName))
}

// The hook runs before the first client is let in, also into a namespace that
// another client's CONNECT is making.
func TestNewNamespaceHookComesFirst(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	entered := make(chan struct{})
	s := serve(t, Options{Loops: 2}, func(s *Server) {
		s.OfPattern(regexp.MustCompile(`^/d$`))
		s.OnNewNamespace(func(n *Namespace) {
			require.Same(t, n, n.Server().Of(n.Name()), "it may be asked for")
			close(entered)
			<-hold
			n.OnConnection(func(k *Socket) { _ = k.Emit("hooked") })
		})
	})
	a, b := dial(t, s), dial(t, s)
	a.send("40/d,")
	receive(t, entered)
	b.send("40/d,")
	b.nothing()
	close(hold)
	for _, p := range []*peer{a, b} {
		require.Contains(t, p.next(), "40/d,{")
		p.expect(`42/d,["hooked"]`)
	}
}

func TestLeavingWhileANamespaceIsSought(t *testing.T) {
	t.Parallel()
	hold, entered := make(chan struct{}), make(chan struct{}, 4)
	var parent *Namespace
	s := serve(t, Options{CleanupEmptyChildNamespaces: true}, func(s *Server) {
		parent = s.OfFunc(func(string, json.RawMessage) bool {
			entered <- struct{}{}
			<-hold
			return true
		})
	})
	p := dial(t, s)
	p.send("40/x,")
	receive(t, entered)
	_ = p.conn.Close()
	soon(t, "closed", func() bool { return s.Stats().Connections == 0 })
	close(hold)
	soon(t, "made and removed", func() bool {
		s.namespaces.mu.RLock()
		defer s.namespaces.mu.RUnlock()
		return s.namespaces.next == 2 && len(parent.kids) == 0
	})
	require.Empty(t, parent.Children())
}

// A second CONNECT breaks the rules also when another client has brought the
// namespace into being meanwhile.
func TestConnectingTwiceWhileANamespaceIsSought(t *testing.T) {
	t.Parallel()
	hold, entered := make(chan struct{}), make(chan struct{}, 4)
	var parent *Namespace
	s := serve(t, Options{Loops: 2}, func(s *Server) {
		parent = s.OfFunc(func(_ string, auth json.RawMessage) bool {
			if string(auth) == "{}" {
				entered <- struct{}{}
				<-hold
			}
			return true
		})
	})
	p, q := dial(t, s), dial(t, s)
	p.send("40/x,")
	receive(t, entered)
	q.join("/x", `{"fast":1}`)
	p.send("40/x,")
	p.expect("close 1005")
	close(hold)
	q.send("41/x,")
	soon(t, "nobody is in", func() bool { return parent.Len() == 0 })
}
