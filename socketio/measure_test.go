package socketio

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// above returns how many values are above a bound.
func above(t *testing.T, h Histogram, bound float64) (n uint64) {
	t.Helper()
	at := slices.Index(h.Bounds, bound)
	require.GreaterOrEqual(t, at, 0, "%v is no bound", bound)
	for _, v := range h.Counts[at+1:] {
		n += v
	}
	return n
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	for _, v := range []int64{0, 1, 2, 3, 5, 6, 50_000, 50_001, 1 << 40} {
		h.observe(v, &fanoutBounds)
	}
	h.weigh(2, 8, &fanoutBounds)
	var got Histogram
	h.add(&got, &fanoutBounds, 1)
	require.Equal(t, []float64{0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000},
		got.Bounds)
	require.Equal(t, []uint64{1, 1, 9, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, got.Counts)
	require.EqualValues(t, 17, got.Count())
	require.EqualValues(t, 17+50_000+50_001+1<<40+16, got.Sum)
	for _, b := range [][buckets]int64{timeBounds, fanoutBounds} {
		require.True(t, slices.IsSorted(b[:]))
		require.Len(t, slices.Compact(slices.Clone(b[:])), buckets)
	}
}

func TestHandlerTimes(t *testing.T) {
	t.Parallel()
	const slow = 3 * time.Millisecond
	nap := func(*Socket, *Event) { time.Sleep(slow) }
	s := serve(t, Options{Loops: 1}, func(s *Server) {
		s.On("worker", nap)
		s.On("inline", nap, Inline())
		s.On("dies", func(*Socket, *Event) { panic("on purpose") })
		s.On("done", func(k *Socket, _ *Event) { _ = k.Emit("done") })
	})
	p := connect(t, s)
	for _, name := range []string{"worker", "inline", "dies", "nobody listens"} {
		p.send(`42["`+name+`"]`, `42["done"]`)
		p.expect(`42["done"]`)
	}
	p.send(`42["done"]`) // alone in its turn: it is timed, and stands for others before it
	p.expect(`42["done"]`)
	soon(t, "all to be counted", func() bool { h := s.Stats().HandlerTimes; return h.Count() == 9 })
	h := s.Stats().HandlerTimes
	require.GreaterOrEqual(t, above(t, h, 0.0025), uint64(2), "%v", h)
	require.GreaterOrEqual(t, h.Sum, 2*slow.Seconds())
}

// The share of a busy turn's events that is timed stands for all of them.
func TestHandlerTimesOfABusyLoop(t *testing.T) {
	t.Parallel()
	ran := 0
	s := serve(t, Options{Loops: 1}, func(s *Server) {
		s.On("in", func(*Socket, *Event) { ran++ }, Inline())
	})
	connect(t, s)
	soon(t, "connected", func() bool { return s.Stats().Sockets["/"] == 1 })
	list, err := s.LocalSockets(bounded(t))
	require.NoError(t, err)
	k := list[0]
	soon(t, "ready", func() bool { return k.is(stRan) })
	require.NoError(t, k.loop().do(func(lp *loop) {
		for range 10*timedEvery + 1 {
			k.c.Message(ws.OpText, []byte(`42["in"]`), false)
		}
		require.Equal(t, 10*timedEvery+1, ran)
		var h Histogram
		lp.m.handlers.add(&h, &timeBounds, 1)
		require.EqualValues(t, ran, h.Count())
		weights := 0
		for range 1000 {
			if w := lp.timed(); w > 0 {
				require.EqualValues(t, timedEvery, w)
				weights++
			}
		}
		require.Equal(t, 1000/timedEvery, weights)
	}))
}

func TestAckTimes(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	peers, sockets := crowd(t, s, 3)
	answer := func(p *peer) {
		id := strings.TrimSuffix(strings.TrimPrefix(p.next(), "42"), `["q"]`)
		p.send("43" + id + "[]")
	}
	go answer(peers[0])
	_, err := sockets[0].EmitWithAck(bounded(t), "q")
	require.NoError(t, err)
	st := s.Stats()
	require.EqualValues(t, 1, st.AckTimes.Count())
	require.Positive(t, st.AckTimes.Sum)
	require.Zero(t, st.AckTimeouts)

	_, err = sockets[1].Timeout(time.Millisecond).EmitWithAck(context.Background(), "q")
	require.ErrorIs(t, err, ErrTimeout)
	late, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = sockets[1].EmitWithAck(late, "q")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	over := make(chan error, 1)
	require.NoError(t, sockets[1].Timeout(time.Millisecond).EmitFunc(
		func(_ *Ack, err error) { over <- err }, "q"))
	require.ErrorIs(t, receive(t, over), ErrTimeout)
	require.EqualValues(t, 3, s.Stats().AckTimeouts)

	// Neither a caller that gives up nor a client that leaves is late.
	ctx, give := context.WithCancel(context.Background())
	give()
	_, err = sockets[1].EmitWithAck(ctx, "q")
	require.ErrorIs(t, err, context.Canceled)

	go answer(peers[0])
	go answer(peers[2])
	_, err = s.Timeout(200*time.Millisecond).EmitWithAck(context.Background(), "q")
	require.ErrorIs(t, err, ErrTimeout)
	st = s.Stats()
	require.EqualValues(t, 3, st.AckTimes.Count(), "two of three have answered")
	require.EqualValues(t, 4, st.AckTimeouts, "one has not")
}

// A broadcast is counted once, with its receivers on all loops, whatever others
// it was delivered together with.
func TestFanouts(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 2, EventNames: []string{"news", "told"}}, func(s *Server) {
		s.On("told", func(*Socket, *Event) {})
	})
	peers, sockets := crowd(t, s, 7)
	for _, k := range sockets[:5] {
		k.Join("room")
	}
	const many = 300
	for range many {
		require.NoError(t, s.To("room").Emit("news"))
	}
	require.NoError(t, s.To("empty").Emit("other"))
	require.NoError(t, s.Emit("other"))
	require.NoError(t, s.To(sockets[0].ID()).Emit("other"))
	require.NoError(t, sockets[6].Emit("news"))
	peers[1].send(`42["told"]`, `42["unknown"]`, `42["told"]`)
	soon(t, "all to be delivered", func() bool {
		st := s.Stats()
		return st.Fanouts.Count() == many+3 && st.Events == 3 && st.Emits >= 1
	})
	st := s.Stats()
	require.EqualValues(t, 5*many+7+1, st.Fanouts.Sum)
	require.EqualValues(t, st.Deliveries, st.Fanouts.Sum)
	require.EqualValues(t, 1, st.Fanouts.Counts[0], "the empty room")
	require.EqualValues(t, 1, st.Fanouts.Counts[1], "one socket")
	require.EqualValues(t, many, st.Fanouts.Counts[3])
	require.EqualValues(t, 1, st.Fanouts.Counts[4], "everybody")
	require.EqualValues(t, many+3, st.Encodes)
	require.Equal(t, map[string]uint64{"news": 0, "told": 2, "": 1}, st.EventsByName)
	require.Equal(t, map[string]uint64{"news": 5*many + 1, "told": 0, "": 8}, st.SentByName)
}

// Clients of another parser cost an encoding more, together.
func TestEncodesOfMsgpack(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	connect(t, s)
	for range 3 {
		dial(t, s).pack("0")
	}
	soon(t, "joined", func() bool { return s.Stats().Sockets["/"] == 4 })
	require.NoError(t, s.Emit("news"))
	soon(t, "delivered", func() bool { return s.Stats().Deliveries == 4 })
	require.EqualValues(t, 2, s.Stats().Encodes)
	require.Equal(t, map[string]uint64{"": 4}, s.Stats().SentByName, "no names are told apart")
	require.Equal(t, map[string]uint64{"": 0}, s.Stats().EventsByName)
}

// Gauges come back to zero, whatever way the connections end.
func TestGaugesReturn(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	peers, sockets := crowd(t, s, 4)
	for i, k := range sockets {
		k.Join("a", "b")
		if i == 0 {
			k.Leave("b")
		}
	}
	poll := pollDial(t, s)
	soon(t, "members", func() bool { return s.Stats().RoomMembers == 7 })
	require.Equal(t, 4, s.Stats().WebSockets)
	big := strings.Repeat("x", 1000)
	require.NoError(t, s.Emit("big", big)) // waits for the poll
	soon(t, "output to wait", func() bool { return s.Stats().QueuedBytes > 1000 })
	got, _ := poll.get()
	require.Contains(t, got, big)
	soon(t, "nothing to wait", func() bool { return s.Stats().QueuedBytes == 0 })
	require.NoError(t, s.Emit("big", big))
	for _, p := range peers {
		require.NoError(t, p.conn.Close())
	}
	poll.post("1")
	soon(t, "nothing to be left", func() bool {
		st := s.Stats()
		return st.QueuedBytes == 0 && st.WebSockets == 0 && st.RoomMembers == 0 && st.Detached == 0
	})
}

func TestEventNamesAreChecked(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{""}, {"a", "a"}, {"\xff"}, {strings.Repeat("x", 129)},
		slices.Repeat([]string{"x"}, 257),
	} {
		_, err := NewServer(Options{EventNames: names})
		var bad *OptionError
		require.True(t, errors.As(err, &bad), "%.40q", names)
		require.Equal(t, "EventNames", bad.Field)
	}
}
