package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBroadcast(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, ""), dial(t, addr, "")
	a.hears("status", obj{"msg": "Connected"})
	b.hears("status", obj{"msg": "Connected"})

	a.emit("message", obj{"msg": "hello"})
	a.hears("response", obj{"message": "hello"})
	b.hears("response", obj{"message": "hello"})

	a.emit("message", "just a text")
	a.hears("response", obj{"data": "Message received!"})

	// b hears this next: the answer above was for a alone.
	a.emit("message", obj{"msg": obj{"any": []any{"value", 1.5, nil}}})
	a.hears("response", obj{"message": obj{"any": []any{"value", 1.5, nil}}})
	b.hears("response", obj{"message": obj{"any": []any{"value", 1.5, nil}}})

	b.emit("chat message", "hi")
	a.hears("chat message", "hi")
	b.hears("chat message", "hi")
}

func TestBroadcastRefusesOtherPayloads(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, ""), dial(t, addr, "")
	b.hears("my_response", obj{"data": "Connected", "count": 0})
	for _, wrong := range []any{7, nil, []string{"a"}, obj{"text": "no msg"}} {
		a.emit("message", wrong)
		a.refused("message", "message needs a text or {msg}")
	}
	a.emit("chat message", obj{"msg": "no text"})
	a.refused("chat message", "the payload is not what this event needs")
	a.write(`42["chat message"]`)
	a.refused("chat message", "chat message needs a text")
	a.emit("chat message", "")
	a.hears("chat message", "")
	name, args := b.event() // the first thing b hears of all that
	require.Equal(t, "chat message", name)
	require.JSONEq(t, `""`, string(args[0]))
}
