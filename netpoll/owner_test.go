package netpoll

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type countingOwner int

func (o *countingOwner) Sent() { *o++ }

func TestOwnersGetMessagesBackOnceWritten(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	p, f := r.openWS()
	var o countingOwner
	send := func(m *Msg) { p.SendOwned(m, &o) }

	send(text("alone"))
	require.Zero(t, o, "it waits")
	r.turns()
	require.EqualValues(t, 1, o)
	m := text("again")
	send(m)
	r.turns()
	require.EqualValues(t, 2, o)
	p.Send(m) // by then without an owner
	r.turns()
	require.EqualValues(t, 2, o)
	require.Contains(t, string(f.read()), "alone\x81\x05again\x81\x05again")

	p.Send(text("first"))
	send(text("behind it"))
	r.turns()
	require.EqualValues(t, 2, o, "crowds are left to the collector")
	require.Contains(t, string(f.read()), "first\x81\x09behind it")

	// Half of it is still to be written.
	big := NewMsgWire(make([]byte, 4<<20), 1)
	send(big)
	r.turns()
	require.EqualValues(t, 2, o)
	require.Same(t, big, p.first)
	p.Abort(ErrTimeout)
	r.turns()
	require.EqualValues(t, 2, o, "dropped with the connection")
	send(text("too late"))
	require.EqualValues(t, 2, o)
}

// Who takes what is pending of a connection without a socket has it, and may
// hand it on.
func TestOwnersDoNotGetBackWhatIsTaken(t *testing.T) {
	r := newRig(t, Options{}, &echoHandler{})
	d := &drained{echoPeer: echoPeer{h: &echoHandler{}}}
	require.True(t, r.l.OpenDetached(d))
	var o countingOwner
	d.SendOwned(text("taken"), &o)
	d.SetReady(true)
	r.turns()
	require.Len(t, d.out, 1)
	d.SetReady(false)
	d.SendOwned(text("moved"), &o)

	w, f := r.openWS()
	w.SendOwned(text("the socket's own"), &o)
	d.Adopt(&w.Conn)
	r.turns()
	require.Contains(t, string(f.read()), "the socket's own\x81\x05moved")
	require.EqualValues(t, 1, o)
}
