package netpoll

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// A client that stops reading costs at most its limit and is closed; those
// beside it get everything, in order.
func TestStuckClientIsBoundedAndClosed(t *testing.T) {
	const (
		readers, rounds, perRound = 30, 60, 64
		size, limit               = 1 << 10, 256 << 10
	)
	var cause atomic.Value
	h, up := conns()
	h.closed = func(_ *echoPeer, err error) {
		if errors.Is(err, ErrSlowConsumer) {
			cause.Store(err)
		}
	}
	s := startEcho(t, Options{Loops: 1, MaxPendingBytes: limit, SocketSendBuffer: 16 << 10}, h)
	l := s.Loops()[0]
	var members []*echoPeer
	var got sync.WaitGroup // all readers have the round
	for range readers {
		c := connect(t, s, 0)
		members = append(members, <-up)
		go func() {
			for i := range rounds * perRound {
				_, b, err := c.frame()
				if err != nil || len(b) != size || int(binary.BigEndian.Uint32(b)) != i {
					t.Errorf("message %d: %v, %d bytes", i, err, len(b))
				}
				if (i+1)%perRound == 0 {
					got.Done()
				}
			}
		}()
	}
	connect(t, s, 4<<10) // never reads
	stuck := <-up
	members = append(members, stuck)
	most, held := 0, 0
	for round := range rounds {
		got.Add(readers)
		onLoop(t, l, func(*Loop) {
			for k := range perRound {
				m := NewMsg(ws.OpBinary, binary.BigEndian.AppendUint32(
					make([]byte, 0, size), uint32(round*perRound+k))[:size])
				for _, p := range members {
					p.SendBulk(m)
				}
			}
			_, n := stuck.Pending()
			most = max(most, n)
			if stuck.link != nil {
				held = max(held, stuck.link.OutboundBuffered())
			}
		})
		got.Wait()
	}
	require.NotNil(t, cause.Load(), "the stuck client is told apart")
	require.Equal(t, uint64(1), s.Stats().Drops["slow_consumer"])
	require.Equal(t, readers, s.Stats().Conns)
	require.LessOrEqual(t, most, limit+perRound*(size+4), "pending output")
	require.LessOrEqual(t, held, batchBytes, "gnet's own buffer")
	require.Positive(t, held, "the client was slow indeed")
}

// A message over the limit reaches a client that has nothing else waiting, also
// while the loop does not know yet that its socket takes bytes again. Behind
// another one it is too much.
func TestOneMessageMayBeLargerThanTheLimit(t *testing.T) {
	const limit = 128 << 10
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxPendingBytes: limit, SocketSendBuffer: 64 << 10}, h)
	c := connect(t, s, 0)
	p := <-up
	fill := func(k int) *Msg { return NewMsg(ws.OpBinary, bytes.Repeat([]byte{byte(k)}, 4<<10)) }
	sent := 0
	// One at a time, until gnet has the rest of the last and the connection is
	// blocked with nothing on our list.
	for full := false; !full; {
		onLoop(t, p.Loop(), func(*Loop) {
			if full = p.flags&flagBlocked != 0; !full && p.first == nil {
				p.Send(fill(sent))
				sent++
			}
		})
	}
	large := bytes.Repeat([]byte("large"), limit/4)
	onLoop(t, p.Loop(), func(*Loop) { p.Send(NewMsg(ws.OpBinary, large)) })
	for k := range sent {
		_, b := c.next()
		require.Equal(t, fill(k).wire[4:], b, "message %d of %d", k, sent)
	}
	_, b := c.next()
	require.Equal(t, large, b)
	require.Zero(t, s.Stats().Drops["slow_consumer"])

	for waits := false; !waits; {
		onLoop(t, p.Loop(), func(*Loop) { p.Send(NewMsg(ws.OpBinary, large[:batchBytes])) })
		onLoop(t, p.Loop(), func(*Loop) { waits = p.flags&flagBlocked != 0 && p.first != nil })
	}
	onLoop(t, p.Loop(), func(*Loop) { p.Send(NewMsg(ws.OpBinary, large)) })
	eventually(t, "the client to be given up", func() bool {
		return s.Stats().Drops["slow_consumer"] == 1
	})
}

// A slow client that resumes below the limit has lost nothing.
func TestSlowClientThatResumesLosesNothing(t *testing.T) {
	const small, big = 3000, 16 << 20
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxPendingBytes: 64 << 20}, h)
	c := connect(t, s, 0)
	p := <-up
	sum := crc32.NewIEEE()
	onLoop(t, p.Loop(), func(*Loop) {
		for i := range small {
			b := bytes.Repeat([]byte{byte(i)}, i%300)
			if i == small/2 {
				b = make([]byte, big)
				for k := range b {
					b[k] = byte(k >> 8)
				}
			}
			sum.Write(b)
			p.SendBulk(NewMsg(ws.OpBinary, b))
		}
	})
	held := 0
	look := func() {
		onLoop(t, p.Loop(), func(*Loop) { held = max(held, p.link.OutboundBuffered()) })
	}
	eventually(t, "the socket to fill", func() bool { return s.Stats().Loops[0].Blocked == 1 })
	look()
	var waiting int
	var writable bool
	onLoop(t, p.Loop(), func(*Loop) { _, waiting = p.Pending(); writable = p.Writable() })
	require.Greater(t, waiting, big/2, "all but the first bytes wait on our list")
	require.False(t, writable)
	got := crc32.NewIEEE()
	for i := range small {
		_, b := c.next()
		got.Write(b)
		if i%100 == 0 {
			look()
		}
	}
	require.Equal(t, sum.Sum32(), got.Sum32())
	require.LessOrEqual(t, held, batchBytes, "gnet's own buffer")
	eventually(t, "the connection to be free again", func() bool {
		free := false
		onLoop(t, p.Loop(), func(*Loop) { free = p.Writable() && p.rest == nil && p.pendBytes == 0 })
		return free
	})
	require.Zero(t, s.Stats().Drops["slow_consumer"])
}

// A burst in one task is not the client's fault: it had no chance to read.
func TestBurstDoesNotCloseAHealthyClient(t *testing.T) {
	for name, send := range map[string]func(*Conn, *Msg){
		"direct": (*Conn).Send, "bulk": (*Conn).SendBulk,
	} {
		t.Run(name, func(t *testing.T) {
			const burst = 5 * DefaultMaxPendingFrames
			h, up := conns()
			s := startEcho(t, Options{Loops: 1, SocketSendBuffer: 2 << 20}, h)
			c := connect(t, s, 0)
			p := <-up
			onLoop(t, p.Loop(), func(*Loop) {
				for i := range burst {
					send(&p.Conn, number(i))
				}
			})
			for i := range burst {
				_, b := c.next()
				require.Equal(t, i, int(binary.BigEndian.Uint32(b)))
			}
			require.Zero(t, s.Stats().Drops["slow_consumer"])
		})
	}
}

// The same from outside of tasks: no task comes along to make room.
func TestBurstWithoutATaskComesToRest(t *testing.T) {
	const burst = DefaultMaxPendingFrames * 3 / 4
	fill := func(p *echoPeer) {
		for i := range burst {
			p.Send(number(i))
		}
	}
	h := &echoHandler{
		message: func(p *echoPeer, _ ws.OpCode, _ []byte, _ bool) { fill(p) },
		timer:   fill,
	}
	for from, provoke := range map[string]func(*rig, *echoPeer){
		"Message": func(_ *rig, p *echoPeer) {
			p.traffic(clientFrame(ws.OpText, true, []byte("x")))
		},
		"Timer": func(r *rig, p *echoPeer) {
			p.SetTimer(1)
			r.l.ticks.Store(1)
		},
	} {
		t.Run(from, func(t *testing.T) {
			r := newRig(t, Options{}, h)
			p, f := r.openWS()
			provoke(r, p)
			r.turns() // fails when the loop spins
			n, _ := countFrames(f.read())
			require.Equal(t, burst, n)
			require.Empty(t, r.l.urgent)
			require.False(t, r.l.Spent())
		})
	}
}

// A few bytes that ask for many: one read is not worked off to its end when
// the client takes no answers.
func TestRequestsInOneReadAreBounded(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 100<<10)
	http := bytes.Repeat([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2000)
	frames := bytes.Repeat(clientFrame(ws.OpText, true, nil), 10_000)
	var most int
	note := func(c *Conn) { _, n := c.Pending(); most = max(most, n) }
	var why error
	h := &echoHandler{
		request: func(c *Conn, r *Request) (Reply, bool) {
			note(c)
			return Reply{Status: 200, Body: body}, !r.Upgrade
		},
		message: func(p *echoPeer, op ws.OpCode, _ []byte, _ bool) {
			note(&p.Conn)
			p.Send(NewMsg(op, body))
		},
		closed: func(_ *echoPeer, err error) { why = err },
	}
	for name, input := range map[string][]byte{"requests": http, "frames": frames} {
		t.Run(name, func(t *testing.T) {
			most, why = 0, nil
			r := newRig(t, Options{}, h)
			open := r.open
			if name == "frames" {
				open = r.openWS
			}
			p, _ := open()
			p.traffic(input)
			note(&p.Conn)
			require.LessOrEqual(t, most, DefaultMaxPendingBytes+2*len(body))
			r.turns()
			require.ErrorIs(t, why, ErrSlowConsumer)
			require.Equal(t, uint64(1), r.s.Stats().Drops["slow_consumer"])
		})
	}
}

// Limits are looked at when the connection is known to be slow, and the turn
// closes it, not Send.
func TestLimitIsEnforcedByTheTurn(t *testing.T) {
	for name, o := range map[string]Options{
		"bytes": {MaxPendingBytes: 256 << 10}, "frames": {MaxPendingFrames: 64},
	} {
		t.Run(name, func(t *testing.T) {
			var why error
			r := newRig(t, o, &echoHandler{closed: func(_ *echoPeer, err error) { why = err }})
			p, f := r.openWS()
			f.outbound = []byte("held back by gnet")
			r.l.block(&p.Conn) // as handTail does
			p.Send(number(0))
			r.l.turn()
			require.False(t, p.Writable())
			payload := make([]byte, 8<<10)
			for range 65 {
				p.Send(NewMsg(ws.OpBinary, payload))
			}
			require.True(t, p.Alive(), "Send never closes")
			r.turns()
			require.ErrorIs(t, why, ErrSlowConsumer)
			require.True(t, f.closed)
			require.False(t, p.Alive())
			frames, n := p.Pending()
			require.Zero(t, frames+n, "nothing stays")
		})
	}
}
