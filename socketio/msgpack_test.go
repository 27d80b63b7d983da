package socketio

import (
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
)

// pack sends a packet, given as text, in msgpack.
func (p *peer) pack(text string, atts ...[]byte) {
	p.t.Helper()
	b, err := msgpack.FromText(nil, []byte(text), atts)
	require.NoError(p.t, err)
	p.write(ws.OpBinary, b)
}

// unpack reads a message and returns its packet as text.
func (p *peer) unpack() (text string, atts [][]byte) {
	p.t.Helper()
	got := p.next()
	require.Equal(p.t, "b:", got[:2], got)
	b, atts, err := msgpack.ToText(nil, []byte(got[2:]), msgpack.Limits{})
	require.NoError(p.t, err)
	return string(b), atts
}

func packServer(t *testing.T) *Server {
	return serve(t, Options{}, func(s *Server) {
		s.On("echo", func(s *Socket, e *Event) { _ = s.Emit("echo", e.Raw()...) })
		s.On("ack", func(_ *Socket, e *Event) { _ = e.Ack(e.Raw()...) })
	})
}

func TestMsgpackClients(t *testing.T) {
	t.Parallel()
	s := packServer(t)
	p := dial(t, s)
	p.pack("0")
	text, _ := p.unpack()
	require.Regexp(t, `^0\{"sid":"[\w-]{20}"\}$`, text)
	p.pack("0/nope,")
	text, _ = p.unpack()
	require.Equal(t, `4/nope,{"message":"Invalid namespace"}`, text)
	p.pack(`2["echo",1,{"a":[null,"ü"]}]`)
	text, _ = p.unpack()
	require.Equal(t, `2["echo",1,{"a":[null,"ü"]}]`, text)
	const args = `{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]`
	p.pack(`52-7["ack",`+args, []byte{1}, []byte{2, 3})
	text, atts := p.unpack()
	require.Equal(t, `62-7[`+args, text)
	require.Equal(t, [][]byte{{1}, {2, 3}}, atts)

	other := connect(t, s)
	for i := range 4 { // some of them merged
		require.NoError(t, s.Emit("all", i, []byte{9}))
	}
	for i := range 4 {
		want := `51-["all",` + string(rune('0'+i)) + `,{"_placeholder":true,"num":0}]`
		text, atts = p.unpack()
		require.Equal(t, want, text)
		require.Equal(t, [][]byte{{9}}, atts)
		other.expect("4"+want, "b:\x09")
	}
	p.send(`42["echo"]`) // not in this mode
	p.expect("close 1005")
}

func TestOnlyAConnectBeginsMsgpack(t *testing.T) {
	t.Parallel()
	s := packServer(t)
	for _, text := range []string{`2["echo"]`, "1", "3[]"} {
		p := dial(t, s)
		p.pack(text)
		p.expect("close 1005")
	}
	p := connect(t, s) // and not later
	p.pack("0/nope,")
	p.expect("close 1005")
	p = dial(t, s)
	p.write(ws.OpBinary, []byte{0x83, 0xff})
	p.expect("close 1005")
}
