package socketio

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// eachLoops runs a test with 1, 2 and 8 loops. With n clients a room has
// members on several loops; the kernel spreads them.
func eachLoops(t *testing.T, f func(t *testing.T, loops int)) {
	t.Parallel()
	for _, loops := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) { f(t, loops) })
	}
}

// crowd connects n clients and returns their sockets in the same order.
func crowd(t testing.TB, s *Server, n int) ([]*peer, []*Socket) {
	t.Helper()
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = connect(t, s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	byID := make(map[string]*Socket)
	list, err := s.LocalSockets(ctx)
	require.NoError(t, err)
	for _, k := range list {
		byID[k.ID()] = k
	}
	sockets := make([]*Socket, n)
	for i, p := range peers {
		require.NotNil(t, byID[p.sid])
		sockets[i] = byID[p.sid]
	}
	return peers, sockets
}

func TestBroadcastReachesEachOnce(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, nil)
		const n = 24
		peers, sockets := crowd(t, s, n)
		if loops > 1 {
			used := map[int]bool{}
			for _, k := range sockets {
				used[k.c.Loop().Index()] = true
			}
			require.Greater(t, len(used), 1, "members on several loops")
		}
		for i, k := range sockets {
			if i%2 == 0 {
				k.Join("even")
			}
			if i%3 == 0 {
				k.Join("three")
			}
		}
		require.NoError(t, s.Emit("all"))
		require.NoError(t, s.To("even", "three").To("even").Emit("union"))
		require.NoError(t, s.To("even").Except("three").Emit("minus"))
		require.NoError(t, sockets[0].Broadcast().Emit("others"))
		require.NoError(t, sockets[0].To("even").Emit("even others"))
		require.NoError(t, s.Except(sockets[1].ID(), "even").Emit("not one"))
		require.NoError(t, s.To(sockets[2].ID()).Emit("private"))
		require.NoError(t, s.To(sockets[2].ID(), "three").Emit("private or three"))
		require.NoError(t, s.To("nobody").Emit("never"))
		require.NoError(t, s.Emit("end"))
		for i, p := range peers {
			want := []string{"all"}
			even, three := i%2 == 0, i%3 == 0
			add := func(ok bool, event string) {
				if ok {
					want = append(want, event)
				}
			}
			add(even || three, "union")
			add(even && !three, "minus")
			add(i != 0, "others")
			add(even && i != 0, "even others")
			add(!even && i != 1, "not one")
			add(i == 2, "private")
			add(i == 2 || three, "private or three")
			for _, w := range append(want, "end") {
				require.Equal(t, `42["`+w+`"]`, p.next(), "client %d", i)
			}
		}
		for _, p := range peers {
			p.nothing()
			break
		}
	})
}

func TestOrderOfOneGoroutine(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, nil)
		peers, sockets := crowd(t, s, 12)
		const rounds = 200
		for i := range rounds {
			room := fmt.Sprint("r", i)
			for _, k := range sockets {
				k.Join(room)
			}
			require.NoError(t, s.To(room).Emit("in", i))
			for _, k := range sockets {
				require.NoError(t, k.Emit("one", i))
				k.Leave(room)
			}
			require.NoError(t, s.To(room).Emit("out", i))
			require.NoError(t, s.Emit("all", i))
		}
		for _, p := range peers {
			for i := range rounds {
				p.expect(fmt.Sprintf(`42["in",%d]`, i), fmt.Sprintf(`42["one",%d]`, i),
					fmt.Sprintf(`42["all",%d]`, i))
			}
		}
		soon(t, "rooms vanish", func() bool { return s.Stats().Rooms == 0 })
	})
}

// Clients come, go, join and leave while broadcasts run; those that stay get
// everything once and in order.
func TestBroadcastDuringChurn(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.OnConnection(func(k *Socket) { k.Join("room") })
			On(s, "leave", func(k *Socket, _ any) error { k.Leave("room"); return nil })
		})
		var stay []*peer
		for range 8 {
			stay = append(stay, connect(t, s))
		}
		soon(t, "connection handlers", func() bool { return s.Stats().Rooms > 0 })
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		soon(t, "all in the room", func() bool {
			l, err := s.In("room").FetchSockets(ctx)
			return err == nil && len(l) == len(stay)
		})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					p := connect(t, s)
					switch (i + w) % 3 {
					case 0:
						p.send(`42["leave",0]`, "41")
					case 1:
						p.send("1")
					}
					_ = p.conn.Close()
				}
			}()
		}
		const n = 1500
		for i := range n {
			require.NoError(t, s.To("room").Emit("n", i))
		}
		for _, p := range stay {
			for i := range n {
				p.expect(fmt.Sprintf(`42["n",%d]`, i))
			}
		}
		close(stop)
		wg.Wait()
		soon(t, "the others are gone", func() bool { return s.Stats().Sockets["/"] == len(stay) })
	})
}

// Broadcasts posted in one go are merged while their receivers are the same.
func TestMergedBroadcasts(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	peers, sockets := crowd(t, s, 3)
	sockets[0].Join("a")
	sockets[1].Join("a", "b")
	big := strings.Repeat("x", 40_000)
	want := make([][]string, len(peers))
	emit := func(b Broadcast, to ...int) {
		n := len(want[1])
		arg := fmt.Sprint(n)
		if n%7 == 3 {
			arg += big
		}
		require.NoError(t, b.Emit("e", arg))
		for _, i := range to {
			want[i] = append(want[i], `42["e","`+arg+`"]`)
		}
	}
	require.NoError(t, sockets[0].loop().do(func(*loop) {
		for range 20 {
			emit(s.To("a"), 0, 1)
			emit(s.To("a"), 0, 1)
			emit(s.To("a").Except("b"), 0)
			emit(s.To("a", "b"), 0, 1)
			emit(s.All(), 0, 1, 2)
			emit(s.All(), 0, 1, 2)
			emit(sockets[0].Broadcast(), 1, 2)
			emit(sockets[1].Broadcast(), 0, 2)
			sockets[2].Join("a")
			emit(s.To("a"), 0, 1, 2)
			sockets[2].Leave("a")
		}
	}))
	for i, p := range peers {
		p.expect(want[i]...)
	}
	total := len(want[0]) + len(want[1]) + len(want[2])
	require.EqualValues(t, total, s.Stats().Deliveries)
}

// A socket whose slot was taken over while a broadcast was under way must not
// get it.
func TestGoneSocketIsNobody(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	a, b := connect(t, s), connect(t, s)
	gone := a.sid
	a.send("41")
	soon(t, "left", func() bool { return s.Stats().Sockets["/"] == 1 })
	c := connect(t, s) // takes the slot
	require.NoError(t, s.To(gone).Emit("private"))
	require.NoError(t, s.Except(gone).Emit("all"))
	b.expect(`42["all"]`)
	c.expect(`42["all"]`)
	a.nothing()
}

// A broadcast that goes on in a later turn holds sockets, not slots.
func TestSlotReuseDuringABroadcast(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	peers, sockets := crowd(t, s, 2)
	a, b := sockets[0], sockets[1]
	require.NoError(t, a.loop().do(func(lp *loop) {
		f := &fanout{b: s.All()}
		f.Init(append([]byte{0x81, byte(len(`42["e"]`))}, `42["e"]`...), 1)
		lp.begin(f, &f.b)
		lp.merged, lp.emits = lp.message(f)
		slot := a.slot
		a.c.close(a, "test")
		a.c.Packet(false, []byte("0"), false)
		require.NotSame(t, a, lp.sockets[slot])
		require.True(t, lp.sockets[slot].is(stConnected))
		require.False(t, f.Run(lp.Loop.Loop))
	}))
	peers[1].expect(`42["e"]`)
	require.Contains(t, peers[0].next(), `40{"sid"`)
	require.NoError(t, b.Broadcast().Emit("next"))
	peers[0].expect(`42["next"]`)
}

func TestSlowConsumerIsCut(t *testing.T) {
	t.Parallel()
	reasons := make(chan string, 2)
	s := serve(t, Options{MaxPendingBytes: 256 << 10}, func(s *Server) {
		s.OnDisconnect(func(_ *Socket, r string) { reasons <- r })
	})
	reader := connect(t, s)
	conn, _, _, err := ws.Dial(context.Background(),
		fmt.Sprintf("ws://%s/socket.io/?EIO=4&transport=websocket", s.Addr()))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, wsutil.WriteClientMessage(conn, ws.OpText, []byte("40")))
	soon(t, "joined", func() bool { return s.Stats().Sockets["/"] == 2 })
	text := strings.Repeat("x", 32<<10)
	for i := 0; len(reasons) == 0; i++ {
		require.Less(t, i, 2000, "the buffers of the kernel end somewhere")
		require.NoError(t, s.Emit("e", text))
		reader.expect(`42["e","` + text + `"]`)
	}
	require.Equal(t, "slow consumer", receive(t, reasons))
	require.EqualValues(t, 1, s.Stats().Drops["slow_consumer"])
}

func TestRoomNamedLikeAnID(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, nil)
		peers, sockets := crowd(t, s, 8)
		target := sockets[0].ID()
		for _, k := range sockets {
			k.Join(target)
		}
		require.Equal(t, []string{target}, sockets[0].Rooms())
		require.NoError(t, s.To(target).Emit("x"))
		for _, p := range peers {
			p.expect(`42["x"]`)
		}
		require.NoError(t, s.Except(target).Emit("y"))
		require.NoError(t, s.Emit("z"))
		for _, p := range peers {
			p.expect(`42["z"]`)
		}
	})
}

func TestSelections(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, nil)
		peers, sockets := crowd(t, s, 9)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		count := func(b Broadcast) int {
			l, err := b.FetchSockets(ctx)
			require.NoError(t, err)
			return len(l)
		}
		s.In(sockets[0].ID(), sockets[1].ID(), sockets[2].ID()).SocketsJoin("a", "b")
		require.Equal(t, 3, count(s.In("a")))
		require.Equal(t, 6, count(s.Except("b")))
		require.Equal(t, 8, count(sockets[0].Broadcast()))
		require.ElementsMatch(t, []string{sockets[1].ID(), "a", "b"}, sockets[1].Rooms())
		s.In(sockets[0].ID()).SocketsLeave("a")
		require.Equal(t, 2, count(s.In("a")))
		s.CloseRoom("a")
		require.Equal(t, 0, count(s.In("a")))
		require.Equal(t, 3, count(s.In("b")))
		s.In("b").DisconnectSockets(false)
		require.Equal(t, 6, count(s.All()))
		s.DisconnectSockets(true)
		for i, p := range peers {
			p.expect("41")
			if i > 2 {
				p.expect("close 1005")
			}
		}
	})
}

func TestVolatileIsDroppedBehindOtherOutput(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	_, sockets := crowd(t, s, 1)
	k := sockets[0]
	// One turn: the volatile emits find the first one pending.
	require.NoError(t, k.loop().do(func(lp *loop) {
		require.NoError(t, k.Emit("a"))
		require.NoError(t, k.Volatile().Emit("b"))
		require.NoError(t, s.Volatile().Emit("c"))
		require.NoError(t, k.Emit("d"))
	}))
	soon(t, "dropped", func() bool { return s.Stats().Drops["volatile"] == 2 })
}

func TestBinary(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) {
		s.On("relay", func(k *Socket, e *Event) { _ = k.Emit("relayed", e.Raw()...) })
		OnAck(s, "join", func(_ context.Context, _ *Socket, in [][]byte) ([]byte, error) {
			var all []byte
			for _, b := range in {
				all = append(all, b...)
			}
			return all, nil
		})
	})
	p := connect(t, s)
	const two = `[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	p.send(`452-["relay",` + two + `]`)
	p.write(2, []byte{0, 1})
	p.write(2, []byte{2})
	p.expect(`452-["relayed",`+two+`]`, "b:\x00\x01", "b:\x02")
	p.send(`452-9["join",` + two + `]`)
	p.write(2, []byte("ab"))
	p.send("bY2Q=") // base64 text is an attachment as well
	p.expect(`461-9[{"_placeholder":true,"num":0}]`, "b:abcd")
	require.NoError(t, s.To(p.sid).Emit("b", []byte("x"), strings.Repeat("y", 300)))
	p.expect(`451-["b",{"_placeholder":true,"num":0},"`+strings.Repeat("y", 300)+`"]`, "b:x")
}
