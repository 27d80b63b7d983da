//go:build !race

package netpoll

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// allocs tells what one run of f allocates, and that f does work at all.
func allocs(t *testing.T, want float64, f func()) {
	t.Helper()
	require.LessOrEqual(t, testing.AllocsPerRun(200, f), want)
}

// discard takes what the client received without allocating.
func (f *fakeLink) discard() (n int) {
	for {
		k, err := unix.Read(f.far, discardBuf)
		if k <= 0 || err != nil {
			return n
		}
		n += k
	}
}

var discardBuf = make([]byte, 1<<20)

// silent receives messages and does nothing with them.
func silent() *echoHandler {
	return &echoHandler{message: func(*echoPeer, ws.OpCode, []byte, bool) {}}
}

// The upgrade reads the head in place: nothing beyond the connection.
func TestUpgradeAllocatesNothing(t *testing.T) {
	r := newRig(t, Options{}, silent())
	p, f := r.openWS()
	in := make([]byte, len(goodUpgrade))
	before := r.s.Stats().Upgrades
	allocs(t, 0, func() {
		p.state = stateHTTP
		copy(in, goodUpgrade)
		p.traffic(in)
		r.l.turn()
		f.discard()
	})
	require.Equal(t, before+201, r.s.Stats().Upgrades)
}

func TestFramesInAllocateNothing(t *testing.T) {
	text := clientFrame(ws.OpText, true, bytes.Repeat([]byte("x"), 64))
	ping := clientFrame(ws.OpPing, true, []byte("hello"))
	for name, c := range map[string]struct {
		wire []byte
		cut  int
	}{
		"text 64 B":         {text, 0},
		"text 4 KiB":        {clientFrame(ws.OpText, true, make([]byte, 4096)), 0},
		"ping":              {ping, 0},
		"pong":              {clientFrame(ws.OpPong, true, []byte("hello")), 0},
		"ping, split head":  {ping, 1},
		"ping, split mask":  {ping, 4},
		"ping, split body":  {ping, 8},
		"pong, split body":  {clientFrame(ws.OpPong, true, []byte("hello")), 8},
		"text, split head":  {text, 3},
		"many in one read":  {bytes.Repeat(append(bytes.Clone(text), ping...), 50), 0},
		"many, last is cut": {bytes.Repeat(ping, 50), 49*len(ping) + 7},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, silent())
			p, f := r.openWS()
			buf := make([]byte, len(c.wire))
			allocs(t, 0, func() {
				copy(buf, c.wire)
				if c.cut > 0 {
					p.traffic(buf[:c.cut])
				}
				p.traffic(buf[c.cut:])
				r.l.turn()
				f.discard()
			})
			require.True(t, p.Alive())
			require.GreaterOrEqual(t, r.l.n.framesIn, uint64(201))
		})
	}
}

// A large message costs its own buffer and, before that, a smaller one: its
// announced length alone reserves little.
func TestLargeMessageAllocatesItsBuffer(t *testing.T) {
	r := newRig(t, Options{}, silent())
	p, _ := r.openWS()
	wire := clientFrame(ws.OpBinary, true, make([]byte, 200_000))
	buf := make([]byte, 64<<10)
	allocs(t, 2, func() {
		for b := wire; len(b) > 0; {
			n := copy(buf, b)
			p.traffic(buf[:n])
			b = b[n:]
		}
	})
}

func TestSendingAllocatesNothing(t *testing.T) {
	const members = 100
	r := newRig(t, Options{}, silent())
	var ps []*echoPeer
	var fs []*fakeLink
	for range members {
		p, f := r.openWS()
		ps, fs = append(ps, p), append(fs, f)
	}
	m := NewMsg(ws.OpText, bytes.Repeat([]byte("x"), 64))
	for name, fill := range map[string]func(){
		"Send and flush": func() {
			for _, p := range ps {
				p.Send(m)
			}
		},
		"broadcast": func() {
			for _, p := range ps {
				p.SendBulk(m)
			}
		},
		"burst of 20 for each": func() {
			for range 20 {
				for _, p := range ps {
					p.SendBulk(m)
				}
			}
		},
		"PostSend": func() {
			for _, p := range ps {
				r.l.PostSend(&p.Conn, m)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func() {
				fill()
				for {
					r.l.turn()
					if !r.l.armed.Load() {
						break
					}
				}
				for _, f := range fs {
					if f.discard() == 0 {
						t.Error("nothing was sent")
					}
				}
			}
			run() // the rings and pools grow once
			run()
			allocs(t, 0, run)
		})
	}
}

// A timer that fires and is set again costs nothing.
func TestTimersAllocateNothing(t *testing.T) {
	fired := 0
	h := silent()
	h.timer = func(p *echoPeer) { fired++; p.SetTimer(1) }
	r := newRig(t, Options{}, h)
	p, _ := r.openWS()
	p.SetTimer(1)
	now := uint32(0)
	allocs(t, 0, func() {
		now++
		r.l.ticks.Store(now)
		r.l.turn()
	})
	require.Equal(t, 201, fired)
}
