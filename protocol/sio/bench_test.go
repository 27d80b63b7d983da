package sio_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/throng-server/throng/protocol/sio"
)

// event returns an EVENT of about n bytes in the shape of real ones.
func event(n int) []byte {
	var b strings.Builder
	b.WriteString(`2["room_message",{"room":"r1","msg":"hello world"`)
	for i := 0; b.Len() < n-40; i++ {
		fmt.Fprintf(&b, `,"k%d":[%d,"some text here",true,1.5]`, i, i)
	}
	b.WriteString(`}]`)
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{64, 4096} {
		text := event(n)
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := sio.Parse(text, sio.DefaultMaxAttachments); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type chat struct {
	Room string   `json:"room"`
	Text string   `json:"text"`
	At   int64    `json:"at"`
	Tags []string `json:"tags,omitempty"`
}

func BenchmarkAppendEvent(b *testing.B) {
	p, err := sio.Parse(event(4096), sio.DefaultMaxAttachments)
	if err != nil {
		b.Fatal(err)
	}
	var small sio.Raw
	sio.Receive(&small, []byte(`"`+strings.Repeat("x", 62)+`"`), nil)
	for _, c := range []struct {
		name string
		arg  any
	}{
		{"string", "hello world"},
		{"struct", chat{"r1", "hello world", 1, []string{"a", "b"}}},
		{"map", map[string]any{"room": "r1", "text": "hello world", "at": 1, "ok": true}},
		{"bytes", []byte("hello world")},
		{"relay4096B", sio.Raw{JSON: p.Args}},
		{"relay64B", sio.Raw{JSON: small.JSON}},
		{"received64B", &small},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 8192)
			args := []any{c.arg}
			for b.Loop() {
				if _, _, err := sio.AppendEvent(buf, "/chat", -1, "room_message", args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeAny(b *testing.B) {
	p, err := sio.Parse(event(4096), sio.DefaultMaxAttachments)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := sio.Decode(p.Args, nil, &v); err != nil {
			b.Fatal(err)
		}
	}
}
