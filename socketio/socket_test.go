package socketio

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/gobwas/ws"
)

func TestConnectionFitsItsSizeClass(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(client{}), uintptr(240))
	require.Greater(t, unsafe.Sizeof(client{}), uintptr(224), "see its last field")
	t.Logf("client %d, socket %d, event %d, emission %d, fanout %d bytes",
		unsafe.Sizeof(client{}), unsafe.Sizeof(Socket{}), unsafe.Sizeof(roomyEvent{}),
		unsafe.Sizeof(emission{}), unsafe.Sizeof(fanout{}))
}

func TestConnectEmitAck(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) {
		s.OnConnection(func(k *Socket) { _ = k.Emit("hello", k.ID(), 1) })
		s.On("echo", func(k *Socket, e *Event) { _ = k.Emit("echo", e.Raw()...) })
		OnAck(s, "sum", func(_ context.Context, _ *Socket, in []int) (int, error) {
			n := 0
			for _, v := range in {
				n += v
			}
			return n, nil
		})
	})
	p := connect(t, s)
	p.expect(`42["hello","` + p.sid + `",1]`)
	p.send(`42["echo","a",{"z":1,"b":[1.50,"<\u2028>"]}]`)
	p.expect(`42["echo","a",{"z":1,"b":[1.50,"<\u2028>"]}]`)
	p.send(`427["sum",[1,2,3]]`)
	p.expect(`437[6]`)
	p.send(`42007["sum",[]]`)
	p.expect(`437[0]`)
	p.send(`428["sum","no list"]`)
	p.expect(`438[{"error":"invalid argument"}]`)
	p.send(`42`, `42["nobody listens",1]`, `429["nobody listens"]`)
	p.send(`42["echo"]`)
	p.expect(`42["echo"]`)
}

func TestHandlerErrorsAreAnswered(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 8)
	s := serve(t, Options{OnError: func(_ *Socket, _ string, err error) any {
		errs <- err
		if err.Error() == "custom" {
			return "from hook"
		}
		return nil
	}}, func(s *Server) {
		OnAck(s, "fail", func(_ context.Context, _ *Socket, kind string) (int, error) {
			switch kind {
			case "meant":
				return 0, &Error{Message: "no such room", Data: 4}
			case "panic":
				panic("boom")
			}
			return 0, errors.New(kind)
		})
		On(s, "plain", func(*Socket, string) error { return errors.New("quiet") })
	})
	p := connect(t, s)
	p.send(`421["fail","meant"]`)
	p.expect(`431[{"error":"no such room","data":4}]`)
	require.EqualError(t, receive(t, errs), "no such room")
	p.send(`422["fail","password"]`)
	p.expect(`432[{"error":"internal error"}]`)
	require.EqualError(t, receive(t, errs), "password")
	p.send(`423["fail","panic"]`)
	p.expect(`433[{"error":"internal error"}]`)
	var panicked *PanicError
	require.ErrorAs(t, receive(t, errs), &panicked)
	require.Equal(t, "boom", panicked.Value)
	require.Contains(t, string(panicked.Stack), "TestHandlerErrorsAreAnswered")
	p.send(`424["fail","custom"]`)
	p.expect(`434["from hook"]`)
	receive(t, errs)
	p.send(`425["plain","x"]`)
	require.EqualError(t, receive(t, errs), "quiet")
	p.nothing()
}

func TestInvalidPacketsCloseTheConnection(t *testing.T) {
	t.Parallel()
	reasons := make(chan string, 64)
	s := serve(t, Options{}, func(s *Server) {
		s.OnDisconnect(func(_ *Socket, reason string) { reasons <- reason })
	})
	for _, bad := range []string{
		"47[1]", "4abc", "4", "42{}", "42[]", "42[true]", `42["a"`, `43"x"`, "41{}", `40"s"`,
		"40[1]",
		"40null", `42["connect"]`, `42["disconnecting"]`, "42-1[1]", `42abc["a"]`, `45["a"]`,
		`450-["a"]`, `4511-["a"]`, "40", `42/other,["a"]`, "41/other,", `43/other,1[]`,
		`44{"message":"x"}`,
	} {
		p := connect(t, s)
		p.send(bad)
		require.Equal(t, "close 1005", p.next(), bad)
		require.Equal(t, "forced close", receive(t, reasons), bad)
	}
	for bad, reason := range map[string]string{"x": "parse error", "2": "transport error",
		"": "parse error", "1": "transport close"} {
		p := connect(t, s)
		p.send(bad)
		p.expect("close 1005")
		require.Equal(t, reason, receive(t, reasons), bad)
	}
	t.Run("before joining", func(t *testing.T) {
		for _, bad := range []string{`42["a"]`, "41"} {
			p := dial(t, s)
			p.send(bad)
			p.expect("close 1005")
		}
	})
	t.Run("event behind its CONNECT", func(t *testing.T) {
		s := serve(t, Options{}, func(s *Server) {
			s.Use(func(*Socket) error { time.Sleep(quiet); return nil })
		})
		p := dial(t, s)
		p.send("40", `42["early"]`)
		p.expect("close 1005")
	})
	t.Run("binary", func(t *testing.T) {
		p := connect(t, s)
		p.write(ws.OpBinary, []byte("x"))
		p.expect("close 1005")
		p = connect(t, s)
		p.send(`451-["a",{"_placeholder":true,"num":0}]`, `42["b"]`)
		p.expect("close 1005")
		p = connect(t, s)
		p.send(`451-["a",{"_placeholder":true,"num":7}]`)
		p.write(ws.OpBinary, []byte("x"))
		p.expect("close 1005")
	})
	require.NotZero(t, s.Stats().Drops["invalid_packet"])
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	left := make(chan string, 8)
	s := serve(t, Options{MaxNamespaces: 2}, func(s *Server) {
		s.On("ping", func(k *Socket, _ *Event) { _ = k.Emit("pong", "/") })
		for _, name := range []string{"a", "/b"} {
			n := s.Of(name)
			n.On("ping", func(k *Socket, _ *Event) { _ = k.Emit("pong", n.Name()) })
			n.OnDisconnect(func(k *Socket, reason string) { left <- n.Name() + " " + reason })
		}
	})
	require.Same(t, s.Of("/a"), s.Of("a"))
	p := dial(t, s)
	p.send("40/nope", "40/a?x=1,")
	p.expect(`44/nope,{"message":"Invalid namespace"}`, `44/a?x=1,{"message":"Invalid namespace"}`)
	p.join("/a", "")
	first := p.join("/", "")
	p.send("40/b,")
	p.expect(`44/b,{"message":"Too many namespaces"}`)
	p.send(`42/a,["ping"]`, `42["ping"]`)
	got := []string{p.next(), p.next()}
	require.ElementsMatch(t, []string{`42/a,["pong","/a"]`, `42["pong","/"]`}, got)
	p.send("41/a,")
	require.Equal(t, "/a client namespace disconnect", receive(t, left))
	p.send(`42["ping"]`)
	p.expect(`42["pong","/"]`)
	p.send("41")
	soon(t, "left", func() bool { return s.Stats().Sockets["/"] == 0 })
	require.NotEqual(t, first, p.join("/", ""))
	p.send(`42["ping"]`)
	p.expect(`42["pong","/"]`)
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	never := make(chan string, 4)
	s := serve(t, Options{}, func(s *Server) {
		s.Use(func(k *Socket) error {
			var auth struct{ Token string }
			if err := k.Handshake().DecodeAuth(&auth); err != nil {
				return err
			}
			switch auth.Token {
			case "plain":
				return errors.New("not you")
			case "data":
				return &Error{Message: "nope", Data: map[string]int{"code": 7}}
			case "panic":
				panic("x")
			}
			k.Join("early")
			return k.Emit("before", auth.Token)
		})
		s.Use(func(k *Socket) error { k.SetData("second"); return nil })
		s.OnConnection(func(k *Socket) {
			_ = k.Emit("rooms", k.Rooms(), k.Data(), k.Handshake().Header.Get("X-Test"))
		})
		s.OnDisconnect(func(_ *Socket, r string) { never <- r })
	})
	p := dial(t, s)
	p.send(`40{"token":"plain"}`)
	p.expect(`44{"message":"not you"}`)
	p.send(`40{"token":"data"}`)
	p.expect(`44{"message":"nope","data":{"code":7}}`)
	p.send(`40{"token":"panic"}`)
	p.expect(`44{"message":"internal error"}`)
	p.send(`40{"token":5}`)
	require.Contains(t, p.next(), `44{"message":"json: cannot unmarshal`)
	p.send(`40{"token":"ok"}`)
	p.expect(`42["before","ok"]`)
	got := p.next()
	require.True(t, strings.HasPrefix(got, `40{"sid":"`), got)
	sid := got[len(`40{"sid":"`):][:20]
	p.expect(fmt.Sprintf(`42["rooms",["%s","early"],"second","yes"]`, sid))
	select {
	case r := <-never:
		require.Fail(t, "a refused socket has no disconnect", r)
	default:
	}
}

func TestDisconnectRunsOnceAndLast(t *testing.T) {
	t.Parallel()
	type item struct{ what, reason, rooms string }
	log := make(chan item, 16)
	hold := make(chan struct{})
	ready := make(chan *Socket, 1)
	s := serve(t, Options{}, func(s *Server) {
		s.OnConnection(func(k *Socket) {
			k.Join("r")
			k.OnDisconnect(func(k *Socket, r string) {
				log <- item{"own", r, fmt.Sprint(len(k.Rooms()), k.Connected())}
			})
			ready <- k
		})
		s.On("slow", func(*Socket, *Event) { <-hold; log <- item{what: "slow"} })
		s.OnDisconnecting(func(k *Socket, r string) {
			log <- item{"disconnecting", r, fmt.Sprint(len(k.Rooms()), k.Connected())}
		})
		s.OnDisconnect(func(k *Socket, r string) {
			k.Disconnect(true) // re-entrant: nothing happens
			log <- item{"disconnect", r, fmt.Sprint(len(k.Rooms()), k.Connected())}
		})
	})
	p := connect(t, s)
	k := receive(t, ready)
	soon(t, "in the room", func() bool { return len(k.Rooms()) == 2 })
	p.send(`42["slow"]`, "41")
	soon(t, "left", func() bool { return s.Stats().Sockets["/"] == 0 })
	_ = p.conn.Close()
	close(hold)
	const reason = "client namespace disconnect"
	require.Equal(t, item{what: "slow"}, receive(t, log))
	require.Equal(t, item{"disconnecting", reason, "2 true"}, receive(t, log))
	require.Equal(t, item{"disconnect", reason, "0 false"}, receive(t, log))
	require.Equal(t, item{"own", reason, "0 false"}, receive(t, log))
	require.Empty(t, log)
}

// Joining and leaving in a loop must not pile up work behind a slow handler.
func TestJoinAndLeaveIsBounded(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	var left atomic.Int32
	s := serve(t, Options{MaxNamespaces: 4}, func(s *Server) {
		s.OnConnection(func(*Socket) { <-hold })
		s.OnDisconnect(func(*Socket, string) { left.Add(1) })
	})
	p := dial(t, s)
	for range 10 {
		p.send("40", "41")
	}
	for got := p.next(); got != "close 1005"; got = p.next() {
		require.True(t, strings.HasPrefix(got, `40{"sid"`), got)
	}
	close(hold)
	soon(t, "all have left", func() bool { return left.Load() == 4 })
	require.EqualValues(t, 1, s.Stats().Drops["max_namespaces"])
}

func TestServerDisconnects(t *testing.T) {
	t.Parallel()
	reasons := make(chan string, 8)
	s := serve(t, Options{}, func(s *Server) {
		for _, n := range []*Namespace{s.Of("/"), s.Of("/x")} {
			n.OnDisconnect(func(k *Socket, r string) { reasons <- n.Name() + " " + r })
			n.On("bye", func(k *Socket, e *Event) {
				var all bool
				_ = e.Bind(&all)
				k.Disconnect(all)
			})
			n.On("after", func(k *Socket, _ *Event) { reasons <- "handled after Disconnect" })
		}
	})
	p := connect(t, s)
	p.join("/x", "")
	p.send(`42/x,["bye",false]`)
	p.expect("41/x,")
	require.Equal(t, "/x server namespace disconnect", receive(t, reasons))
	p.join("/x", "")
	p.send(`42["bye",true]`, `42["after"]`)
	require.ElementsMatch(t, []string{"41", "41/x,"}, []string{p.next(), p.next()})
	p.expect("close 1005")
	require.ElementsMatch(t, []string{"/ server namespace disconnect",
		"/x server namespace disconnect"}, []string{receive(t, reasons), receive(t, reasons)})
}

func TestShutdownReason(t *testing.T) {
	t.Parallel()
	reasons := make(chan string, 8)
	s := serve(t, Options{}, func(s *Server) {
		s.OnDisconnect(func(_ *Socket, r string) { reasons <- r })
	})
	p := connect(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
	p.expect("close 1005")
	require.Equal(t, "server shutting down", receive(t, reasons))
	require.NoError(t, s.Wait())
	_, err := s.FetchSockets(ctx)
	require.ErrorIs(t, err, ErrNotStarted)
}

// A second Shutdown has nothing to do, and nobody stays behind to wait for
// loops that have ended.
func TestShutdownAgain(t *testing.T) {
	s := serve(t, Options{}, nil)
	connect(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, s.Shutdown(ctx))
	before := runtime.NumGoroutine()
	for range 20 {
		require.NoError(t, s.Shutdown(ctx))
	}
	soon(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{ConnectTimeout: 200 * time.Millisecond}, nil)
	stays := connect(t, s)
	p := dial(t, s)
	p.send("40/nope")
	p.expect(`44/nope,{"message":"Invalid namespace"}`, "close 1005")
	require.EqualValues(t, 1, s.Stats().Drops["connect_timeout"])
	stays.nothing()
}

func TestHandshakeIsReleased(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		got := make(chan *Socket, 1)
		s := serve(t, Options{KeepHeaders: []string{"x-test"}, KeepHandshake: keep}, func(s *Server) {
			s.OnConnection(func(k *Socket) { got <- k })
			s.Of("/later").OnConnection(func(k *Socket) { got <- k })
		})
		p := dial(t, s)
		p.join("/", `{"a":1}`)
		for _, ns := range []string{"/", "/later"} {
			if ns != "/" {
				p.join(ns, `{"b":2}`)
			}
			k := receive(t, got)
			soon(t, "connection handlers done", func() bool { return k.is(stRan) })
			h := k.Handshake()
			require.Equal(t, "yes", h.Header.Get("X-Test"))
			if keep {
				require.Equal(t, "no", h.Header.Get("X-Other"))
				require.Equal(t, "websocket", h.Query.Get("transport"))
				continue
			}
			// By its auth, which every namespace has: the first one freed the
			// head, and the second's has no X-Other to lose.
			soon(t, "released", func() bool { return string(k.Handshake().Auth) == "{}" })
			require.Empty(t, k.Handshake().Header.Get("X-Other"))
		}
	}
}

func TestReservedNames(t *testing.T) {
	t.Parallel()
	got := make(chan *Socket, 1)
	s := serve(t, Options{}, func(s *Server) {
		s.OnConnection(func(k *Socket) { got <- k })
	})
	connect(t, s)
	k := receive(t, got)
	require.ErrorIs(t, k.Emit("connect"), ErrReserved)
	require.ErrorIs(t, s.Emit("disconnect"), ErrReserved)
	require.Error(t, s.Emit("x", func() {}))
	blobs := make([]any, 11)
	for i := range blobs {
		blobs[i] = []byte{1}
	}
	require.ErrorIs(t, k.Emit("x", blobs...), ErrTooManyAttachments)
}
