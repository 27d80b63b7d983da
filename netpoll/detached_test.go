package netpoll

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// drained is an echoPeer that may be detached.
type drained struct {
	echoPeer
	out [][]byte
}

func (d *drained) Drain() {
	for _, m := range d.TakePending(nil) {
		d.out = append(d.out, m.Wire())
	}
}

func text(s string) *Msg { return NewMsg(ws.OpText, []byte(s)) }

func TestDetached(t *testing.T) {
	r := newRig(t, Options{MaxPendingFrames: 8, MaxConns: 2}, &echoHandler{})
	var err error
	d := &drained{echoPeer: echoPeer{h: &echoHandler{closed: func(_ *echoPeer, e error) { err = e }}}}
	require.True(t, r.l.OpenDetached(d))
	require.True(t, d.Alive())
	require.False(t, d.Writable(), "nobody is there to take it")
	require.Same(t, &d.Conn, r.l.At(d.Slot()))
	d.Send(text("a"))
	d.SendBulk(text("b"))
	r.turns()
	require.Empty(t, d.out)
	d.SetReady(true)
	r.turns()
	require.Len(t, d.out, 2)
	require.True(t, d.Writable())
	d.Send(text("c"))
	r.turns()
	require.Len(t, d.out, 3)
	d.SetReady(false)
	for range 8 {
		d.Send(text("x"))
	}
	r.turns()
	require.NoError(t, err)
	d.Send(text("x"))
	r.turns()
	require.ErrorIs(t, err, ErrSlowConsumer, "its limits hold")
	require.Nil(t, r.l.At(d.slot))
	require.Zero(t, r.s.detached.Load())

	for i := range 3 {
		require.Equal(t, i < 2, r.l.OpenDetached(&drained{echoPeer: echoPeer{h: r.h}}))
	}
}

// A detached connection takes a socket over in the middle of a read: frames
// behind the message are its own, one that is cut included.
func TestAdopt(t *testing.T) {
	h := &echoHandler{}
	r := newRig(t, Options{}, h)
	p, f := r.openWS()
	var got []string
	d := &drained{echoPeer: echoPeer{h: &echoHandler{
		message: func(_ *echoPeer, _ ws.OpCode, b []byte, _ bool) { got = append(got, string(b)) }}}}
	require.True(t, r.l.OpenDetached(d))
	slot := d.Slot()
	d.Send(text("waited"))
	h.message = func(p *echoPeer, _ ws.OpCode, b []byte, _ bool) {
		p.Send(text("first"))
		d.Adopt(&p.Conn)
	}
	wire := clientFrame(ws.OpText, true, []byte("take it"))
	wire = append(wire, clientFrame(ws.OpText, true, []byte("mine"))...)
	last := clientFrame(ws.OpText, true, bytes.Repeat([]byte("x"), 300))
	wire = append(wire, last[:100]...)
	p.traffic(wire)
	require.Equal(t, []string{"mine"}, got)
	f.ctx.(*Conn).traffic(last[100:])
	require.Len(t, got, 2)
	require.Len(t, got[1], 300)
	require.Equal(t, slot, d.Slot())
	require.False(t, p.Alive())
	require.Zero(t, h.closes.Load(), "its owner has given it away")
	p.Send(text("lost"))
	d.Send(text("last"))
	r.turns()
	n, payloads := countFrames(f.read())
	require.Equal(t, 3, n)
	require.Equal(t, "first waited last", string(bytes.Join(payloads, []byte(" "))))
	require.EqualValues(t, 1, r.s.open.Load())
	require.Zero(t, r.s.detached.Load())
	require.Nil(t, r.l.movedFrom)
	d.Abort(nil)
	require.Zero(t, r.s.open.Load())
}

// A connection that somebody else has accepted is carried to a loop.
func TestTunnel(t *testing.T) {
	t.Parallel()
	h, up := conns()
	s := startEcho(t, Options{}, h)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	for range 4 {
		c, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		far, err := ln.Accept()
		require.NoError(t, err)
		require.NoError(t, s.Tunnel(far, []byte(goodUpgrade)))
		wc := &httpClient{Conn: c, t: t}
		cl := &wsClient{Conn: c, t: t, br: bufio.NewReader(c)}
		resp, err := http.ReadResponse(cl.br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		p := <-up
		var remote string
		onLoop(t, p.Loop(), func(*Loop) { remote = p.RemoteAddr().String() })
		require.Equal(t, c.LocalAddr().String(), remote)
		big := bytes.Repeat([]byte("x"), 300_000)
		wc.send(string(clientFrame(ws.OpBinary, true, big)))
		_, b := cl.next()
		require.Equal(t, big, b)
		if p.Slot()%2 == 0 {
			require.NoError(t, c.Close())
		} else {
			onLoop(t, p.Loop(), func(*Loop) { p.Abort(nil) })
			_, _, err := cl.frame()
			require.Error(t, err)
		}
	}
	eventually(t, "they end", func() bool { return s.Stats().Conns == 0 })
}
