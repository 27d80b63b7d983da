package netpoll

import (
	"bytes"
	"io"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

func TestCalmFollowsTheReads(t *testing.T) {
	t.Parallel()
	var c calm
	reads := func(n int) (direct int) {
		for range n {
			if c.direct() {
				direct++
			}
		}
		return direct
	}
	for range calmAfter {
		require.Zero(t, reads(calmReads))
		c.turn()
	}
	require.True(t, c.on)
	c.turn() // somebody has posted
	require.True(t, c.on)

	require.Equal(t, calmProbe-1, reads(calmProbe-1))
	c.reads = 0 // as turns that follow a read leave it
	require.Equal(t, 0, reads(1), "the probe")
	require.Equal(t, calmReads, reads(calmReads), "read before its turn comes")
	c.turn()
	require.False(t, c.on, "many at a time: the byte serves them all")
	require.Zero(t, reads(calmReads))
	c.turn()
	require.False(t, c.on)
}

// A loop whose turns send to many takes the byte, so that what comes meanwhile
// shares their writes.
func TestCalmEndsWithManyReceivers(t *testing.T) {
	t.Parallel()
	c := calm{on: true, quiet: calmAfter}
	c.sent(calmSends)
	require.True(t, c.direct())
	c.sent(calmSends + 1)
	require.False(t, c.direct())
	c.turn()
	require.False(t, c.on, "quiet turns are counted anew")
}

// A busy loop does not let all of a round's reads wait for the byte, unless
// their messages go to many.
func TestBusyLoopsTurnBetweenReads(t *testing.T) {
	mute := false
	h := &echoHandler{}
	h.message = func(p *echoPeer, op ws.OpCode, b []byte, _ bool) {
		if !mute {
			p.Send(NewMsg(op, b))
		}
	}
	r := newRig(t, Options{}, h)
	p, f := r.openWS()
	wait, stop := r.pipe()
	defer stop()
	reads := func(n int) (turns uint64) {
		before := r.l.n.turns
		for range n {
			r.l.read(&p.Conn, clientFrame(ws.OpText, true, []byte("hello")))
		}
		return r.l.n.turns - before
	}
	require.Zero(t, reads(turnReads-1))
	require.Empty(t, f.read())
	require.EqualValues(t, 1, reads(1))
	require.Len(t, f.read(), turnReads*len("..hello"))
	require.True(t, r.l.armed.Load(), "by the first message")
	require.EqualValues(t, 1, reads(turnReads))
	require.Equal(t, 1, wait(), "bytes in the pipe")
	r.l.turn()
	require.False(t, r.l.armed.Load())

	mute = true
	require.EqualValues(t, 1, reads(turnReads))
	require.False(t, r.l.armed.Load(), "nobody has written a byte")
	r.l.arm()
	require.Equal(t, 1, wait())
	r.l.turn()

	r.l.appends = 2*turnReads + 1
	require.Zero(t, reads(turnReads))

	r.l.Post(taskFunc(func(*Loop) bool {
		require.Zero(t, reads(2*turnReads), "of a task")
		return false
	}))
	r.l.turn()
}

// A client that waits for each answer costs its own system calls and hardly
// more: few bytes wake the loop.
func TestCalmLoopsWriteFewBytes(t *testing.T) {
	s := startEcho(t, Options{Loops: 1}, &echoHandler{})
	c := dial(t, s)
	wire := clientFrame(ws.OpText, true, bytes.Repeat([]byte("x"), 64))
	buf := make([]byte, 66)
	echo := func(n int) {
		for range n {
			_, err := c.Write(wire)
			require.NoError(t, err)
			_, err = io.ReadFull(c, buf)
			require.NoError(t, err)
		}
	}
	echo(4 * calmAfter)
	before := s.Stats().Loops[0]
	const messages = 800
	echo(messages)
	after := s.Stats().Loops[0]
	// The ticker wakes a loop ten times a second, too.
	require.Less(t, after.Wakes-before.Wakes, uint64(messages/4))
	require.GreaterOrEqual(t, after.Turns-before.Turns, uint64(messages-1))
}
