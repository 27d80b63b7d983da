package socketio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListenersComeAndGo(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 64)
	note := func(what string) func(*Socket, *Event) {
		return func(_ *Socket, e *Event) { seen <- what + " " + e.Name() }
	}
	var offAny, offOn, offGuard func()
	var n *Namespace
	s := serve(t, Options{}, func(s *Server) {
		n = s.Of("/")
		offAny = n.OnAny(note("any"))
		n.PrependAny(note("first"))
		offGuard = n.UseEvent(func(_ *Socket, e *Event) error {
			seen <- "guard " + e.Name()
			return nil
		})
		offOn = n.On("x", note("one"))
		n.On("x", note("two"))
		n.On("x", note("once"), Once())
		n.On("x", note("inline once"), Once(), Inline())
		n.OnUnhandled(note("unhandled"))
		n.OnConnection(func(k *Socket) {
			k.OnAny(note("own any"))
			k.PrependAny(note("own first"))
			k.UseEvent(func(_ *Socket, e *Event) error {
				seen <- "own guard " + e.Name()
				return nil
			})
			k.On("x", note("own"))
			k.OnUnhandled(note("own unhandled"))
		})
	})
	p := connect(t, s)
	expect := func(event string, want ...string) {
		t.Helper()
		p.send(`42["` + event + `"]`)
		for _, w := range want {
			require.Equal(t, w+" "+event, receive(t, seen))
		}
	}
	begin := []string{"first", "any", "own first", "own any", "guard", "own guard"}
	expect("x", append(begin, "one", "two", "once", "inline once", "own")...)
	expect("y", append(begin, "unhandled", "own unhandled")...)
	offOn()
	offOn() // again: nothing
	expect("x", append(begin, "two", "own")...)
	offAny()
	offGuard()
	expect("x", "first", "own first", "own any", "own guard", "two", "own")
	n.Off("x")
	n.OffAny()
	expect("x", "own first", "own any", "own guard", "own")
	k, err := n.Socket(p.sid)
	require.NoError(t, err)
	k.OffAny()
	k.Off("x")
	expect("x", "own guard", "unhandled", "own unhandled")
	n.On("z", note("z"))
	k.On("z", note("own z"))
	n.OffAll()
	expect("z", "own guard", "own z")
	k.OffAll()
	expect("z", "own guard", "unhandled", "own unhandled")
	require.Empty(t, seen)
}

// Once on a namespace is once for all sockets, however many send at a time.
func TestOnceIsOnce(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		ran := make(chan string, 64)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.On("x", func(k *Socket, _ *Event) { ran <- k.ID() }, Once())
			On(s, "typed", func(k *Socket, _ string) error { ran <- "typed"; return nil }, Once())
			s.On("done", func(_ *Socket, e *Event) { _ = e.Ack() })
		})
		var peers []*peer
		for range 8 {
			peers = append(peers, connect(t, s))
		}
		for _, p := range peers {
			p.send(`42["x"]`, `42["typed"]`, `42["x"]`, `420["done"]`)
		}
		for _, p := range peers {
			p.expect("430[]")
		}
		require.Len(t, ran, 2)
	})
}

func TestErrorHandlersByLevel(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{OnError: func(_ *Socket, event string, err error) any {
		return "options " + event + " " + err.Error()
	}}, func(s *Server) {
		fail := func(context.Context, *Socket, any) (int, error) { return 0, errors.New("e") }
		s.UseEvent(func(_ *Socket, e *Event) error {
			if e.Name() == "guarded" {
				return errors.New("kept out")
			}
			return nil
		})
		OnAck(s, "guarded", fail)
		OnAck(s, "fail", fail)
		n := s.Of("/n")
		OnAck(n, "fail", fail)
		On(n, "panics", func(*Socket, any) error { panic("p") })
		n.OnError(func(_ *Socket, event string, err error) any {
			return "namespace " + event + " " + err.Error()
		})
		OnAck(n, "own", func(_ context.Context, k *Socket, take bool) (int, error) {
			if take {
				k.OnError(func(_ *Socket, event string, _ error) any { return "socket " + event })
			} else {
				k.OnError(nil)
			}
			return 0, nil
		})
	})
	p := connect(t, s)
	p.send(`420["fail"]`, `421["guarded"]`)
	p.expect(`430["options fail e"]`, `431["options guarded kept out"]`)
	p.join("/n", "")
	p.send(`42/n,0["fail"]`, `42/n,1["own",true]`, `42/n,2["fail"]`, `42/n,3["own",false]`,
		`42/n,4["panics"]`)
	p.expect(`43/n,0["namespace fail e"]`, `43/n,1[0]`, `43/n,2["socket fail"]`, `43/n,3[0]`,
		`43/n,4["namespace panics socketio: handler panicked: p"]`)
	s.Of("/n").OnError(nil)
	p.send(`42/n,5["fail"]`)
	p.expect(`43/n,5["options fail e"]`)
}

func TestTypedHandlersOfSeveralArguments(t *testing.T) {
	t.Parallel()
	type point struct{ X int }
	errs := make(chan error, 4)
	s := serve(t, Options{OnError: func(_ *Socket, _ string, err error) any {
		errs <- err
		return nil
	}}, func(s *Server) {
		On2(s, "two", func(k *Socket, a string, b []byte) error { return k.Emit("got", a, string(b)) })
		On3(s, "three", func(k *Socket, a int, b bool, c point) error {
			return k.Emit("got", a, b, c.X)
		})
		On4(s, "four", func(k *Socket, a, b, c, d int) error { return k.Emit("got", a+b+c+d) })
		OnAck2(s, "ack2", func(_ context.Context, _ *Socket, a, b int) (int, error) {
			if b == 0 {
				return 0, &Error{Message: "by zero"}
			}
			return a / b, nil
		})
		OnAck3(s, "ack3", func(_ context.Context, _ *Socket, a, b string, c []string) (string, error) {
			return a + b + strings.Join(c, ""), nil
		})
	})
	p := connect(t, s)
	p.send(`451-["two","a",{"_placeholder":true,"num":0}]`)
	p.write(2, []byte("bin"))
	p.expect(`42["got","a","bin"]`)
	p.send(`42["three",1,true,{"X":7},"surplus"]`, `42["three",1]`)
	p.expect(`42["got",1,true,7]`, `42["got",1,false,0]`)
	p.send(`42["four",1,2,3,4]`)
	p.expect(`42["got",10]`)
	p.send(`420["ack2",6,3]`, `421["ack2",6]`, `422["ack2",6,"x"]`)
	p.expect(`430[2]`, `431[{"error":"by zero"}]`, `432[{"error":"invalid argument"}]`)
	p.send(`423["ack3","a","b",["c","d"]]`)
	p.expect(`433["abcd"]`)
	p.send(`42["two",1]`)
	receive(t, errs)
	receive(t, errs)
	var arg *ArgumentError
	require.ErrorAs(t, receive(t, errs), &arg)
}

func TestOutgoingCatchAll(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		own := make(chan string, 64)
		all := make(chan string, 64)
		var n *Namespace
		var offOwn func()
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			n = s.Of("/n")
			n.OnAnyOutgoing(func(k *Socket, e *Event) {
				who := "all"
				if k != nil {
					who = "one"
				}
				all <- fmt.Sprintf("%s %s %s %d", who, e.Name(), e.args.JSON, len(e.Attachments()))
			})
			n.OnConnection(func(k *Socket) {
				offOwn = k.OnAnyOutgoing(func(k *Socket, e *Event) {
					require.NoError(t, e.Ack("nothing is sent"))
					require.False(t, e.WantsAck())
					own <- fmt.Sprintf("%s %s %q", e.Name(), e.args.JSON, e.Attachments())
				})
				k.PrependAnyOutgoing(func(_ *Socket, e *Event) { own <- "first" })
			})
			n.On("echo", func(_ *Socket, e *Event) { _ = e.Ack("acks are not shown") })
		})
		p := dial(t, s)
		id := p.join("/n", "")
		p.send(`42/n,0["echo"]`)
		p.expect(`43/n,0["acks are not shown"]`)
		k, err := n.Socket(id)
		require.NoError(t, err)
		big := strings.Repeat("x", 70_000)
		mid := strings.Repeat("y", 300)
		require.NoError(t, k.Emit("bin", 1, []byte("ab"), "z", []byte{}))
		require.NoError(t, n.Emit("big", big))
		require.NoError(t, n.Emit("mid", mid))
		require.NoError(t, n.To("nobody").Emit("away"))
		require.NoError(t, n.Emit("q\"", nil))
		go func() { _, _ = k.EmitWithAck(bounded(t), "ask", 5) }()
		const att = `{"_placeholder":true,"num":`
		for _, want := range []string{
			`bin 1,` + att + `0},"z",` + att + `1} ["ab" ""]`,
			`big "` + big + `" []`, `mid "` + mid + `" []`, `q" null []`, `ask 5 []`,
		} {
			require.Equal(t, "first", receive(t, own))
			require.Equal(t, want, receive(t, own))
		}
		for _, want := range []string{
			`one bin 1,` + att + `0},"z",` + att + `1} 2`, `all big "` + big + `" 0`,
			`all mid "` + mid + `" 0`, `all away  0`, `all q" null 0`, `one ask 5 0`,
		} {
			require.Equal(t, want, receive(t, all))
		}
		offOwn()
		k.OffAnyOutgoing()
		n.PrependAnyOutgoing(func(*Socket, *Event) { panic("on purpose") })
		require.NoError(t, n.Emit("still sent"))
		require.Equal(t, `all still sent  0`, receive(t, all))
		n.OffAnyOutgoing()
		require.NoError(t, k.Emit("unseen"))
		for got := ""; got != `42/n,["unseen"]`; got = p.next() {
		}
		require.Empty(t, own)
		require.Empty(t, all)
		soon(t, "budgets are given back", func() bool { return s.Stats().MailboxBytes == 0 })
		require.EqualValues(t, 1, s.Stats().Panics)
	})
}

// A slow handler of outgoing events costs its own view, not memory or the
// connection.
func TestOutgoingCatchAllIsBounded(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	seen := make(chan struct{}, 64)
	got := make(chan *Socket, 1)
	s := serve(t, Options{MailboxEvents: 10}, func(s *Server) {
		s.OnConnection(func(k *Socket) {
			k.OnAnyOutgoing(func(*Socket, *Event) { <-hold; seen <- struct{}{} })
			got <- k
		})
	})
	p := connect(t, s)
	k := receive(t, got)
	for range 30 {
		require.NoError(t, k.Emit("x"))
	}
	for range 30 {
		p.expect(`42["x"]`)
	}
	require.EqualValues(t, 20, s.Stats().Drops["outgoing_listener"])
	close(hold)
	for range 10 {
		receive(t, seen)
	}
	require.Empty(t, seen)
}
