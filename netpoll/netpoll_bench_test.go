package netpoll

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func quiet() *echoHandler {
	return &echoHandler{message: func(*echoPeer, ws.OpCode, []byte, bool) {}}
}

// soak empties a socket pair without allocating.
func soak(f *fakeLink, buf []byte) {
	for {
		if n, err := unix.Read(f.far, buf); n <= 0 || err != nil {
			return
		}
	}
}

// BenchmarkUpgrade is a whole handshake: parse, check, answer, write.
func BenchmarkUpgrade(b *testing.B) {
	r := newRig(b, Options{}, quiet())
	p, f := r.openWS()
	in, buf := make([]byte, len(goodUpgrade)), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		p.state = stateHTTP
		copy(in, goodUpgrade)
		p.traffic(in)
		r.l.turn()
		soak(f, buf)
	}
}

// BenchmarkFrameIn is a masked binary frame of a size, unmasked in place (its
// copy into the read buffer included).
func BenchmarkFrameIn(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 60 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := newRig(b, Options{}, quiet())
			p, _ := r.openWS()
			wire := clientFrame(ws.OpBinary, true, make([]byte, size))
			buf := make([]byte, len(wire))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, wire)
				p.traffic(buf)
			}
		})
	}
}

// BenchmarkTextIn adds the check of UTF-8.
func BenchmarkTextIn(b *testing.B) {
	r := newRig(b, Options{}, quiet())
	p, _ := r.openWS()
	wire := clientFrame(ws.OpText, true, bytes.Repeat([]byte("x"), 64))
	buf := make([]byte, len(wire))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, wire)
		p.traffic(buf)
	}
}

// BenchmarkPing is a ping and its pong on the socket.
func BenchmarkPing(b *testing.B) {
	r := newRig(b, Options{}, quiet())
	p, f := r.openWS()
	wire := clientFrame(ws.OpPing, true, []byte("hello"))
	in, buf := make([]byte, len(wire)), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		copy(in, wire)
		p.traffic(in)
		r.l.turn()
		soak(f, buf)
	}
}

// room opens members connections, as many as descriptors allow.
func room(b *testing.B, r *rig, members int) (ps []*echoPeer, fs []*fakeLink) {
	if _, most := r.s.FDLimit(); 2*members > most-100 {
		members = (most - 100) / 2
		b.Logf("descriptor limit: %d members", members)
	}
	require.Positive(b, members)
	for range members {
		p, f := r.openWS()
		ps, fs = append(ps, p), append(fs, f)
	}
	return ps, fs
}

// BenchmarkDistribute queues one shared message to 15,000 members; nothing is
// written.
func BenchmarkDistribute(b *testing.B) {
	const members = 15_000
	r := newRig(b, Options{}, quiet())
	_, f := r.openWS()
	ps := make([]*echoPeer, members)
	for i := range ps {
		p := &echoPeer{h: r.h}
		p.Conn = Conn{link: f, peer: p, loop: r.l, fd: -1, state: stateWS}
		ps[i] = p
	}
	m := NewMsg(ws.OpText, bytes.Repeat([]byte("x"), 64))
	b.ReportAllocs()
	for b.Loop() {
		r.l.appends = 0
		for _, p := range ps {
			p.SendBulk(m)
		}
		b.StopTimer()
		for r.l.bulk.len() > 0 {
			c := r.l.bulk.pop()
			c.flags &^= flagBulk
			c.dropPending()
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/delivery")
}

// BenchmarkFlush writes a broadcast of 1 or 64 messages to every member over
// socket pairs (up to 15,000 with enough descriptors).
func BenchmarkFlush(b *testing.B) {
	for _, burst := range []int{1, 64} {
		b.Run(fmt.Sprint("burst", burst), func(b *testing.B) {
			r := newRig(b, Options{}, quiet())
			ps, fs := room(b, r, 15_000)
			m := NewMsg(ws.OpText, bytes.Repeat([]byte("x"), 64))
			buf := make([]byte, 64<<10)
			b.ReportAllocs()
			for b.Loop() {
				for range burst {
					for _, p := range ps {
						p.SendBulk(m)
					}
				}
				for r.l.bulk.len() > 0 {
					r.l.turn()
				}
				b.StopTimer()
				for _, f := range fs {
					soak(f, buf)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/
				float64(burst*len(ps)), "ns/delivery")
		})
	}
}

// BenchmarkPostSend is what an emitter on another goroutine pays.
func BenchmarkPostSend(b *testing.B) {
	h, up := conns()
	s := startEcho(b, Options{Loops: 1, MaxPendingFrames: 1 << 30, MaxPendingBytes: 1 << 30}, h)
	go drain(connect(b, s, 0))
	p := <-up
	m := NewMsg(ws.OpText, bytes.Repeat([]byte("x"), 64))
	b.ReportAllocs()
	for b.Loop() {
		p.Loop().PostSend(&p.Conn, m)
	}
}

// BenchmarkPostTurn is the way to a loop and back.
func BenchmarkPostTurn(b *testing.B) {
	s := startEcho(b, Options{Loops: 1}, &echoHandler{})
	done := make(chan struct{})
	task := taskFunc(func(*Loop) bool { done <- struct{}{}; return false })
	b.ReportAllocs()
	for b.Loop() {
		s.Loops()[0].Post(task)
		<-done
	}
}

// BenchmarkEcho is a round trip through the kernel and a loop.
func BenchmarkEcho(b *testing.B) {
	h, up := conns()
	s := startEcho(b, Options{Loops: 1}, h)
	c := connect(b, s, 0)
	<-up
	wire := clientFrame(ws.OpText, true, bytes.Repeat([]byte("x"), 64))
	buf := make([]byte, 66)
	for b.Loop() {
		if _, err := c.Write(wire); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < len(buf); {
			k, err := c.br.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
}
