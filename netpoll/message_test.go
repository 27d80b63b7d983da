package netpoll

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// received is a message as Peer.Message saw it.
type received struct {
	op    ws.OpCode
	b     []byte
	owned bool
}

// collect is a handler that keeps what it gets.
func collect(got *[]received, closed *error) *echoHandler {
	return &echoHandler{
		message: func(_ *echoPeer, op ws.OpCode, b []byte, owned bool) {
			if !owned {
				b = bytes.Clone(b)
			}
			*got = append(*got, received{op, b, owned})
		},
		closed: func(_ *echoPeer, err error) { *closed = err },
	}
}

// feed gives p bytes in reads of at most 64 KiB from a buffer that is used
// again, as gnet does.
func feed(p *echoPeer, b []byte, cut func(left int) int) {
	buf := make([]byte, 64<<10)
	for len(b) > 0 && p.link != nil {
		n := min(len(b), len(buf))
		if cut != nil {
			n = min(n, cut(len(b)))
		}
		p.traffic(buf[:copy(buf, b[:n])])
		for i := range buf[:n] {
			buf[i] = 0xee
		}
		b = b[n:]
	}
}

func TestMessageLimit(t *testing.T) {
	const limit = 100_000
	fragmented := func(n int) []byte {
		b := clientFrame(ws.OpBinary, false, make([]byte, n/2))
		b = append(b, clientFrame(ws.OpPing, true, nil)...)
		return append(b, clientFrame(ws.OpContinuation, true, make([]byte, n-n/2))...)
	}
	for name, wire := range map[string]func(n int) []byte{
		"one frame":  func(n int) []byte { return clientFrame(ws.OpBinary, true, make([]byte, n)) },
		"fragmented": fragmented,
		"only the header": func(n int) []byte {
			return clientFrame(ws.OpBinary, true, make([]byte, n))[:14]
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []received
			var why error
			r := newRig(t, Options{MaxMessage: limit}, collect(&got, &why))
			p, f := r.openWS()
			feed(p, wire(limit), nil)
			r.turns()
			require.True(t, p.Alive())
			if name == "only the header" {
				require.Empty(t, got)
				p, f = r.openWS()
			} else {
				require.Len(t, got, 1)
				require.Len(t, got[0].b, limit)
				require.True(t, got[0].owned)
				f.read()
			}
			feed(p, wire(limit+1), nil)
			r.turns()
			_, frames := countFrames(f.read())
			last := frames[len(frames)-1]
			require.Equal(t, 1009, int(binary.BigEndian.Uint16(last)))
			require.ErrorIs(t, why, ErrTooLarge)
			require.True(t, finFrom(f))
			require.Equal(t, uint64(1), r.s.Stats().Drops["message_too_large"])
		})
	}
	// A length that does not fit an int must not wrap around.
	for _, n := range []uint64{1 << 62, 1<<63 - 1} {
		var got []received
		var why error
		r := newRig(t, Options{MaxMessage: limit}, collect(&got, &why))
		p, _ := r.openWS()
		p.traffic(append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n), 1, 2, 3, 4))
		require.ErrorIs(t, why, ErrTooLarge)
	}
}

// A large message lies in one buffer of exactly its size, which is the
// receiver's.
func TestLargeMessageIsOneExactBuffer(t *testing.T) {
	for _, n := range []int{70_000, 1_000_000, 16 << 20} {
		var got []received
		var why error
		r := newRig(t, Options{MaxMessage: 16 << 20}, collect(&got, &why))
		p, _ := r.openWS()
		body := make([]byte, n)
		for i := range body {
			body[i] = byte(i * 7)
		}
		wire := clientFrame(ws.OpBinary, true, body)
		feed(p, wire[:9], nil)
		feed(p, wire[9:], nil)
		require.Len(t, got, 1)
		require.True(t, got[0].owned)
		require.Equal(t, n, cap(got[0].b))
		require.Equal(t, crc32.ChecksumIEEE(body), crc32.ChecksumIEEE(got[0].b))
		require.Nil(t, p.in)
	}
}

// Tiny fragments must cost linear time and memory: growing by doubling copies
// each byte a few times, growing by each fragment thousands of times.
func TestTinyFragmentsAreLinear(t *testing.T) {
	const fragments, size = 10_000, 50
	var got []received
	var why error
	r := newRig(t, Options{}, collect(&got, &why))
	p, _ := r.openWS()
	var wire, want []byte
	for i := range fragments {
		op := ws.OpContinuation
		if i == 0 {
			op = ws.OpText
		}
		b := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		want = append(want, b...)
		wire = append(wire, clientFrame(op, i == fragments-1, b)...)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	feed(p, wire, nil)
	runtime.ReadMemStats(&after)
	require.Len(t, got, 1)
	require.Equal(t, string(want), string(got[0].b))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*len(want)), "bytes allocated")
	require.Less(t, after.Mallocs-before.Mallocs, uint64(500), "allocations")
}

// Mixed frames cut anywhere arrive whole, in order.
func TestRandomCuts(t *testing.T) {
	for seed := range uint64(2) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var got []received
		var why error
		r := newRig(t, Options{}, collect(&got, &why))
		p, f := r.openWS()
		var wire []byte
		var want []received
		pings := 0
		for range 400 {
			size := [...]int{rnd.IntN(10), rnd.IntN(130), rnd.IntN(2000), rnd.IntN(265_000)}[min(rnd.IntN(12), 3)*rnd.IntN(2)]
			b := make([]byte, size)
			op := ws.OpBinary
			if rnd.IntN(2) == 0 {
				op = ws.OpText
				b = []byte(strings.Repeat("aé€𝄞", size/10))
			} else {
				for i := range b {
					b[i] = byte(rnd.Uint32())
				}
			}
			want = append(want, received{op: op, b: b})
			for first := true; ; first = false {
				n := len(b)
				if rnd.IntN(3) == 0 {
					n = rnd.IntN(n + 1)
				}
				o := ws.OpContinuation
				if first {
					o = op
				}
				fin := n == len(b) && rnd.IntN(4) > 0
				fr := ws.NewFrame(o, fin, b[:n])
				fr = ws.MaskFrameWith(fr, [4]byte(binary.BigEndian.AppendUint32(nil, rnd.Uint32())))
				wire = append(wire, ws.MustCompileFrame(fr)...)
				b = b[n:]
				if rnd.IntN(4) == 0 {
					wire = append(wire, clientFrame(ws.OpPing, true, make([]byte, rnd.IntN(126)))...)
					pings++
				}
				if fin {
					break
				}
			}
		}
		pongs := 0
		feed(p, wire, func(left int) int {
			r.turns()
			n, _ := countFrames(f.read())
			pongs += n
			return 1 + rnd.IntN([...]int{1, 3, 20, 1500, 100_000}[rnd.IntN(5)])
		})
		r.turns()
		n, _ := countFrames(f.read())
		require.NoError(t, why)
		require.Equal(t, pings, pongs+n)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].op, got[i].op)
			require.Equal(t, crc32.ChecksumIEEE(want[i].b), crc32.ChecksumIEEE(got[i].b), "message %d", i)
		}
		require.Nil(t, p.in, "nothing is kept between messages")
	}
}

// RFC 6455 sections 5.5.1 and 7.4: what a client says and what it hears.
func TestCloseCodes(t *testing.T) {
	code := func(n int, reason string) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(n)), reason...)
	}
	for name, c := range map[string]struct {
		in   []byte
		want []byte
		err  error
	}{
		"normal":          {clientFrame(ws.OpClose, true, code(1000, "bye")), code(1000, ""), &CloseError{Code: 1000, Reason: "bye"}},
		"own code":        {clientFrame(ws.OpClose, true, code(4321, "")), code(4321, ""), &CloseError{Code: 4321}},
		"no code":         {clientFrame(ws.OpClose, true, nil), nil, &CloseError{Code: 1005}},
		"one byte":        {clientFrame(ws.OpClose, true, []byte{3}), code(1002, ""), nil},
		"reserved code":   {clientFrame(ws.OpClose, true, code(1005, "")), code(1002, ""), nil},
		"unused code":     {clientFrame(ws.OpClose, true, code(999, "")), code(1002, ""), nil},
		"reason no UTF-8": {clientFrame(ws.OpClose, true, code(1000, "\xff")), code(1007, ""), ErrUTF8},
		"text no UTF-8":   {clientFrame(ws.OpText, true, []byte("\xff")), code(1007, ""), ErrUTF8},
		"not masked":      {ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))), code(1002, ""), nil},
		"RSV":             {[]byte{0xc1, 0x80, 0, 0, 0, 0}, code(1002, ""), nil},
		"opcode 3":        {[]byte{0x83, 0x80, 0, 0, 0, 0}, code(1002, ""), nil},
		"long ping":       {clientFrame(ws.OpPing, true, make([]byte, 126)), code(1002, ""), nil},
		"fragmented ping": {clientFrame(ws.OpPing, false, nil), code(1002, ""), nil},
		"continuation":    {clientFrame(ws.OpContinuation, true, nil), code(1002, ""), nil},
		"text in text": {append(clientFrame(ws.OpText, false, nil),
			clientFrame(ws.OpText, true, nil)...), code(1002, ""), nil},
	} {
		for _, bytewise := range []bool{false, true} {
			var got []received
			var why error
			r := newRig(t, Options{}, collect(&got, &why))
			p, f := r.openWS()
			var cut func(int) int
			if bytewise {
				cut = func(int) int { return 1 }
			}
			feed(p, append(bytes.Clone(c.in), clientFrame(ws.OpText, true, []byte("ignored"))...), cut)
			r.turns()
			out := f.read()
			require.NotEmpty(t, out, name)
			require.Equal(t, byte(0x88), out[0], name)
			n, frames := countFrames(out)
			require.Equal(t, 1, n, name)
			require.Equal(t, string(c.want), string(frames[0][:min(2, len(frames[0]))]), name)
			require.Empty(t, got, name)
			require.True(t, finFrom(f), name)
			switch {
			case c.err != nil:
				require.Equal(t, c.err, why, name)
			default:
				var pe *ProtocolError
				require.ErrorAs(t, why, &pe, name)
			}
			r.tick(uint32(DefaultCloseTimeout / tickLength))
			require.True(t, f.closed, "a client that stays is cut")
			r.requireEmpty()
		}
	}
}

// Our close waits for the peer's, but not for ever; code 0 sends none.
func TestCloseHandshakeFromTheServer(t *testing.T) {
	for _, answered := range []bool{true, false} {
		var got []received
		var why error
		r := newRig(t, Options{}, collect(&got, &why))
		p, f := r.openWS()
		p.Send(number(7))
		p.CloseWS(0, "not sent")
		r.turns()
		_, frames := countFrames(f.read())
		require.Equal(t, [][]byte{{0, 0, 0, 7}, {}}, frames, "behind what waits, without a code")
		require.False(t, p.Alive())
		require.NoError(t, why)
		feed(p, clientFrame(ws.OpText, true, []byte("on its way")), nil)
		require.Empty(t, got, "ignored after our close")
		if answered {
			feed(p, clientFrame(ws.OpClose, true, []byte{3, 232}), nil)
			require.Equal(t, &CloseError{Code: 1000, Local: true}, why)
			require.True(t, f.closed)
		} else {
			r.tick(uint32(DefaultCloseTimeout/tickLength) - 1)
			require.False(t, f.closed)
			r.tick(uint32(DefaultCloseTimeout / tickLength))
			require.True(t, f.closed)
			require.ErrorIs(t, why, ErrTimeout)
		}
	}
	t.Run("a long reason is cut", func(t *testing.T) {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.openWS()
		p.CloseWS(4000, strings.Repeat("x", 500))
		r.turns()
		_, frames := countFrames(f.read())
		require.Len(t, frames[0], 125)
	})
	t.Run("a reason is cut between runes", func(t *testing.T) {
		r := newRig(t, Options{}, &echoHandler{})
		p, f := r.openWS()
		p.CloseWS(4000, strings.Repeat("é", 100))
		r.turns()
		_, frames := countFrames(f.read())
		require.NoError(t, ws.CheckCloseFrameData(4000, string(frames[0][2:])))
	})
}

// The last bytes before a close are not lost, even with unread input.
func TestCloseFrameSurvivesUnreadInput(t *testing.T) {
	h, up := conns()
	s := startEcho(t, Options{Loops: 1, MaxMessage: 1000}, h)
	for range 20 {
		c := connect(t, s, 0)
		<-up
		// More than one read; the second half is never looked at.
		c.send(ws.OpBinary, make([]byte, 300_000))
		require.Equal(t, 1009, c.closeCode())
		_, err := c.br.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		_ = c.Close()
	}
}
