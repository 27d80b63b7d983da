package socketio

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	peers, sockets := crowd(t, s, 1)
	p, k := peers[0], sockets[0]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	type result struct {
		n   int
		err error
	}
	results := make(chan result, 4)
	ask := func(ctx context.Context, e Emitter) {
		a, err := e.EmitWithAck(ctx, "ask", 1)
		var n int
		if err == nil {
			err = a.Bind(&n)
		}
		results <- result{n, err}
	}
	go ask(ctx, k.Timeout(0))
	p.expect(`420["ask",1]`)
	p.send(`439[0]`, `43[0]`, `430[42]`, `430[43]`)
	require.Equal(t, result{42, nil}, receive(t, results))

	go ask(ctx, k.Timeout(20*time.Millisecond))
	p.expect(`421["ask",1]`)
	require.ErrorIs(t, receive(t, results).err, ErrTimeout)
	p.send(`431[1]`) // late: ignored

	short, stop := context.WithCancel(ctx)
	go ask(short, k.Timeout(0))
	p.expect(`422["ask",1]`)
	stop()
	require.ErrorIs(t, receive(t, results).err, context.Canceled)

	got := make(chan error, 1)
	require.NoError(t, k.EmitFunc(func(a *Ack, err error) {
		var b []byte
		if err == nil {
			err = a.Bind(&b)
		}
		if err == nil && string(b) != "blob" {
			err = fmt.Errorf("got %q", b)
		}
		got <- err
	}, "fn"))
	p.expect(`423["fn"]`)
	p.send(`461-3[{"_placeholder":true,"num":0}]`)
	p.write(2, []byte("blob"))
	require.NoError(t, receive(t, got))

	go ask(ctx, k.Timeout(0))
	p.expect(`424["ask",1]`)
	p.send(`434[]`)
	require.ErrorIs(t, receive(t, results).err, ErrNoArguments)

	go ask(ctx, k.Timeout(0))
	p.expect(`425["ask",1]`)
	soon(t, "registered", func() bool { return k.ext.Load() != nil })
	p.send("41")
	require.ErrorIs(t, receive(t, results).err, ErrDisconnected)
	require.ErrorIs(t, k.Emit("x"), ErrDisconnected)
	soon(t, "nothing is left of the answers", func() bool {
		x := k.ext.Load()
		return x == nil || len(x.asks) == 0
	})
}

// An acknowledgement does not wait for handlers: they may wait for it.
func TestAskFromHandler(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) {
		OnAck(s, "relay", func(ctx context.Context, k *Socket, in string) (string, error) {
			return Ask[string](ctx, k, "question", in)
		})
	})
	p := connect(t, s)
	p.send(`427["relay","a"]`, `428["relay","b"]`)
	p.expect(`420["question","a"]`)
	p.send(`430["A"]`)
	got := []string{p.next(), p.next()}
	require.Equal(t, []string{`437["A"]`, `421["question","b"]`}, got)
	p.send(`431["B"]`)
	p.expect(`438["B"]`)
}

func TestBroadcastAcknowledgements(t *testing.T) {
	eachLoops(t, func(t *testing.T, loops int) {
		s := serve(t, Options{Loops: loops}, nil)
		peers, _ := crowd(t, s, 6)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		type result struct {
			list []Answer
			err  error
		}
		results := make(chan result, 1)
		ask := func(b Broadcast) {
			l, err := b.EmitWithAck(ctx, "ask")
			results <- result{l, err}
		}
		reply := func(id int, peers ...*peer) {
			for i, p := range peers {
				p.expect(fmt.Sprintf(`42%d["ask"]`, id))
				p.send(fmt.Sprintf(`43%d[%d]`, id, i))
			}
		}
		go ask(s.All())
		reply(0, peers...)
		r := receive(t, results)
		require.NoError(t, r.err)
		require.Len(t, r.list, 6)
		for _, a := range r.list {
			var n int
			require.NoError(t, a.Bind(&n))
			require.Equal(t, peers[n].sid, a.From)
		}

		go ask(s.Timeout(100 * time.Millisecond))
		reply(1, peers[:2]...)
		r = receive(t, results)
		require.ErrorIs(t, r.err, ErrTimeout)
		require.Len(t, r.list, 2)
		for _, p := range peers[2:] {
			p.expect(`421["ask"]`)
		}

		go ask(s.To("nobody"))
		require.Equal(t, result{}, receive(t, results))

		go ask(s.All())
		reply(3, peers[:5]...)
		peers[5].expect(`423["ask"]`)
		_ = peers[5].conn.Close()
		r = receive(t, results)
		require.ErrorIs(t, r.err, ErrDisconnected)
		require.Len(t, r.list, 5)
		for i := range s.loops {
			lp := s.loops[i].Load()
			soon(t, "tables are empty", func() bool {
				n := -1
				require.NoError(t, lp.do(func(lp *loop) { n = len(lp.asks) }))
				return n == 0
			})
		}
	})
}
