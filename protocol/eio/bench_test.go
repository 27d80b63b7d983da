package eio_test

import (
	"testing"

	"github.com/throng-server/throng/protocol/eio"
)

func BenchmarkSessionTick(b *testing.B) {
	c := &eio.Config{PingInterval: 250, PingTimeout: 200}
	var s eio.Session
	now := uint32(0)
	next := s.Start(c, now, 0)
	b.ReportAllocs()
	for b.Loop() {
		var a eio.Action
		now += next
		if a, next = s.Tick(c, now); a == eio.ActionSendPing {
			s.Receive(c, now, eio.Packet{Type: eio.Pong})
		}
	}
}

func BenchmarkParseText(b *testing.B) {
	text := []byte(`42["ev","hello"]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := eio.ParseText(text); err != nil {
			b.Fatal(err)
		}
	}
}
