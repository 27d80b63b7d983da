package msgpack_test

import (
	"testing"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

func chat() []any {
	return []any{map[string]any{"room": "r1", "msg": "hello world", "n": 17, "list": []any{1, 2.5, true, nil}}}
}

func BenchmarkDecode(b *testing.B) {
	message, err := msgpack.AppendEvent(nil, "/chat", -1, "message", chat())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, _, err := msgpack.Decode(buf, message, msgpack.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromText(b *testing.B) {
	text, _, err := sio.AppendEvent(nil, "/chat", -1, "message", chat())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := msgpack.FromText(buf, text, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	args := chat()
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := msgpack.AppendEvent(buf, "/chat", -1, "message", args); err != nil {
			b.Fatal(err)
		}
	}
}
