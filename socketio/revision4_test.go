package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// dialOld opens a session of revision 3 and returns the id of its connection.
func dialOld(t *testing.T, s *Server) (p *peer, sid string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, br, _, err := ws.Dial(ctx,
		fmt.Sprintf("ws://%s/socket.io/?EIO=3&transport=websocket", s.Addr()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	p = &peer{t: t, conn: conn, in: make(chan string, 1<<10)}
	if br != nil {
		go p.read(br)
	} else {
		go p.read(conn)
	}
	open := p.next()
	require.True(t, strings.HasPrefix(open, `0{"sid":"`), open)
	return p, open[len(`0{"sid":"`):][:20]
}

func oldServer(t *testing.T) *Server {
	return serve(t, Options{AllowEIO3: true}, func(s *Server) {
		s.Of("/ns").OnConnection(func(s *Socket) {
			_ = s.Emit("auth", s.Handshake().Auth)
		})
		s.Of("/no").Use(func(*Socket) error { return &Error{Message: "no", Data: 7} })
	})
}

func TestOldClientsConnect(t *testing.T) {
	t.Parallel()
	s := oldServer(t)
	p, sid := dialOld(t, s)
	p.expect("40")
	p.send("40/ns?a=1&b=x%20y,")
	p.expect("40/ns,", `42/ns,["auth",{"a":"1","b":"x y"}]`)
	p.send("40/no,")
	p.expect("44/no,7")
	p.send("40/nope,")
	p.expect(`44/nope,{"message":"Invalid namespace"}`)

	for name, ns := range map[string]*Namespace{sid: s.Of("/"), "/ns#" + sid: s.Of("/ns")} {
		sock, err := ns.Socket(name)
		require.NoError(t, err, name)
		require.Equal(t, name, sock.ID())
		require.Equal(t, []string{name}, sock.Rooms())
		sock.Join(name, "r") // its own room, and another
		require.Equal(t, []string{name, "r"}, sock.Rooms())
		require.NoError(t, ns.To(name).Emit("you", []byte{1}))
		head := strings.TrimSuffix(ns.Name(), "/")
		if head != "" {
			head += ","
		}
		p.expect("451-"+head+`["you",{"_placeholder":true,"num":0}]`, "b:\x04\x01")
	}
	_, err := s.Of("/").Socket("/ns#" + sid)
	require.ErrorIs(t, err, ErrNoSocket)
	s.Of("/ns").Disconnect("/ns#"+sid, false)
	p.expect("41/ns,")
	p.send("40") // they never ask for "/"
	p.expect("close 1005")
}

// The id of a new client's connection is its secret: it names no socket.
func TestConnectionIDsOfNewClientsNameNothing(t *testing.T) {
	t.Parallel()
	s := oldServer(t)
	p := dialRaw(t, s, "")
	var open struct{ SID string }
	require.NoError(t, json.Unmarshal([]byte(p.next()[1:]), &open))
	id := p.join("/", "")
	_, err := s.Socket(id)
	require.NoError(t, err)
	_, err = s.Socket(open.SID)
	require.ErrorIs(t, err, ErrNoSocket)
}

func TestOldAndNewClientsGetTheSameBroadcast(t *testing.T) {
	t.Parallel()
	s := oldServer(t)
	a, _ := dialOld(t, s)
	b, _ := dialOld(t, s)
	a.expect("40")
	b.expect("40")
	c := connect(t, s)
	for range 3 {
		require.NoError(t, s.Emit("all", []byte{9}))
	}
	const text = `451-["all",{"_placeholder":true,"num":0}]`
	for range 3 {
		a.expect(text, "b:\x04\x09")
		b.expect(text, "b:\x04\x09")
		c.expect(text, "b:\x09")
	}
}
