package socketio

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/memory"
	"github.com/throng-server/throng/netpoll"
)

// strange is a node that is no server: it answers only what the test says.
type strange struct {
	tr *memory.Transport
	in chan cluster.Op
}

func newStrange(t testing.TB, bus *memory.Bus) *strange {
	t.Helper()
	tr, err := bus.Node(memory.Options{ID: "strange"})
	require.NoError(t, err)
	x := &strange{tr: tr, in: make(chan cluster.Op, 1024)}
	require.NoError(t, tr.Start(context.Background(), x))
	t.Cleanup(func() { _ = tr.Close(context.Background()) })
	return x
}

func (x *strange) Receive(_ cluster.Node, b []byte) {
	if op, err := cluster.Parse(b); err == nil {
		x.in <- op
	}
}
func (*strange) NodeJoined(cluster.Node)     {}
func (*strange) NodeLost(cluster.Node, bool) {}
func (*strange) Gap(cluster.Node, uint64)    {}
func (*strange) Sockets() map[string]int     { return map[string]int{"/": 5} }

func (x *strange) publish(op cluster.Op) { x.tr.Publish(cluster.Kept, op.Append(nil)) }

func (x *strange) answer(to cluster.Node, op *cluster.Op, flags cluster.Flags, n uint64, rec []byte) {
	a := cluster.Op{Kind: cluster.Answer, Request: op.Request, Flags: flags,
		Body: append(binary.AppendUvarint(nil, n), rec...)}
	x.tr.Send(to, a.Append(nil))
}

func self(s *Server) cluster.Node { return s.Stats().Cluster.Self }

func text(s string) []byte { return netpoll.AppendFrame(nil, ws.OpText, []byte(s)) }

func TestQuestionsEnd(t *testing.T) {
	t.Parallel()
	s, bus := meshed(t, 2, Options{}, nil)
	x := newStrange(t, bus)
	connect(t, s[1])
	ask := func(ctx context.Context, d time.Duration) (int, *PartialError) {
		t.Helper()
		n, err := s[0].All().Timeout(d).Count(ctx)
		var p *PartialError
		if err != nil {
			require.ErrorAs(t, err, &p)
			require.NotEmpty(t, p.Error())
		}
		return n, p
	}
	n, p := ask(t.Context(), 500*time.Millisecond)
	require.Equal(t, 1, n, "what the others have answered")
	require.Equal(t, []string{"strange"}, p.Missing)
	require.ErrorIs(t, p, ErrTimeout)

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for op := range x.in {
			if op.Kind == cluster.Count && op.Wait > 1000 {
				cancel()
				return
			}
		}
	}()
	_, p = ask(ctx, patience)
	require.ErrorIs(t, p, context.Canceled)

	op := make(chan cluster.Op, 1)
	go func() { op <- <-x.in }()
	go func() {
		o := <-op
		// Not asked, or not by this name: none of these counts.
		stranger := self(s[0])
		x.answer(stranger, &cluster.Op{Request: 12345}, cluster.Last, 1, []byte{7})
		x.answer(stranger, &o, cluster.First, 3, nil)
		x.answer(stranger, &o, 0, 1, []byte{4})
		x.answer(stranger, &o, cluster.Last, 0, nil)
	}()
	n, p = ask(t.Context(), patience)
	require.Equal(t, 5, n)
	require.ErrorIs(t, p, ErrNoAnswer, "it has announced more")

	go func() {
		o := <-x.in
		x.answer(self(s[0]), &o, 0, maxAnswers, []byte{4})
		x.answer(self(s[0]), &o, cluster.Last, 2, []byte{4, 4})
	}()
	_, p = ask(t.Context(), patience)
	require.GreaterOrEqual(t, p.Omitted, 2)
	require.Empty(t, p.Missing)

	go func() {
		<-x.in
		bus.Crash("strange")
	}()
	begin := time.Now()
	n, p = ask(t.Context(), patience)
	require.Equal(t, 1, n)
	require.ErrorIs(t, p, ErrNodeLost)
	require.Less(t, time.Since(begin), patience/2)

	bus.Cut("n0")
	n, p = ask(t.Context(), patience)
	require.Zero(t, n)
	require.ErrorIs(t, p, ErrNotSent)
	bus.Heal("n0")
	n, p = ask(t.Context(), patience)
	require.Nil(t, p)
	require.Equal(t, 1, n)
	require.Empty(t, s[0].mesh.questions)
}

// Answers that make no sense cost their node, nothing else.
func TestAnswersWithoutSense(t *testing.T) {
	t.Parallel()
	s, bus := meshed(t, 1, Options{}, nil)
	x := newStrange(t, bus)
	connect(t, s[0])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, rec := range []string{"", "\xff", "\x05abc", "\x02{}", "\x04null", "\x03\x01a\x00"} {
		go func() {
			o := <-x.in
			x.answer(self(s[0]), &o, cluster.Last, 1, []byte(rec))
		}()
		list, err := s[0].FetchSockets(ctx)
		var p *PartialError
		require.ErrorAs(t, err, &p, "%q", rec)
		require.Len(t, list, 1, "its own")
	}
	for _, rec := range []string{"", "\xff", "\x01a\x02{]\x00", "\x01a\x02[1\x00", "\x01a\x01x\x00",
		"\x01a\x011\xff\xff\x03"} {
		go func() {
			o := <-x.in
			x.answer(self(s[0]), &o, cluster.Last, 1, []byte(rec))
		}()
		_, err := s[0].ServerSideEmitWithAck(ctx, "x")
		var p *PartialError
		require.ErrorAs(t, err, &p, "%q", rec)
	}
}

func TestInquiriesOfTheLostAreForgotten(t *testing.T) {
	t.Parallel()
	s, bus := meshed(t, 1, Options{}, nil)
	srv := s[0]
	x := newStrange(t, bus)
	p := connect(t, srv)
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Request: 1, Wait: 20, Body: text(`425["q"]`)})
	p.expect(`420["q"]`)
	first := receive(t, x.in)
	require.Equal(t, cluster.First, first.Flags)
	require.Equal(t, []byte{1}, first.Body, "one member")
	open := func() (n int) {
		srv.mesh.mu.Lock()
		defer srv.mesh.mu.Unlock()
		for i := range srv.loops {
			lp := srv.loops[i].Load()
			_ = lp.do(func(lp *loop) { n += len(lp.asks) })
		}
		return n + len(srv.mesh.inquiries)
	}
	soon(t, "the time is over", func() bool { return open() == 0 })

	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Request: 2, Body: text(`425["q"]`)})
	p.expect(`421["q"]`)
	require.Equal(t, 2, open())
	bus.Crash("strange")
	soon(t, "nobody waits", func() bool { return open() == 0 })
	p.send(`431["late"]`)
	require.NoError(t, srv.Emit("end"))
	p.expect(`42["end"]`)
}

func TestNodeHooks(t *testing.T) {
	t.Parallel()
	told := make(chan string, 64)
	s, bus := meshed(t, 1, Options{}, func(_ int, s *Server) {
		s.OnNodeJoined(func(n cluster.Node) { told <- "joined " + n.ID })
		s.OnNodeLost(func(n cluster.Node, left bool) {
			if left {
				told <- "left " + n.ID
			} else {
				told <- "lost " + n.ID
			}
			if n.Sockets["/"] != 5 {
				told <- "sockets"
			}
		})
		s.OnGap(func(n cluster.Node, missed uint64) {
			if missed == 1 {
				told <- "gap " + n.ID
			}
		})
		s.OnNodeLost(func(cluster.Node, bool) { panic("hook") })
	})
	x := newStrange(t, bus)
	require.Equal(t, "joined strange", receive(t, told))
	require.Len(t, s[0].Nodes(), 1)
	bus.SetFaults(memory.Faults{Drop: func(string, string, []byte) bool { return true }})
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Body: text(`42["x"]`)})
	bus.SetFaults(memory.Faults{})
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Body: text(`42["x"]`)})
	require.Equal(t, "gap strange", receive(t, told))
	bus.Lapse("strange")
	require.Equal(t, "lost strange", receive(t, told))
	require.Empty(t, s[0].Nodes())
	bus.Heal("strange")
	require.Equal(t, "joined strange", receive(t, told))
	require.NoError(t, x.tr.Close(t.Context()))
	require.Equal(t, "left strange", receive(t, told))
	soon(t, "the panics are counted", func() bool { return s[0].Stats().Panics == 2 })
	require.Empty(t, told)
	require.Equal(t, uint64(1), s[0].Stats().Cluster.Missed)
}

func TestClusterThatCannotBeJoined(t *testing.T) {
	t.Parallel()
	bus := memory.New()
	node, err := bus.Node(memory.Options{ID: "a", Tag: 3})
	require.NoError(t, err)
	_, err = NewServer(Options{Addr: "127.0.0.1:0", Cluster: node, NodeTag: 4})
	var o *OptionError
	require.ErrorAs(t, err, &o)
	require.Equal(t, "NodeTag", o.Field)
	s, err := NewServer(Options{Addr: "127.0.0.1:0", Cluster: node, Logger: silent()})
	require.NoError(t, err)
	require.Equal(t, uint16(3), s.opt.NodeTag)
	bus.Crash("a")
	require.ErrorIs(t, s.Start(), cluster.ErrClosed)

	node, err = bus.Node(memory.Options{ID: "a"})
	require.NoError(t, err)
	s, err = NewServer(Options{Addr: "127.0.0.1:0", Cluster: node, Logger: silent()})
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(t.Context()), "never started")
	_, err = bus.Node(memory.Options{ID: "a"})
	require.NoError(t, err, "the name is free")

	alone := serve(t, Options{}, nil)
	alone.OnNodeLost(func(cluster.Node, bool) {})
	require.Empty(t, alone.Nodes())
	require.ErrorIs(t, alone.ServerSideEmit("x"), ErrNoOtherNodes)
	require.Zero(t, alone.Stats().Cluster)
}

// What disconnect handlers send at the end reaches the others, which then learn
// that the node has left.
func TestShutdownLeavesTheClusterLast(t *testing.T) {
	t.Parallel()
	told := make(chan string, 8)
	s, _ := meshed(t, 2, Options{}, func(i int, s *Server) {
		s.OnDisconnect(func(k *Socket, _ string) { _ = s.Emit("gone", k.ID()) })
		if i == 0 {
			s.OnNodeLost(func(n cluster.Node, left bool) {
				if left {
					told <- n.ID
				}
			})
		}
	})
	stays, goes := connect(t, s[0]), connect(t, s[1])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s[1].Shutdown(ctx))
	stays.expect(`42["gone","` + goes.sid + `"]`)
	require.Equal(t, "n1", receive(t, told))
	require.NoError(t, s[0].Emit("x"))
	stays.expect(`42["x"]`)
}

// A client that comes back gets what other nodes have sent meanwhile, with
// offsets of its own server.
func TestRecoveryOfEventsOfOtherNodes(t *testing.T) {
	t.Parallel()
	s, _ := meshed(t, 2, Options{ConnectionStateRecovery: &ConnectionStateRecovery{}},
		func(_ int, s *Server) {
			s.OnConnection(func(k *Socket) { k.Join("r") })
		})
	p := dial(t, s[0])
	p.send("40")
	hello := p.next()
	_, pid, _ := strings.Cut(hello, `"pid":"`)
	pid = strings.TrimSuffix(pid, `"}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	soon(t, "in the room", func() bool {
		n, err := s[1].In("r").Count(ctx)
		return err == nil && n == 1
	})
	require.NoError(t, s[1].To("r").Emit("a", []byte{1}))
	first := p.next()
	require.Regexp(t, `^451-\["a",\{"_placeholder":true,"num":0\},"[^"]{12}"\]$`, first)
	p.expect("b:\x01")
	offset := first[len(first)-offsetLen-2 : len(first)-2]
	require.Equal(t, s[0].recovery.epoch, offset[:epochLen])
	_ = p.conn.Close()
	soon(t, "parked", func() bool { return s[0].Stats().Recovery.Parked == 1 })
	require.NoError(t, s[1].To("r").Emit("b"))
	require.NoError(t, s[1].To("other").Emit("c"))
	soon(t, "logged", func() bool { return s[0].Stats().Recovery.LogEvents == 3 })
	q := dial(t, s[0])
	q.send(`40{"pid":"` + pid + `","offset":"` + offset + `"}`)
	require.Regexp(t, `^42\["b","[^"]{12}"\]$`, q.next())
	require.Equal(t, hello, q.next(), "the same session")
}

func TestLocalEmitsAreNotPublished(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"plain": {}, "recovery": {ConnectionStateRecovery: &ConnectionStateRecovery{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, bus := meshed(t, 1, o, nil)
			x := newStrange(t, bus)
			p := connect2(t, s[0])
			k, err := s[0].Socket(p.sid)
			require.NoError(t, err)
			require.NoError(t, k.Emit("a"))
			require.NoError(t, k.Volatile().Emit("a"))
			require.NoError(t, s[0].To(p.sid).Emit("a"))
			require.NoError(t, s[0].Local().Emit("a"))
			k.Join("r")
			k.Leave("r")
			s[0].To(p.sid).SocketsJoin("r")
			s[0].Local().DisconnectSockets(false)
			_, err = s[0].RoomsOf(p.sid)
			require.True(t, err == nil || errors.Is(err, ErrNoSocket))
			require.NoError(t, s[0].Emit("end"))
			require.Equal(t, cluster.Emit, receive(t, x.in).Kind)
			require.Empty(t, x.in)
			require.Equal(t, uint64(1), s[0].Stats().Cluster.Published)
		})
	}
}

// connect2 is connect whether there is recovery or not.
func connect2(t testing.TB, s *Server) *peer {
	t.Helper()
	p := dial(t, s)
	p.send("40")
	_, sid, _ := strings.Cut(p.next(), `"sid":"`)
	p.sid, _, _ = strings.Cut(sid, `"`)
	return p
}
