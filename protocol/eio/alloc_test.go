//go:build !race

package eio_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/eio"
)

// Not parallel: AllocsPerRun counts the whole process.
func TestAllocations(t *testing.T) {
	c := &eio.Config{PingInterval: 250, PingTimeout: 200}
	var s eio.Session
	now := uint32(0)
	next := s.Start(c, now, 0)
	pong := []byte("3")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += next
		if _, next = s.Tick(c, now); next == 0 {
			t.Fatal("the session has ended")
		}
		p, err := eio.ParseText(pong)
		if err != nil {
			t.Fatal(err)
		}
		s.Receive(c, now, p)
	}))
	buf := make([]byte, 0, 256)
	open := eio.OpenInfo{SID: "OwRO2D75f5hMpP3VAAAA", PingInterval: time.Second, MaxPayload: 1e6}
	require.Zero(t, testing.AllocsPerRun(100, func() { eio.AppendOpen(buf, open) }))

	require.EqualValues(t, 8, unsafe.Sizeof(s))
	s.Start3(c, now)
	ping := []byte("2:4013:42[\"auth\",{}]1:2")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		it := eio.IterPayload3(ping)
		for it.Next() {
			s.Receive(c, now, it.Packet())
			buf = eio.AppendPayload3(buf[:0], it.Packet())
			buf = eio.AppendBinaryPayload3(buf[:0], it.Packet())
		}
		if it.Err() != nil || s.Closed() {
			t.Fatal("the session has ended")
		}
		buf = eio.AppendJSONP(buf[:0], "0", ping)
	}), "revision 3")
}
