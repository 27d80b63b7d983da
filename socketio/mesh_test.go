package socketio

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster/memory"
)

// meshed starts servers of one cluster.
func meshed(t testing.TB, n int, o Options, setup func(i int, s *Server)) ([]*Server, *memory.Bus) {
	t.Helper()
	bus := memory.New()
	list := make([]*Server, n)
	for i := range list {
		node, err := bus.Node(memory.Options{ID: fmt.Sprintf("n%d", i)})
		require.NoError(t, err)
		o := o
		o.Cluster = node
		list[i] = serve(t, o, func(s *Server) {
			if setup != nil {
				setup(i, s)
			}
		})
	}
	return list, bus
}

func TestBroadcastReachesOtherNodes(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"plain": {}, "recovery": {ConnectionStateRecovery: &ConnectionStateRecovery{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := meshed(t, 3, o, func(_ int, s *Server) {
				s.On("join", func(k *Socket, e *Event) { k.Join("r"); _ = e.Ack() })
			})
			var peers []*peer
			for _, srv := range s {
				p := dial(t, srv)
				p.send("40")
				p.next()
				p.send(`420["join"]`)
				p.expect(`430[]`)
				peers = append(peers, p)
			}
			require.NoError(t, s[0].To("r").Emit("hello", 1, []byte("x")))
			require.NoError(t, s[0].Local().Emit("local"))
			require.NoError(t, s[0].Emit("end"))
			for i, p := range peers {
				want := []string{`["hello",1,{"_placeholder":true,"num":0}`, "b:x", `["local"`, `["end"`}
				if i > 0 {
					want = []string{want[0], want[1], want[3]}
				}
				for _, w := range want {
					require.Contains(t, p.next(), w, "peer %d", i)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			n, err := s[1].Count(ctx)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			list, err := s[2].In("r").FetchSockets(ctx)
			require.NoError(t, err)
			require.Len(t, list, 3)
			rooms, err := s[2].Rooms(ctx)
			require.NoError(t, err)
			require.Equal(t, map[string]int{"r": 3}, rooms)
			for _, srv := range s {
				require.Empty(t, srv.Stats().Drops)
			}
		})
	}
}

// Clients 1.x and 2.x, whose ids are those of connections, are found from
// other nodes.
func TestOldClientsOnOtherNodes(t *testing.T) {
	t.Parallel()
	s, _ := meshed(t, 2, Options{AllowEIO3: true}, func(_ int, s *Server) { s.Of("/ns") })
	p, sid := dialOld(t, s[1])
	p.expect("40")
	p.send("40/ns,")
	p.expect("40/ns,")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, prefix := range map[string]string{"/": "", "/ns": "/ns,"} {
		ns := s[0].Of(name)
		id := sid
		if name != "/" {
			id = name + "#" + sid
		}
		rooms, err := ns.RoomsOf(id)
		require.NoError(t, err)
		require.Equal(t, []string{id}, rooms)
		require.NoError(t, ns.To(id).Emit("x", []byte{1}))
		p.expect("451-"+prefix+`["x",{"_placeholder":true,"num":0}]`, "b:\x04\x01")
		require.NoError(t, ns.Except(id).Emit("never"))
		asked := make(chan string, 1)
		go func() {
			asked <- <-p.in
			p.send("43" + prefix + `0["yes"]`)
		}()
		ack, err := ns.Call(ctx, id, "q")
		require.NoError(t, err)
		require.Equal(t, "42"+prefix+`0["q"]`, <-asked)
		require.Equal(t, `"yes"`, string(ack.Args()[0]))
		list, err := ns.FetchSockets(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, id, list[0].ID())
		list[0].Join("r")
		require.NoError(t, ns.To("r").Emit("y"))
		p.expect("42" + prefix + `["y"]`)
		list[0].Disconnect(false)
		p.expect("41" + prefix)
	}
}

// A room may be named like the id of a socket elsewhere: whatever asks or tells
// the room reaches all of it, from every node, and whatever is about the socket
// reaches nobody else.
func TestRoomNamedLikeAnIDElsewhere(t *testing.T) {
	t.Parallel()
	o := Options{Loops: 2}
	s, bus := meshed(t, 3, o, nil)
	peers, sockets := crowd(t, s[0], 1)
	morePeers, more := crowd(t, s[1], 2)
	id := sockets[0].ID()
	more[0].Join(id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	node, err := bus.Node(memory.Options{ID: "late"})
	require.NoError(t, err)
	o.Cluster = node
	s = append(s, serve(t, o, nil))
	for i, srv := range s {
		soon(t, fmt.Sprintf("server %d knows", i), func() bool {
			n, err := srv.In(id).Count(ctx)
			require.NoError(t, err)
			return n == 2
		})
		list, err := srv.In(id).AllSockets(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{id, more[0].ID()}, list)

		go func() {
			_ = srv.To(id).EmitFunc(func([]Answer, error) {}, "all", i)
		}()
		for _, p := range []*peer{peers[0], morePeers[0]} {
			require.Contains(t, p.next(), `["all",`+fmt.Sprint(i))
		}
		go func() {
			_, _ = srv.Of("/").Call(ctx, id, "one", i)
		}()
		require.Contains(t, peers[0].next(), `["one",`+fmt.Sprint(i))
		found, err := srv.In(id).FetchSockets(ctx)
		require.NoError(t, err)
		for _, r := range found {
			if r.ID() == id {
				require.NoError(t, r.Emit("remote", i))
				r.Join("mine")
			}
		}
		require.Contains(t, peers[0].next(), `["remote",`+fmt.Sprint(i))
		// Behind all that; and it tells who is in the new room.
		require.NoError(t, srv.Emit("end"))
		for _, p := range []*peer{peers[0], morePeers[0], morePeers[1]} {
			require.Contains(t, p.next(), `["end"`)
		}
		n, err := srv.In("mine").Count(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		rooms, err := srv.Of("/").RoomsOf(id)
		require.NoError(t, err)
		require.Equal(t, []string{id, "mine"}, rooms)
	}
	s[2].Of("/").Disconnect(id, false)
	peers[0].expect("41")
	require.NoError(t, s[2].To(id).Emit("left"))
	require.Contains(t, morePeers[0].next(), `["left"`)
	morePeers[1].nothing()
}
