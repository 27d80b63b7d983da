package cluster_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/protocol/sio"
)

// shelf keeps what is published.
type shelf struct {
	ops    []cluster.Op
	err    error
	closed int
}

func (s *shelf) Publish(entry []byte) error {
	op, err := cluster.Parse(bytes.Clone(entry))
	if err != nil {
		return err
	}
	s.ops = append(s.ops, op)
	return s.err
}

func (s *shelf) Close() error {
	s.closed++
	return nil
}

// frames are the messages of a body, as a WebSocket reader sees them.
func frames(t *testing.T, body []byte) (list []string) {
	t.Helper()
	for r := bytes.NewReader(body); r.Len() > 0; {
		h, err := ws.ReadHeader(r)
		require.NoError(t, err)
		require.True(t, h.Fin)
		require.False(t, h.Masked)
		require.LessOrEqual(t, h.Length, int64(r.Len()))
		payload := make([]byte, h.Length)
		_, err = io.ReadFull(r, payload)
		require.NoError(t, err)
		kind := map[ws.OpCode]string{ws.OpText: "text ", ws.OpBinary: "binary "}[h.OpCode]
		list = append(list, kind+string(payload))
	}
	return list
}

func TestEmitter(t *testing.T) {
	t.Parallel()
	var s shelf
	e := cluster.NewEmitter(&s)
	last := func() cluster.Op {
		op := s.ops[len(s.ops)-1]
		op.Body = nil
		return op
	}
	body := func() []string { return frames(t, s.ops[len(s.ops)-1].Body) }

	require.NoError(t, e.Emit("ev", map[string]int{"a": 1}, "b"))
	require.Equal(t, cluster.Op{Kind: cluster.Emit, NS: "/"}, last())
	require.Equal(t, []string{`text 42["ev",{"a":1},"b"]`}, body())

	room := e.Of("chat").To("r", "s").Except("x").Volatile().Compress(false)
	require.NoError(t, room.Emit("ev", []byte("bin")))
	require.Equal(t, cluster.Op{Kind: cluster.Emit, NS: "/chat", Rooms: []string{"r", "s"},
		Except: []string{"x"}, Flags: cluster.Volatile | cluster.Plain}, last())
	require.Equal(t, []string{`text 451-/chat,["ev",{"_placeholder":true,"num":0}]`, "binary bin"}, body())

	require.NoError(t, room.Compress(true).Emit("ev"))
	require.Equal(t, cluster.Volatile, last().Flags)
	for _, n := range []int{100, 60000, 70000} {
		long := strings.Repeat("x", n)
		require.NoError(t, e.Emit("ev", long, []byte(long)))
		require.Equal(t, "binary "+long, body()[1])
	}

	require.NoError(t, e.To("id").SocketsJoin("a", "b"))
	require.Equal(t, cluster.Op{Kind: cluster.Join, NS: "/", Rooms: []string{"id"},
		Names: []string{"a", "b"}}, last())
	require.NoError(t, e.Except("id").SocketsLeave("a"))
	require.Equal(t, cluster.Op{Kind: cluster.Leave, NS: "/", Except: []string{"id"},
		Names: []string{"a"}}, last())
	require.NoError(t, e.In("id").DisconnectSockets(false))
	require.Equal(t, cluster.Op{Kind: cluster.Disconnect, NS: "/", Rooms: []string{"id"}}, last())
	require.NoError(t, e.Of("/chat").DisconnectSockets(true))
	require.Equal(t, cluster.Op{Kind: cluster.Disconnect, NS: "/chat", Flags: cluster.Close}, last())
	require.NoError(t, room.CloseRoom("a"))
	require.Equal(t, cluster.Op{Kind: cluster.CloseRoom, NS: "/chat", Names: []string{"a"}}, last())
	require.NoError(t, room.ServerSideEmit("cache", 1))
	require.Equal(t, cluster.Op{Kind: cluster.ServerEvent, NS: "/chat"}, last())
	require.Equal(t, "\x0c2[\"cache\",1]\x00", string(s.ops[len(s.ops)-1].Body))
	require.NoError(t, room.ServerSideEmit("cache", []byte("bin")))
	require.Contains(t, string(s.ops[len(s.ops)-1].Body), "]\x01\x03bin")

	// Selections do not share what is added to one of them.
	base := e.To("a", "b", "c")
	one, two := base.To("d"), base.To("e")
	require.NoError(t, one.Emit("ev"))
	require.Equal(t, []string{"a", "b", "c", "d"}, last().Rooms)
	require.NoError(t, two.Emit("ev"))
	require.Equal(t, []string{"a", "b", "c", "e"}, last().Rooms)
}

func TestEmitterErrors(t *testing.T) {
	t.Parallel()
	var s shelf
	e := cluster.NewEmitter(&s)
	require.ErrorContains(t, e.Emit("connect"), "reserved")
	require.ErrorContains(t, e.ServerSideEmit("connection"), "reserved")
	require.ErrorContains(t, e.Emit("ev", func() {}), "argument")
	require.ErrorContains(t, e.Of("/a,b").Emit("ev"), "comma")
	require.ErrorContains(t, e.To(make([]string, cluster.MaxNames+1)...).Emit("ev"), "too many rooms")
	atts := make([]any, sio.DefaultMaxAttachments+1)
	for i := range atts {
		atts[i] = []byte{byte(i)}
	}
	require.ErrorContains(t, e.Emit("ev", atts...), "11 binary values")
	require.Empty(t, s.ops)
	s.err = errors.New("away")
	require.ErrorIs(t, e.Emit("ev"), s.err)

	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	require.Equal(t, 1, s.closed)
	require.ErrorIs(t, e.To("r").Emit("ev"), cluster.ErrClosed)
	require.NoError(t, cluster.NewEmitter(struct{ cluster.Publisher }{&s}).Close())
}
