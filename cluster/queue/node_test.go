package queue

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// packed turns notation into MessagePack: 'text' stands for a string of less
// than 256 bytes with its head, the rest is hexadecimal.
func packed(t testing.TB, notation string) []byte {
	t.Helper()
	var b []byte
	for i, part := range strings.Split(notation, "'") {
		if i%2 == 1 {
			b = append(append(b, 0xd9, byte(len(part))), part...)
			continue
		}
		digits, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		require.NoError(t, err)
		b = append(b, digits...)
	}
	return b
}

func TestNodeBroadcast(t *testing.T) {
	t.Parallel()
	const head, noOpts = "93 'emitter' 83 'type' 02 'data' ", " 83 'rooms' 90 'flags' 80 'except' 90"
	for _, c := range []struct{ name, channel, body, want string }{
		{"to all", "#/#", head + "92 'ev' 01 'nsp' '/'" + noOpts, `2["ev",1] to all`},
		{"namespace", "#/chat#", head + "91 'ev' 'nsp' '/chat'" + noOpts, `2/chat,["ev"] to all`},
		{"one room", "#/#r#", head + "91 'ev' 'nsp' '/' 83 'rooms' 91 'r' 'flags' 80 'except' 90", `2["ev"] to ["r"]`},
		{"rooms", "#/#", head + "91 'ev' 'nsp' '/' 83 'rooms' 92 'a' 07 'flags' 82 'volatile' c3 'compress' c2 'except' 91 's'",
			`2["ev"] to ["a" "7"] except ["s"] volatile plain`},
		{"compress", "#/#", head + "91 'ev' 'nsp' '/' 81 'flags' 81 'compress' c3", `2["ev"] to all`},
		{"binary", "#/#", head + "93 'ev' c40101 c40102 'nsp' '/'" + noOpts,
			`52-["ev",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] 01 02 to all`},
		{"type of a binary event", "#/#", "93 'x' 83 'type' 05 'data' 92 'ev' c40101 'nsp' '/'" + noOpts,
			`51-["ev",{"_placeholder":true,"num":0}] 01 to all`},
		{"unknown", "#/no#", head + "91 'ev' 'nsp' '/no'" + noOpts, "unknown namespace"},

		{"nothing", "#/#", "", "error: a broadcast: socket.io: malformed msgpack"},
		{"no list", "#/#", "01", "error: a broadcast is no list of three"},
		{"short", "#/#", "91 01", "error: a broadcast is no list of three"},
		{"no packet", "#/#", "93 01 01 01", "error: the packet: no JSON object"},
		{"no options", "#/#", "93 01 80 01", "error: the options: no JSON object"},
		{"more behind", "#/#", head + "91 'ev' 'nsp' '/'" + noOpts + "c0", "error: a broadcast: socket.io: malformed msgpack"},
		{"another channel", "#/chat#", head + "91 'ev' 'nsp' '/'" + noOpts, "error: a packet for namespace \"/\" in the channel of another"},
		{"another type", "#/#", "93 'e' 83 'type' 03 'data' 91 'ev' 'nsp' '/'" + noOpts, "error: a packet of type 3"},
		{"no data", "#/#", "93 'e' 82 'type' 02 'nsp' '/'" + noOpts, "error: data is no list"},
		{"no name", "#/#", head + "91 01 'nsp' '/'" + noOpts, "error: the event's name is no string"},
		{"reserved", "#/#", head + "91 'connect' 'nsp' '/'" + noOpts, "error: "},
		{"rooms of another kind", "#/#", head + "91 'ev' 'nsp' '/' 81 'rooms' 91 c3", "error: rooms is neither"},
		{"namespace of another kind", "#/#", head + "91 'ev' 'nsp' 01" + noOpts, "error: nsp is no string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := told(readBroadcast(c.channel, packed(t, c.body)))
			if strings.HasPrefix(c.want, "error: ") {
				require.Contains(t, got, c.want)
				return
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestNodeRequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"type":2,"opts":{"rooms":["r"],"except":[]},"rooms":["q"]}`, `/: ["r"] join ["q"]`},
		{`{"type":3,"opts":{"rooms":[],"except":["x"]},"rooms":["q",1]}`, `/: all except ["x"] leave ["q" "1"]`},
		{`{"type":4,"opts":{"rooms":["s"],"except":[]},"close":true}`, `/: disconnect ["s"] true`},
		{`{"type":4,"opts":{"rooms":["s"],"except":[]},"close":false}`, `/: disconnect ["s"] false`},
		{`{"uid":"emitter","type":6,"data":["sse",1]}`, `server 2["sse",1]`},
		{`{"type":2,"requestId":"x","sid":"s","room":"r"}`, `/: ["s"] join ["r"]`},
		{`{"type":4,"requestId":"x","sid":"s","close":true}`, `/: disconnect ["s"] true`},
		{`{"type":5,"requestId":"x"}`, "error: not for this server"},

		{`{"type":4,"requestId":"x"}`, "error: no sid"},
		{`{"type":2,"opts":{"rooms":["r"]}}`, "error: no rooms to join or leave"},
		{`{"type":2,"opts":1,"rooms":["r"]}`, "error: opts: no JSON object"},
		{`{"type":4,"opts":{"rooms":[{}]}}`, "error: rooms is neither"},
		{`{"type":77}`, "error: a request of type 77"},
		{`{}`, "error: a request of type "},
		{`{`, "error: a request: no JSON object"},
		{``, "error: an empty request"},
		{`x`, "error: a request: no JSON object"},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			got := told(readRequest("#/#", []byte(c.body)))
			if strings.HasPrefix(c.want, "error: ") {
				require.Contains(t, got, c.want)
				return
			}
			require.Equal(t, c.want, got)
		})
	}
	t.Run("msgpack", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, `/chat: ["r"] join ["q"]`, told(readRequest("#/chat#",
			packed(t, "83 'type' 02 'opts' 82 'rooms' 91 'r' 'except' 90 'rooms' 91 'q'"))))
		require.Equal(t, `server 51-/chat,["sse",{"_placeholder":true,"num":0}] 07`, told(readRequest("#/chat#",
			packed(t, "83 'uid' 'x' 'type' 06 'data' 92 'sse' c40107"))))
	})
}

func TestNodeChannels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefix, channel, rest string
		request, ok           bool
	}{
		{"socket.io", "socket.io#/#", "#/#", false, true},
		{"socket.io", "socket.io#/chat#a#b#", "#/chat#a#b#", false, true},
		{"socket.io", "socket.io-request#/#", "#/#", true, true},
		{"socket.io", "socket.io-response#/#", "-response#/#", false, false},
		{"a", "b#/#", "", false, false},
	} {
		rest, request, ok := split(c.prefix, c.channel)
		require.Equal(t, c.ok, ok, c.channel)
		require.Equal(t, c.request, request, c.channel)
		if ok {
			require.Equal(t, c.rest, rest, c.channel)
		}
	}
}
