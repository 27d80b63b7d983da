package socketio

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSocketsByID(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		reasons := make(chan string, 8)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnConnection(func(k *Socket) { k.Join("a", "b") })
			s.OnDisconnect(func(_ *Socket, r string) { reasons <- r })
			s.Of("/n").OnDisconnect(func(_ *Socket, r string) { reasons <- r })
		})
		p, q := connect(t, s), connect(t, s)
		id := p.join("/n", "")
		for _, peer := range []*peer{p, q} {
			k, err := s.Socket(peer.sid)
			require.NoError(t, err)
			require.Equal(t, peer.sid, k.ID())
		}
		for _, wrong := range []string{"", "nobody", id, strings.Repeat("A", 20)} {
			_, err := s.Socket(wrong)
			require.ErrorIs(t, err, ErrNoSocket, wrong)
		}
		soon(t, "joined", func() bool {
			rooms, err := s.RoomsOf(p.sid)
			require.NoError(t, err)
			return fmt.Sprint(rooms) == fmt.Sprint([]string{p.sid, "a", "b"})
		})
		ctx := bounded(t)
		soon(t, "both joined", func() bool {
			rooms, err := s.Rooms(ctx)
			require.NoError(t, err)
			return fmt.Sprint(rooms) == "map[a:2 b:2]"
		})
		ids, err := s.AllSockets(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{p.sid, q.sid}, ids)

		answer := make(chan any, 1)
		go func() {
			a, err := s.Call(context.Background(), p.sid, "question", 1)
			if err != nil {
				answer <- err
				return
			}
			var n int
			answer <- a.Bind(&n)
			answer <- n
		}()
		p.expect(`420["question",1]`)
		p.send(`430[42]`)
		require.Nil(t, receive(t, answer))
		require.Equal(t, 42, receive(t, answer))
		_, err = s.Call(ctx, "nobody", "question")
		require.ErrorIs(t, err, ErrNoSocket)
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = s.Call(short, p.sid, "question")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.Rooms(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		p.expect(`421["question"]`)

		s.Disconnect("nobody", false)
		s.Disconnect(id, false) // of another namespace
		s.Of("/n").Disconnect(id, false)
		p.expect("41/n,")
		require.Equal(t, ReasonServerDisconnect, receive(t, reasons))
		s.Disconnect(p.sid, true)
		p.expect("41", "close 1005")
		require.Equal(t, ReasonServerDisconnect, receive(t, reasons))
		_, err = s.Socket(p.sid)
		require.ErrorIs(t, err, ErrNoSocket)
		_, err = s.RoomsOf(p.sid)
		require.ErrorIs(t, err, ErrNoSocket)
		q.nothing()
	})
}

func TestRoomsAreCountedInSlices(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 2, MaxRooms: -1}, nil)
	const n = 3*walkSlice + 7
	_, sockets := crowd(t, s, 2)
	for _, k := range sockets {
		for i := range n {
			k.Join(fmt.Sprint(i))
		}
	}
	rooms, err := s.Rooms(bounded(t))
	require.NoError(t, err)
	require.Len(t, rooms, n)
	for name, members := range rooms {
		require.Equal(t, 2, members, name)
	}
}

func TestMaxRooms(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxRooms: 3}, func(s *Server) {
		s.Of("/early").Use(func(k *Socket) error { k.Join("1", "2", "3", "4"); return nil })
	})
	_, sockets := crowd(t, s, 1)
	k := sockets[0]
	k.Join("a", "b", "c", "d", "a", k.ID())
	require.Equal(t, []string{k.ID(), "a", "b", "c"}, k.Rooms())
	require.EqualValues(t, 1, s.Stats().Drops["max_rooms"])
	k.Leave("a")
	s.All().SocketsJoin("d", "e")
	require.Equal(t, []string{k.ID(), "c", "b", "d"}, k.Rooms())
	require.EqualValues(t, 2, s.Stats().Drops["max_rooms"])

	p := dial(t, s)
	id := p.join("/early", "")
	rooms, err := s.Of("/early").RoomsOf(id)
	require.NoError(t, err)
	require.Equal(t, []string{id, "1", "2", "3"}, rooms)
}

func TestRoomHooks(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		log := make(chan string, 1<<14)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnCreateRoom(func(room string) { log <- "create " + room })
			s.OnDeleteRoom(func(room string) { log <- "delete " + room })
			s.OnJoinRoom(func(room, id string) { log <- "join " + room + " " + id })
			s.OnLeaveRoom(func(room, id string) { log <- "leave " + room + " " + id })
			s.Of("/other").OnConnection(func(k *Socket) { k.Join("r") })
		})
		peers, sockets := crowd(t, s, 4)
		peers[0].join("/other", "")
		a, b := sockets[0], sockets[1]
		expect := func(want ...string) {
			t.Helper()
			for _, w := range want {
				require.Equal(t, w, receive(t, log))
			}
		}
		a.Join("r", "r")
		expect("create r", "join r "+a.ID())
		b.Join("r")
		expect("join r " + b.ID())
		a.Leave("r", "never in")
		expect("leave r " + a.ID())
		s.CloseRoom("r")
		expect("leave r "+b.ID(), "delete r")
		b.Join("last")
		expect("create last", "join last "+b.ID())
		b.Disconnect(true)
		expect("leave last "+b.ID(), "delete last")

		// Whatever happens on the loops at the same time, the story is whole.
		for i := range 200 {
			for _, k := range []*Socket{a, sockets[2], sockets[3]} {
				k.Join("busy")
				if i%3 > 0 {
					k.Leave("busy")
				}
			}
		}
		for _, k := range []*Socket{a, sockets[2], sockets[3]} {
			k.Leave("busy")
		}
		exists, members := false, 0
		for ended := 0; ended < 1 || members > 0 || exists; {
			switch what := strings.Fields(receive(t, log)); what[0] {
			case "create":
				require.False(t, exists)
				exists = true
			case "join":
				require.True(t, exists)
				members++
			case "leave":
				members--
			case "delete":
				require.True(t, exists)
				require.Zero(t, members)
				exists = false
			}
			if rooms, err := s.Rooms(bounded(t)); err == nil && len(rooms) == 0 && len(log) == 0 {
				ended = 1
			}
		}
	})
}

// Hooks that do not keep up are not told of everything, and cost a bounded
// memory.
func TestRoomHooksAreBounded(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	told := make(chan string, 8)
	s := serve(t, Options{Loops: 1}, func(s *Server) {
		s.OnJoinRoom(func(room, _ string) { told <- room; <-hold })
	})
	_, sockets := crowd(t, s, 1)
	k := sockets[0]
	k.Join("first")
	require.Equal(t, "first", receive(t, told))
	w := &s.root.watch
	w.mu.Lock()
	w.queue = append(w.queue, make([]roomChange, maxRoomEvents)...)
	w.mu.Unlock()
	k.Join("second")
	require.Len(t, k.Rooms(), 3)
	require.EqualValues(t, 1, s.Stats().Drops["room_events"])
	close(hold)
	soon(t, "told", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.busy
	})
	k.Leave("second")
	k.Join("second")
	require.Equal(t, "second", receive(t, told), "they go on")
}

func TestConnIsAView(t *testing.T) {
	t.Parallel()
	loopCounts(t, func(t *testing.T, loops int) {
		reasons := make(chan string, 4)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnDisconnect(func(_ *Socket, r string) { reasons <- r })
		})
		p := dialRaw(t, s, "")
		open := p.next()
		p.join("/", "")
		k, err := s.Socket(p.sid)
		require.NoError(t, err)
		c := k.Conn()
		require.Contains(t, open, `"sid":"`+c.ID()+`"`)
		require.NotEqual(t, k.ID(), c.ID())
		require.Equal(t, "websocket", c.Transport())
		require.Equal(t, 4, c.Protocol())
		require.Equal(t, p.conn.LocalAddr().String(), c.RemoteAddr().String())
		s.Of("/n")
		p.join("/n", "")
		require.Len(t, c.Sockets(), 2)
		c.Close()
		p.expect("close 1005")
		require.Equal(t, "forced close", receive(t, reasons))
		soon(t, "gone", func() bool { return c.RemoteAddr() == nil })
		require.Empty(t, c.Sockets())
	})
}

func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	errs := make(chan *ConnectionError, 64)
	s := serve(t, Options{AllowRequest: func(r *http.Request) error {
		if r.URL.Query().Has("refuse") {
			return fmt.Errorf("not you")
		}
		return nil
	}}, func(s *Server) {
		s.HandleFunc("/page", func(http.ResponseWriter, *http.Request) {})
		s.OnConnectionError(func(e *ConnectionError) { errs <- e })
		s.OnConnectionError(func(*ConnectionError) { panic("on purpose") })
	})
	base := fmt.Sprintf("http://%s/socket.io/?", s.Addr())
	for _, c := range []struct {
		query, method string
		header        [2]string
		code          int
		context       map[string]string
	}{
		{"EIO=4&transport=pigeon", "GET", [2]string{}, CodeUnknownTransport,
			map[string]string{"transport": "pigeon"}},
		{"EIO=4&transport=websocket&sid=abc", "GET", [2]string{}, CodeUnknownSession,
			map[string]string{"sid": "abc"}},
		{"EIO=4&transport=websocket", "PUT", [2]string{}, CodeBadHandshakeMethod,
			map[string]string{"method": "PUT"}},
		{"EIO=4&transport=websocket", "GET", [2]string{}, CodeBadRequest,
			map[string]string{"name": "TRANSPORT_HANDSHAKE_ERROR"}},
		{"EIO=4&transport=websocket", "GET", [2]string{"Origin", "http://evil.example"},
			CodeBadRequest, map[string]string{"name": "INVALID_ORIGIN",
				"origin": "http://evil.example"}},
	} {
		r, err := http.NewRequest(c.method, base+c.query, nil)
		require.NoError(t, err)
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		r.Header.Set("X-Trace", "7")
		res, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		_ = res.Body.Close()
		e := receive(t, errs)
		require.Equal(t, c.code, e.Code, c.query)
		require.Equal(t, c.context, e.Context)
		require.NotEmpty(t, e.Message)
		require.Equal(t, "7", e.Request.Header.Get("X-Trace"))
		require.Contains(t, e.Request.RemoteAddr, "127.0.0.1:")
	}
	// A request on a connection that net/http has after the page.
	web := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer web.CloseIdleConnections()
	for _, url := range []string{fmt.Sprintf("http://%s/page", s.Addr()),
		base + "EIO=3&transport=pigeon"} {
		res, err := web.Get(url)
		require.NoError(t, err)
		_ = res.Body.Close()
	}
	mounted := receive(t, errs)
	require.Equal(t, map[string]string{"transport": "pigeon"}, mounted.Context)
	require.Equal(t, "/socket.io/", mounted.Request.URL.Path)

	res, err := http.Get(base + "EIO=4&transport=polling&refuse=1")
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, 403, res.StatusCode)
	e := receive(t, errs)
	require.Equal(t, CodeForbidden, e.Code)
	require.Equal(t, map[string]string{"message": "not you"}, e.Context)
	require.Contains(t, e.Error(), "Forbidden")
	require.True(t, e.Request.URL.Query().Has("refuse"))

	// Refusals of a session's own loop.
	poll := pollDial(t, s)
	sid := poll.url[strings.Index(poll.url, "sid=")+4:]
	for query, want := range map[string]map[string]string{
		"EIO=3&transport=polling&sid=": {"name": "PROTOCOL_MISMATCH",
			"protocol": "3", "previousProtocol": "4"},
		"EIO=4&transport=websocket&sid=": {"name": "TRANSPORT_MISMATCH",
			"transport": "websocket", "previousTransport": "polling"},
	} {
		res, err := http.Get(base + query + sid)
		require.NoError(t, err)
		_ = res.Body.Close()
		e = receive(t, errs)
		require.Equal(t, CodeBadRequest, e.Code)
		require.Equal(t, want, e.Context)
		require.NotNil(t, e.Request)
	}

	connect(t, s) // and who is let in is none
	soon(t, "panics are caught", func() bool { return s.Stats().Panics == 9 })
	require.Empty(t, errs)
}

func TestConnectionErrorsAreBounded(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := serve(t, Options{}, func(s *Server) {
		s.OnConnectionError(func(*ConnectionError) { <-hold })
	})
	defer close(hold)
	s.refusals.waiting.Store(maxRefusalNotes)
	res, err := http.Get(fmt.Sprintf("http://%s/socket.io/?EIO=4&transport=x", s.Addr()))
	require.NoError(t, err)
	_ = res.Body.Close()
	require.EqualValues(t, 1, s.Stats().Drops["connection_error_hook"])
	require.EqualValues(t, maxRefusalNotes, s.refusals.waiting.Load())
}

func TestBackgroundTasks(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	began, ended := make(chan struct{}), make(chan struct{})
	require.NoError(t, s.Go(func(ctx context.Context) {
		close(began)
		<-ctx.Done()
		close(ended)
	}))
	require.NoError(t, s.Go(func(context.Context) { panic("on purpose") }))
	receive(t, began)
	soon(t, "caught", func() bool { return s.Stats().Panics == 1 })
	select {
	case <-ended:
		require.Fail(t, "ended before Shutdown")
	default:
	}
	hold := make(chan struct{})
	require.NoError(t, s.Go(func(context.Context) { <-hold }))
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Shutdown(short), context.DeadlineExceeded, "it waits for the task")
	<-ended
	close(hold)
	require.NoError(t, s.Shutdown(bounded(t)))
	require.ErrorIs(t, s.Go(func(context.Context) {}), ErrNotStarted)

	idle, err := NewServer(Options{Addr: "127.0.0.1:0", Logger: silent()})
	require.NoError(t, err)
	done := make(chan struct{})
	require.NoError(t, idle.Go(func(ctx context.Context) { <-ctx.Done(); close(done) }))
	require.NoError(t, idle.Shutdown(bounded(t)))
	<-done
}

func TestServerSideEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	n := s.Of("/n")
	for _, reserved := range []string{"connect", "connection", "new_namespace"} {
		require.ErrorIs(t, n.ServerSideEmit(reserved), ErrReserved)
		require.ErrorIs(t, n.OnServerSide(reserved, func(*ServerEvent) {}), ErrReserved)
	}
	got := make(chan string, 4)
	require.NoError(t, n.OnServerSide("ev", func(e *ServerEvent) {
		var a int
		require.NoError(t, e.Bind(&a))
		got <- fmt.Sprintf("%s %d %d %t", e.Name(), a, len(e.Args()), e.WantsAck())
		e.Ack("one")
		e.Ack("two")
	}))
	require.NoError(t, n.OnServerSide("ev", func(*ServerEvent) { panic("on purpose") }))
	require.ErrorIs(t, n.ServerSideEmit("ev", 1), ErrNoOtherNodes)
	list, err := n.ServerSideEmitWithAck(bounded(t), "ev", 1)
	require.ErrorIs(t, err, ErrNoOtherNodes)
	require.Empty(t, list)
	require.Error(t, n.ServerSideEmit("ev", func() {}))
	require.NotErrorIs(t, n.ServerSideEmit("ev", func() {}), ErrNoOtherNodes)
	require.Empty(t, got, "never on the server that sends")

	var replies []any
	n.deliver(&ServerEvent{name: "ev", args: []byte(`5,"x"`), reply: func(args []any) {
		replies = append(replies, args...)
	}})
	require.Equal(t, "ev 5 2 true", receive(t, got))
	require.Equal(t, []any{"one"}, replies)
	require.EqualValues(t, 1, s.Stats().Panics)
	n.deliver(&ServerEvent{name: "nobody listens"})
}
