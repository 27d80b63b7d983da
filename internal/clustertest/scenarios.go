package clustertest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// scenario does something with eight clients in "/", two of them in room "r",
// four in "s"; whoever acts is a node that has the fewest of the receivers, too.
type scenario struct {
	name string
	run  func(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace)
}

// Scenarios runs every scenario on clusters of one, two and four nodes, each
// node acting once. What clients see does not depend on either.
func Scenarios(t *testing.T, f Factory) {
	for _, nodes := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			for _, sc := range scenarios {
				t.Run(sc.name, func(t *testing.T) {
					r := start(t, f(t, nodes), socketio.Options{}, func(s *socketio.Server) {
						handlers(s.OfPattern(regexp.MustCompile(`^/room-\d+$`)))
					})
					for i, s := range r.Servers {
						if i > 1 {
							break // first and second: the others are like the second
						}
						c := r.clients(8, "/")
						for k, c := range c {
							if k%3 == 0 {
								c.Emit(`["join","r"]`)
							}
							if k%2 == 0 {
								c.Emit(`["join","s"]`)
							}
						}
						sc.run(t, r, c, s.Of("/"))
						for _, c := range c {
							_ = c.conn.Close()
						}
						soon(t, "all clients are gone", func() bool {
							n, err := s.Count(bounded(t))
							return err == nil && n == 0
						})
						for _, s := range r.Servers {
							require.Zero(t, s.Stats().Drops["cluster_entry"])
						}
					}
				})
			}
		})
	}
}

// members of the rooms, by the scenario's set-up.
func inR(k int) bool { return k%3 == 0 }
func inS(k int) bool { return k%2 == 0 }

var scenarios = []scenario{
	{"emits", emits},
	{"senders", senders},
	{"ids", ids},
	{"namespaces", namespaces},
	{"selections", selections},
	{"disconnects", disconnects},
	{"sockets", sockets},
	{"acknowledgements", acknowledgements},
	{"servers' events", serverEvents},
	{"parents", parents},
	{"order", order},
	{"rooms named like ids", alike},
}

// want checks what each client has received from the acting node.
func want(t *testing.T, r *Rig, act *socketio.Namespace, c []*Client, event string,
	who func(k int) bool,
) {
	t.Helper()
	for k, got := range r.fence(act, c...) {
		if who(k) {
			require.Equal(t, []string{event}, got, "client %d", k)
		} else {
			require.Empty(t, got, "client %d", k)
		}
	}
}

func emits(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	all := act.All()
	for what, x := range map[string]struct {
		b   socketio.Broadcast
		who func(k int) bool
	}{
		"all":             {all, func(int) bool { return true }},
		"a room":          {all.To("r"), inR},
		"two rooms, once": {all.To("r", "s"), func(k int) bool { return inR(k) || inS(k) }},
		"a room twice":    {all.To("r", "r"), inR},
		"except":          {all.Except("r"), func(k int) bool { return !inR(k) }},
		"both":            {all.To("s").Except("r"), func(k int) bool { return inS(k) && !inR(k) }},
		"an empty room":   {all.To("nobody"), func(int) bool { return false }},
		"volatile":        {all.To("s").Volatile(), inS},
		"plain":           {all.To("s").Compress(false), inS},
		"a socket":        {all.To(c[5].ID), func(k int) bool { return k == 5 }},
		"but a socket":    {all.To("s").Except(c[4].ID), func(k int) bool { return inS(k) && k != 4 }},
		"local": {all.Local(), func(k int) bool {
			return r.Servers[c[k].Node].Of("/") == act
		}},
	} {
		require.NoError(t, x.b.Emit("x", what, 1.5, nil))
		want(t, r, act, c, `["x","`+what+`",1.5,null]`, x.who)
	}
	require.NoError(t, all.To("r").Emit("bin", []byte{1}, "a"))
	for k, got := range r.fence(act, c...) {
		if inR(k) {
			require.Equal(t, []string{`["bin",{"_placeholder":true,"num":0},"a"]`, "b:\x01"}, got)
		} else {
			require.Empty(t, got)
		}
	}
}

func senders(t *testing.T, r *Rig, c []*Client, _ *socketio.Namespace) {
	for k, sender := range c {
		act := r.Servers[sender.Node].Of("/")
		sender.Emit(`["to","s","hi"]`)
		want(t, r, act, c, `["said","hi"]`, func(j int) bool { return inS(j) && j != k })
		sender.Emit(`["others","ho"]`)
		want(t, r, act, c, `["said","ho"]`, func(j int) bool { return j != k })
	}
}

func ids(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	ctx := bounded(t)
	for k := range c {
		rooms, err := act.RoomsOf(c[k].ID)
		require.NoError(t, err)
		expected := []string{c[k].ID}
		if inR(k) {
			expected = append(expected, "r")
		}
		if inS(k) {
			expected = append(expected, "s")
		}
		require.ElementsMatch(t, expected, rooms)
		require.Equal(t, c[k].ID, rooms[0])

		go func() {
			s := c[k].Next()
			id, ok := strings.CutPrefix(strings.TrimSuffix(s, `["q",1]`), "42")
			if !ok {
				id = "0"
			}
			c[k].Send("43" + id + `["a",{"b":2}]`)
		}()
		ack, err := act.Call(ctx, c[k].ID, "q", 1)
		require.NoError(t, err)
		var text string
		require.NoError(t, ack.Bind(&text))
		require.Equal(t, "a", text)
	}
	_, err := act.RoomsOf("AAAAAAAAAAAAAAAAAAAA")
	require.ErrorIs(t, err, socketio.ErrNoSocket)
	gone := c[2].ID[:19] + "_"
	if gone == c[2].ID {
		gone = c[2].ID[:19] + "A"
	}
	_, err = act.RoomsOf(gone)
	require.ErrorIs(t, err, socketio.ErrNoSocket)
	_, err = act.Call(ctx, gone, "q")
	require.ErrorIs(t, err, socketio.ErrNoSocket)
}

func namespaces(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	chat := r.clients(4, "/chat")
	for _, c := range chat {
		c.Emit(`["join","r"]`)
	}
	other := act.Server().Of("/chat")
	require.NoError(t, other.To("r").Emit("only", "chat"))
	require.NoError(t, act.To("r").Emit("only", "root"))
	for _, got := range r.fence(other, chat...) {
		require.Equal(t, []string{`["only","chat"]`}, got)
	}
	want(t, r, act, c, `["only","root"]`, inR)
	n, err := other.Count(bounded(t))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	for _, c := range chat {
		_ = c.conn.Close()
	}
}

func selections(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	act.In("r").SocketsJoin("new", "more")
	require.NoError(t, act.To("new").Emit("x"))
	want(t, r, act, c, `["x"]`, inR)
	act.In(c[1].ID).SocketsJoin("new")
	require.NoError(t, act.To("new").Emit("x"))
	want(t, r, act, c, `["x"]`, func(k int) bool { return inR(k) || k == 1 })
	act.In("s").Except(c[1].ID).SocketsLeave("new")
	require.NoError(t, act.To("new").Emit("x"))
	want(t, r, act, c, `["x"]`, func(k int) bool { return (inR(k) || k == 1) && !inS(k) })
	act.CloseRoom("new")
	require.NoError(t, act.To("new").Emit("x"))
	want(t, r, act, c, "", func(int) bool { return false })
	require.NoError(t, act.To("more").Emit("x"))
	want(t, r, act, c, `["x"]`, inR)
	act.Local().SocketsJoin("here")
	require.NoError(t, act.To("here").Emit("x"))
	want(t, r, act, c, `["x"]`, func(k int) bool { return r.Servers[c[k].Node].Of("/") == act })
	act.SocketsJoin("all")
	require.NoError(t, act.To("all").Emit("x"))
	want(t, r, act, c, `["x"]`, func(int) bool { return true })
}

func disconnects(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	act.In("r").DisconnectSockets(false)
	for k := range c {
		if inR(k) {
			require.Equal(t, "41", c[k].Next())
		}
	}
	act.In(c[1].ID).DisconnectSockets(true)
	require.Equal(t, []string{"41", "end"}, []string{c[1].Next(), c[1].Next()})
	act.Disconnect(c[2].ID, true)
	require.Equal(t, []string{"41", "end"}, []string{c[2].Next(), c[2].Next()})
	rest := []*Client{c[4], c[5], c[7]}
	n, err := act.Count(bounded(t))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	for _, got := range r.fence(act, rest...) {
		require.Empty(t, got)
	}
}

func sockets(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	ctx := bounded(t)
	list, err := act.In("s").FetchSockets(ctx)
	require.NoError(t, err)
	byID := map[string]*socketio.RemoteSocket{}
	for _, s := range list {
		byID[s.ID()] = s
	}
	require.Len(t, byID, 4)
	require.Len(t, list, 4)
	for k := range c {
		s := byID[c[k].ID]
		require.Equal(t, inS(k), s != nil)
		if s == nil {
			continue
		}
		require.Equal(t, r.Servers[c[k].Node].Of("/") == act, s.Local() != nil)
		require.Equal(t, r.Servers[c[k].Node].Stats().Cluster.Self.ID, s.Node())
		var data map[string]string
		require.NoError(t, s.DecodeData(&data))
		require.Equal(t, map[string]string{"id": c[k].ID}, data)
		require.Equal(t, "yes", s.Handshake().Header.Get("X-Kept"))
		require.Equal(t, c[k].ID, s.Rooms()[0])
		require.Contains(t, s.Rooms(), "s")
		require.Equal(t, act, s.Namespace())

		s.Join("mine")
		require.NoError(t, act.To("mine").Emit("x", k))
		want(t, r, act, c, fmt.Sprintf(`["x",%d]`, k), func(j int) bool { return j == k })
		s.Leave("mine")
		require.NoError(t, act.To("mine").Emit("x", k))
		want(t, r, act, c, "", func(int) bool { return false })
		require.NoError(t, s.Emit("y", []byte{2}))
		require.Equal(t, []string{`["y",{"_placeholder":true,"num":0}]`, "b:\x02"},
			[]string{c[k].Event(), c[k].Next()})
		go func() { answer(c[k], `[3]`) }()
		ack, err := s.EmitWithAck(ctx, "q")
		require.NoError(t, err)
		require.Equal(t, "3", string(ack.Args()[0]))
	}
	byID[c[4].ID].Disconnect(true)
	require.Equal(t, "41", c[4].Next())
	names, err := act.AllSockets(ctx)
	require.NoError(t, err)
	left := []string{}
	for k := range c {
		if k != 4 {
			left = append(left, c[k].ID)
		}
	}
	require.ElementsMatch(t, left, names)
	local, err := act.Local().FetchSockets(ctx)
	require.NoError(t, err)
	here, err := act.LocalSockets(ctx)
	require.NoError(t, err)
	require.Len(t, local, len(here))
	require.Equal(t, act.Len(), len(here))
	rooms, err := act.Rooms(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"r": 3, "s": 3}, rooms)
	n, err := act.In("r", "s").Except(c[0].ID).Count(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, n) // 2 3 6
}

// answer acknowledges the next event of a client.
func answer(c *Client, args string) {
	s := c.Next()
	s = strings.TrimPrefix(s, "42"+c.prefix())
	id, _, _ := strings.Cut(s, "[")
	c.Send("43" + c.prefix() + id + args)
}

func serverEvents(t *testing.T, r *Rig, _ []*Client, act *socketio.Namespace) {
	type got struct{ node, args string }
	seen := make(chan got, 1000)
	for _, s := range r.Servers {
		id := s.Stats().Cluster.Self.ID
		require.NoError(t, s.OnServerSide("tell", func(e *socketio.ServerEvent) {
			seen <- got{id, string(e.Args()[0])}
		}))
		require.NoError(t, s.OnServerSide("ask", func(e *socketio.ServerEvent) {
			var b []byte
			_ = e.Bind(&b)
			e.Ack(id, append(b, 9))
			e.Ack("twice")
		}))
	}
	const count = 20
	for i := range count {
		require.NoError(t, act.ServerSideEmit("tell", i))
	}
	others := len(r.Servers) - 1
	next := map[string]int{}
	for range others * count {
		g := <-seen
		require.Equal(t, fmt.Sprint(next[g.node]), g.args)
		next[g.node]++
	}
	require.Len(t, next, others)
	require.Zero(t, next[act.Server().Stats().Cluster.Self.ID], "never to itself")
	list, err := act.ServerSideEmitWithAck(bounded(t), "ask", []byte{8})
	require.NoError(t, err)
	require.Len(t, list, others)
	for _, a := range list {
		var id string
		var b []byte
		require.NoError(t, a.Bind(&id, &b))
		require.Equal(t, a.From, id)
		require.Equal(t, []byte{8, 9}, b)
	}
	_, err = act.ServerSideEmitWithAck(bounded(t), "nobody's")
	if others == 0 {
		require.NoError(t, err)
	} else {
		var p *socketio.PartialError
		require.ErrorAs(t, err, &p)
		require.Len(t, p.Missing, others)
		require.ErrorIs(t, err, socketio.ErrNoAnswer)
	}
	require.ErrorIs(t, act.ServerSideEmit("connect"), socketio.ErrReserved)
	require.Empty(t, seen)
}

func parents(t *testing.T, r *Rig, _ []*Client, act *socketio.Namespace) {
	// A child on each node, one on all.
	var c []*Client
	for i, s := range r.Servers {
		c = append(c, connect(t, s.Addr().String(), fmt.Sprintf("/room-%d", i)), connect(t, s.Addr().String(), "/room-99"))
		c[2*i].Emit(`["join","r"]`)
	}
	parent := act.Server().Of("/room-0").Parent()
	require.NoError(t, parent.Emit("x", 1))
	require.NoError(t, parent.To("r").Emit("y", []byte{3}))
	parent.In("r").SocketsJoin("z")
	require.NoError(t, parent.To("z").Emit("z"))
	for k := range c {
		require.Equal(t, `["x",1]`, c[k].Event())
		if k%2 == 0 {
			require.Equal(t, `["y",{"_placeholder":true,"num":0}]`, c[k].Event())
			require.Equal(t, "b:\x03", c[k].Next())
			require.Equal(t, `["z"]`, c[k].Event())
		}
	}
	parent.CloseRoom("z")
	require.NoError(t, parent.To("z").Emit("z"))
	require.NoError(t, parent.Emit("x", 2))
	for k := range c {
		require.Equal(t, `["x",2]`, c[k].Event())
	}
	parent.DisconnectSockets(true)
	for k := range c {
		require.Equal(t, "41"+c[k].ns+",", c[k].Next())
		require.Equal(t, "end", c[k].Next())
	}
}

func order(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	chat := r.clients(4, "/chat")
	other := act.Server().Of("/chat")
	const count = 100
	for i := range count {
		room := fmt.Sprintf("o%d", i)
		act.In("s").SocketsJoin(room)
		require.NoError(t, act.To(room).Emit("n", i))
		act.In("s").SocketsLeave(room)
		require.NoError(t, act.To(room, "r").Emit("m", i))
		require.NoError(t, other.Emit("n", i))
	}
	for k, got := range r.fence(act, c...) {
		var expected []string
		for i := range count {
			if inS(k) {
				expected = append(expected, fmt.Sprintf(`["n",%d]`, i))
			}
			if inR(k) {
				expected = append(expected, fmt.Sprintf(`["m",%d]`, i))
			}
		}
		require.Equal(t, expected, got, "client %d", k)
	}
	for _, got := range r.fence(other, chat...) {
		require.Len(t, got, count)
		for i, s := range got {
			require.Equal(t, fmt.Sprintf(`["n",%d]`, i), s)
		}
	}
	for _, c := range chat {
		_ = c.conn.Close()
	}
}

// alike: a room may be named like the id of a socket on any node. Its members
// are on the others, if there are any.
func alike(t *testing.T, r *Rig, c []*Client, _ *socketio.Namespace) {
	for k := range c {
		name := c[k].ID
		member := func(j int) bool {
			return j != k && (len(r.Servers) == 1 || c[j].Node != c[k].Node)
		}
		members := 1
		for j := range c {
			if member(j) {
				c[j].Emit(`["join","` + name + `"]`)
				members++
			}
		}
		home := r.Servers[c[k].Node]
		soon(t, "the room is known to the node of the id", func() bool {
			n, err := home.In(name).Count(bounded(t))
			require.NoError(t, err)
			return n == members
		})
		for _, s := range r.Servers {
			require.NoError(t, s.To(name).Emit("x"))
			want(t, r, s.Of("/"), c, `["x"]`, func(j int) bool { return j == k || member(j) })
		}
	}
}
