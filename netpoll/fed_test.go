package netpoll

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// heard is a Sink that keeps what it gets.
type heard struct {
	bytes.Buffer
	writes int
}

func (h *heard) Wrote(_ *Conn, p []byte) {
	h.writes++
	h.Write(p)
}

func (h *heard) take() string {
	s := h.String()
	h.Reset()
	return s
}

func TestFedConnectionIsLikeAnyOther(t *testing.T) {
	r := newRig(t, Options{MaxConns: 2}, &echoHandler{})
	hear := new(heard)
	c := r.l.OpenFed(hear)
	closed := 0
	r.h.closed = func(p *echoPeer, _ error) {
		if &p.Conn == c {
			closed++
		}
	}
	require.NotNil(t, c)
	require.Same(t, c, r.l.At(c.Slot()))
	c.Feed([]byte(goodUpgrade[:40]))
	r.turns()
	require.Empty(t, hear.take())
	c.Feed([]byte(goodUpgrade[40:]))
	r.turns()
	require.Contains(t, hear.take(), "101 Switching")

	many := bytes.Repeat(clientFrame(ws.OpText, true, []byte("hello")), 20)
	hear.writes = 0
	c.Feed(many)
	r.turns()
	require.Equal(t, string(bytes.Repeat([]byte("\x81\x05hello"), 20)), hear.take())
	require.Equal(t, 1, hear.writes, "what one read has asked for leaves together")

	second := r.l.OpenFed(hear)
	require.NotNil(t, second)
	require.Nil(t, r.l.OpenFed(hear), "over the limit")
	second.Feed([]byte("GET / HTTP/1.1\r\nHost: h\r\n broken\r\n\r\n"))
	r.turns()
	require.Contains(t, hear.take(), "400 Bad Request")

	c.Feed(clientFrame(ws.OpClose, true, nil))
	r.turns()
	require.Equal(t, "\x88\x00", hear.take())
	c.Abort(nil)
	require.Equal(t, 1, closed)
	require.Nil(t, r.l.At(c.Slot()))
	c.Feed([]byte("late"))
	c.Abort(nil)
	require.Equal(t, 1, closed)
	again := r.l.OpenFed(hear)
	require.NotNil(t, again)
	require.Equal(t, c.Slot(), again.Slot(), "slots are used again")
	again.Abort(nil)
	second.Abort(nil)
}

// Feeding is for those without a socket: another's bytes come from the kernel.
func TestFeedNeedsAFedConnection(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	p, f := r.openWS()
	p.Feed(clientFrame(ws.OpText, true, []byte("hello")))
	r.turns()
	require.Empty(t, f.read())
}
