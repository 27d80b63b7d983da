package socketio

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/memory"
	"github.com/throng-server/throng/netpoll"
)

func TestMalformedEntriesAreRefused(t *testing.T) {
	t.Parallel()
	s, bus := meshed(t, 1, Options{}, nil)
	srv := s[0]
	x := newStrange(t, bus)
	p := connect(t, srv)
	masked := text(`42["x"]`)
	masked[1] |= 0x80
	bad := map[string][]byte{
		"no frame":           nil,
		"half a frame":       text(`42["x"]`)[:5],
		"a length too large": {0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '4'},
		"a masked frame":     masked,
		"not final":          append([]byte{0x01}, text(`42["x"]`)[1:]...),
		"binary":             netpoll.AppendFrame(nil, ws.OpBinary, []byte(`42["x"]`)),
		"two texts":          append(text(`42["x"]`), text(`42["y"]`)...),
		"no message":         text(`2`),
		"no event":           text(`41`),
		"an ack":             text(`431["x"]`),
		"another namespace":  text(`42/chat,["x"]`),
		"an id":              text(`423["x"]`),
		"no payload":         text(`42`),
		"no array":           text(`42{"x":1}`),
		"no JSON":            text(`42["x`),
		"not UTF-8":          text("42[\"\xff\"]"),
		"no attachment":      text(`451-["x",{"_placeholder":true,"num":0}]`),
		"a text attached":    append(text(`451-["x",{"_placeholder":true,"num":0}]`), text("x")...),
		"too many attached": append(text(`42["x"]`),
			netpoll.AppendFrame(nil, ws.OpBinary, []byte("x"))...),
	}
	for name, body := range bad {
		_, err := checkEvent(&cluster.Op{Kind: cluster.Emit, NS: "/", Body: body})
		require.Error(t, err, name)
		x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Body: body})
	}
	x.tr.Publish(cluster.Kept, []byte("garbage"))
	x.publish(cluster.Op{Kind: cluster.Fetch, NS: "/"})
	x.publish(cluster.Op{Kind: cluster.Join, NS: "/", Names: []string{"n0"}, Request: 9})
	x.publish(cluster.Op{Kind: cluster.ServerEvent, NS: "/", Body: []byte("\x05abcde\x00")})
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Body: text(`42["good"]`)})
	p.expect(`42["good"]`)
	require.Equal(t, uint64(len(bad)+4), srv.Stats().Drops["cluster_entry"])
}

// Namespaces that only others have are not made here.
func TestForeignNamespacesAreIgnored(t *testing.T) {
	t.Parallel()
	s, bus := meshed(t, 1, Options{}, func(_ int, s *Server) {
		s.OfFunc(func(string, json.RawMessage) bool { return true })
	})
	srv := s[0]
	x := newStrange(t, bus)
	p := connect(t, srv)
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/theirs", Body: text(`42/theirs,["x"]`)})
	x.publish(cluster.Op{Kind: cluster.Join, NS: "/theirs", Names: []string{"r"}})
	x.publish(cluster.Op{Kind: cluster.CloseRoom, NS: "parent-7", Names: []string{"r"}})
	x.publish(cluster.Op{Kind: cluster.Count, NS: "/theirs", Request: 3})
	x.publish(cluster.Op{Kind: cluster.Emit, NS: "/", Body: text(`42["end"]`)})
	p.expect(`42["end"]`)
	op := receive(t, x.in)
	require.Equal(t, cluster.Op{Kind: cluster.Answer, Flags: cluster.Last, Request: 3,
		Body: []byte{0}}, op, "nothing is here")
	require.Len(t, srv.Namespaces(), 1)
	require.Empty(t, srv.Stats().Drops)
}

// eager calls its receiver before the server it belongs to has started.
type eager struct{ *memory.Transport }

func (e eager) Start(ctx context.Context, r cluster.Receiver) error {
	if err := e.Transport.Start(ctx, r); err != nil {
		return err
	}
	n := cluster.Node{ID: "early", Incarnation: 1, Tag: 9}
	r.NodeJoined(n)
	a := Ack{args: []byte(`2["x",1]`)}
	for _, op := range []cluster.Op{
		{Kind: cluster.Emit, NS: "/", Body: text(`42["x"]`)},
		{Kind: cluster.Emit, NS: "/", Request: 1, Body: text(`421["x"]`)},
		{Kind: cluster.Fetch, NS: "/", Request: 2},
		{Kind: cluster.Rooms, NS: "/", Request: 3},
		{Kind: cluster.Join, NS: "/", Names: []string{"r"}},
		{Kind: cluster.CloseRoom, NS: "/", Names: []string{"r"}},
		{Kind: cluster.ServerEvent, NS: "/", Body: a.append(nil)},
	} {
		r.Receive(n, op.Append(nil))
	}
	r.Gap(n, 3)
	r.NodeLost(n, true)
	return nil
}

func TestEntriesBeforeTheServerRuns(t *testing.T) {
	t.Parallel()
	node, err := memory.New().Node(memory.Options{ID: "a"})
	require.NoError(t, err)
	told := make(chan string, 8)
	s := serve(t, Options{Cluster: eager{node}}, func(s *Server) {
		s.OnNodeJoined(func(cluster.Node) { told <- "joined" })
		s.OnGap(func(cluster.Node, uint64) { told <- "gap" })
		s.OnNodeLost(func(cluster.Node, bool) { told <- "lost" })
		require.NoError(t, s.OnServerSide("x", func(e *ServerEvent) { told <- e.Name() }))
	})
	got := []string{}
	for range 4 {
		got = append(got, receive(t, told))
	}
	require.ElementsMatch(t, []string{"joined", "gap", "lost", "x"}, got)
	require.Empty(t, s.Stats().Drops)
}

// What is received behind each other is delivered together.
func TestReceivedBroadcastsMerge(t *testing.T) {
	t.Parallel()
	s, _ := meshed(t, 1, Options{Loops: 1}, nil)
	m := s[0].mesh
	make1 := func(body, except string) *fanout {
		op := &cluster.Op{Kind: cluster.Emit, NS: "/", Rooms: []string{"r"},
			Except: []string{except}, Body: text(body)}
		p, err := checkEvent(op)
		require.NoError(t, err)
		f := m.fanout(selected(s[0].root, op), op, p)
		require.Same(t, &op.Body[0], &f.Wire()[0], "the frames are not copied")
		return f
	}
	lp := s[0].loops[0].Load()
	require.NoError(t, lp.do(func(lp *loop) {
		a, b := make1(`42["a"]`, "x"), make1(`42["b"]`, "x")
		require.True(t, a.Merge(lp.Loop.Loop, b))
		require.False(t, a.Merge(lp.Loop.Loop, make1(`42["c"]`, "y")))
		msg, n := lp.message(a)
		require.Equal(t, 2, n)
		require.Equal(t, append(text(`42["a"]`), text(`42["b"]`)...), msg.Wire())
	}))
}

func FuzzReceive(f *testing.F) {
	body := append(text(`451-["x",{"_placeholder":true,"num":0}]`),
		netpoll.AppendFrame(nil, ws.OpBinary, []byte("x"))...)
	a := Ack{args: []byte(`2["x",1]`)}
	for _, op := range []cluster.Op{
		{Kind: cluster.Emit, NS: "/", Rooms: []string{"r"}, Body: body},
		{Kind: cluster.Emit, NS: "/", Request: 1, Wait: 1, Body: text(`421["x"]`)},
		{Kind: cluster.Emit, NS: "parent-0", Body: text(`42["x"]`)},
		{Kind: cluster.Answer, Flags: cluster.Last, Request: 1, Body: []byte("\x01\x01a\x011\x00")},
		{Kind: cluster.ServerEvent, NS: "/", Request: 5, Body: a.append(nil)},
		{Kind: cluster.Fetch, NS: "/", Request: 6, Names: []string{"n0"}},
		{Kind: cluster.NamedLike, Body: []byte("\x00\x01\x00\x02")},
	} {
		f.Add(op.Append(nil))
	}
	s, bus := meshed(f, 1, Options{}, func(_ int, s *Server) {
		_ = s.OnServerSide("x", func(e *ServerEvent) { e.Ack(1) })
	})
	x := newStrange(f, bus)
	go func() {
		for range x.in {
		}
	}()
	from := x.tr.Self()
	f.Fuzz(func(t *testing.T, entry []byte) {
		s[0].mesh.Receive(from, entry)
		require.Zero(t, s[0].Stats().Panics)
	})
}
