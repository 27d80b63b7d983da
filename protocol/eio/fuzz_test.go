package eio_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/eio"
)

func FuzzParseText(f *testing.F) {
	for _, text := range []string{
		"", "4hello", "2", "3probe", "1", "5", "6", "0{}", "7", "bAQIDBA==", "bAQIDBA", "b", "b=",
		"4a\x1e4b", "4hello\x1ebAQIDBA==", "\x1e", "4é\u2028",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := eio.ParseText(b)
		if err == nil {
			again, err := eio.ParseText(eio.AppendPacket(nil, p))
			require.NoError(t, err)
			require.Equal(t, p.Type, again.Type)
			require.Equal(t, p.Binary, again.Binary)
			require.True(t, bytes.Equal(p.Data, again.Data))
		} else {
			require.ErrorIs(t, err, eio.ErrParse)
		}

		// The same bytes as a payload: what is read, written again, is the
		// same payload up to the first bad packet.
		var out []byte
		it := eio.IterPayload(b)
		n := 0
		for it.Next() {
			out = eio.AppendPayload(out, it.Packet())
			n++
		}
		if it.Err() == nil {
			require.Equal(t, bytes.Count(b, []byte{eio.Separator})+1, n)
		}
		if n > 0 {
			again := eio.IterPayload(out)
			for again.Next() {
				n--
			}
			require.NoError(t, again.Err())
			require.Zero(t, n)
		}
	})
}

// model is a session as the protocol tells it, with two real timers.
type model struct {
	interval, timeout uint64
	pingAt, deadAt    uint64 // 0: timer not running
	extended, over    bool
}

func (m *model) receive(now uint64, p eio.Packet) (deliver bool, reason eio.Reason) {
	if m.over {
		return false, eio.ReasonNone
	}
	switch p.Type {
	case eio.Pong:
		m.deadAt, m.pingAt = 0, now+m.interval
		return false, eio.ReasonNone
	case eio.Close:
		m.over = true
		return false, eio.ReasonTransportClose
	case eio.Ping:
		m.over = true
		return false, eio.ReasonTransportError
	}
	if m.deadAt != 0 && !m.extended {
		m.deadAt, m.extended = now+m.timeout, true
	}
	return p.Type == eio.Message, eio.ReasonNone
}

// expire runs the timers that are due, and returns what they did.
func (m *model) expire(now uint64) eio.Action {
	switch {
	case m.over:
	case m.pingAt != 0 && now >= m.pingAt:
		m.pingAt, m.deadAt, m.extended = 0, now+m.timeout, false
		return eio.ActionSendPing
	case m.deadAt != 0 && now >= m.deadAt:
		m.over = true
		return eio.ActionClose
	}
	return eio.ActionNone
}

// FuzzSession drives a session with one lazy timer, and the model tick by
// tick: both must do the same things at the same ticks. A byte of steps is a
// packet to receive (low digit) and the ticks to wait before it.
func FuzzSession(f *testing.F) {
	f.Add(uint32(0), uint8(25), uint8(20), uint8(3), []byte{0x34, 0x83, 0x44, 0xf3})
	f.Add(uint32(1<<32-3), uint8(3), uint8(2), uint8(0), []byte{0x33, 0x13, 0x34, 0x34, 0x34, 0x92})
	f.Add(uint32(1<<31-2), uint8(2), uint8(200), uint8(1), []byte{0x23, 0x13, 0x25, 0xf4, 0xf6, 0xf1})
	f.Fuzz(func(t *testing.T, zero uint32, interval, timeout, jitter uint8, steps []byte) {
		c := &eio.Config{PingInterval: uint32(interval), PingTimeout: uint32(timeout)}
		var s eio.Session
		m := model{interval: max(uint64(interval), 1), timeout: max(uint64(timeout), 1)}
		next := uint64(s.Start(c, zero, uint32(jitter)))
		require.NotZero(t, next)
		require.LessOrEqual(t, next, m.interval)
		m.pingAt = next
		timer := next // tick at which the owner's timer fires; 0: off
		now := uint64(0)
		wait := func() {
			now++
			require.Equal(t, !m.over && m.deadAt != 0 && now >= m.deadAt && !m.extended,
				s.Overdue(zero+uint32(now)), "tick %d", now)
			want := m.expire(now)
			got := eio.ActionNone
			if timer == now {
				var rest uint32
				if got, rest = s.Tick(c, zero+uint32(now)); rest > 0 {
					timer = now + uint64(rest)
				} else {
					timer = 0
				}
			}
			require.Equal(t, want, got, "tick %d", now)
		}
		for _, step := range steps {
			for range step >> 4 {
				wait()
			}
			p := eio.Packet{Type: eio.PacketType('0' + step&7%7)}
			deliver, reason := m.receive(now, p)
			a, gotReason := s.Receive(c, zero+uint32(now), p)
			require.Equal(t, reason, gotReason)
			require.Equal(t, deliver, a == eio.ActionDeliver)
			require.Equal(t, reason != eio.ReasonNone, a == eio.ActionClose)
		}
		for range 600 { // without a pong it must end
			wait()
		}
		require.True(t, s.Closed())
		require.True(t, m.over)
	})
}
