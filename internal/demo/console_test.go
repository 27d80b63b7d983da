package demo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// consoles runs a test with both spellings. name spells an event.
func consoles(t *testing.T, f func(t *testing.T, join func() *peer, name func(string) string)) {
	for nsp, blank := range map[string]string{"/test,": " ", "": "_"} {
		t.Run("blank"+blank, func(t *testing.T) {
			t.Parallel()
			addr := start(t)
			name := func(event string) string { return strings.ReplaceAll(event, " ", blank) }
			join := func() *peer {
				p := dial(t, addr, nsp)
				p.hears(name("my response"), obj{"data": "Connected", "count": 0})
				return p
			}
			f(t, join, name)
		})
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	consoles(t, func(t *testing.T, join func() *peer, name func(string) string) {
		response := name("my response")
		a, b := join(), join()

		a.emit(name("my event"), obj{"data": "one"})
		a.hears(response, obj{"data": "one", "count": 1})
		a.emit(name("my event"), obj{"data": obj{"any": []int{1}}})
		a.hears(response, obj{"data": obj{"any": []int{1}}, "count": 2})

		a.emit(name("my broadcast event"), obj{"data": "all"})
		a.hears(response, obj{"data": "all", "count": 3})
		b.hears(response, obj{"data": "all", "count": 3})

		// The counter is the session's own.
		b.emit(name("my event"), obj{"data": "first"})
		b.hears(response, obj{"data": "first", "count": 1})

		a.emit(name("my ping"), nil)
		require.Empty(t, a.next(name("my pong")))
	})
}

func TestConsoleRooms(t *testing.T) {
	t.Parallel()
	consoles(t, func(t *testing.T, join func() *peer, name func(string) string) {
		response := name("my response")
		a, b, c := join(), join(), join()

		a.emit("join", obj{"room": "a"})
		a.hears(response, obj{"data": "In rooms: a", "count": 1})
		a.emit("join", obj{"room": "b"})
		a.hears(response, obj{"data": "In rooms: a, b", "count": 2})
		b.emit("join", obj{"room": "a"})
		b.hears(response, obj{"data": "In rooms: a", "count": 1})
		c.emit("join", obj{"room": "c"})
		c.hears(response, obj{"data": "In rooms: c", "count": 1})

		// Also from somebody who is not in the room.
		c.emit(name("my room event"), obj{"room": "a", "data": "to a"})
		a.hears(response, obj{"data": "to a", "count": 2})
		b.hears(response, obj{"data": "to a", "count": 2})

		a.emit("leave", obj{"room": "b"})
		a.hears(response, obj{"data": "In rooms: a", "count": 3})

		c.emit(name("close room"), obj{"room": "a"})
		a.hears(response, obj{"data": "Room a is closing.", "count": 3})
		b.hears(response, obj{"data": "Room a is closing.", "count": 3})

		// Nobody hears this, and a and b are still connected.
		c.emit(name("my room event"), obj{"room": "a", "data": "lost"})
		c.emit(name("my broadcast event"), obj{"data": "heard"})
		c.hears(response, obj{"data": "heard", "count": 5})
		a.hears(response, obj{"data": "heard", "count": 5})
		b.hears(response, obj{"data": "heard", "count": 5})
		b.emit("leave", obj{"room": "a"})
		b.hears(response, obj{"data": "In rooms: ", "count": 2})
	})
}

func TestConsoleDisconnects(t *testing.T) {
	t.Parallel()
	consoles(t, func(t *testing.T, join func() *peer, name func(string) string) {
		a, b := join(), join()
		a.emit(name("disconnect request"), nil)
		a.hears(name("my response"), obj{"data": "Disconnected!", "count": 1})
		require.NotEmpty(t, a.asked)
		begin := time.Now()
		a.write("43" + a.nsp + a.asked + "[]")
		event, _ := a.event()
		require.Equal(t, "disconnect", event)
		require.Less(t, time.Since(begin), goodbye)

		// A client that does not acknowledge is disconnected a little later.
		b.emit(name("disconnect request"), nil)
		b.hears(name("my response"), obj{"data": "Disconnected!", "count": 1})
		event, _ = b.event()
		require.Equal(t, "disconnect", event)
	})
}

func TestConsoleBackgroundTask(t *testing.T) {
	t.Parallel()
	addr := start(t)
	test, root := dial(t, addr, "/test,"), dial(t, addr, "")
	for _, p := range []*peer{test, root} {
		require.NoError(t, p.conn.SetDeadline(time.Now().Add(2*generateEvery+patience)))
	}
	generated := func(p *peer, response string) (a answer) {
		t.Helper()
		for a.Data != "Server generated event" {
			require.NoError(t, json.Unmarshal(p.next(response), &a))
		}
		return a
	}
	first := generated(test, "my response")
	require.Equal(t, 1, first.Count)
	require.Equal(t, first, generated(root, "my_response")) // one task, not two
}

func TestConsoleEchoesUnknownEvents(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, test := dial(t, addr, ""), dial(t, addr, "/test,")
	a.hears("my_response", obj{"data": "Connected", "count": 0})
	a.emit("something else", obj{"two": 2})
	a.hears("my_response", obj{"data": []any{"something else", obj{"two": 2}}, "count": 1})
	a.write(`42["nothing"]`)
	a.hears("my_response", obj{"data": []any{"nothing"}, "count": 2})

	// Only in the namespace /.
	test.hears("my response", obj{"data": "Connected", "count": 0})
	test.emit("something else", 1)
	test.emit("my event", obj{"data": "next"})
	test.hears("my response", obj{"data": "next", "count": 1})
}

func TestConsoleRefusesWrongPayloads(t *testing.T) {
	t.Parallel()
	consoles(t, func(t *testing.T, join func() *peer, name func(string) string) {
		a := join()
		for event, msg := range map[string]string{
			"my event": "data is missing", "my broadcast event": "data is missing",
			"my room event": "data is missing", "close room": "room is missing",
			"leave": "room is missing", "join": "a room's name has 1 to 64 bytes",
		} {
			a.emit(name(event), obj{})
			a.refused(name(event), msg)
			a.emit(name(event), "no object")
			a.refused(name(event), "the payload is not what this event needs")
		}
		a.emit(name("my room event"), obj{"data": 1})
		a.refused(name("my room event"), "room is missing")
		a.emit(name("my event"), obj{"data": nil})
		a.hears(name("my response"), obj{"data": nil, "count": 1})
	})
}
