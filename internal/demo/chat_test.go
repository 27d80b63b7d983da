package demo

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChat(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, "/chat,"), dial(t, addr, "/chat,")

	a.emit("join_room", obj{"room": "kitchen"})
	a.hears("room_message", "Joined kitchen")
	b.emit("join_room", obj{"room": "kitchen"})
	a.hears("room_message", "Joined kitchen")
	b.hears("room_message", "Joined kitchen")

	a.emit("room_message", obj{"room": "kitchen", "msg": "<b>soup</b>"})
	a.hears("status", obj{"msg": "Message queued"})
	a.hears("room_message", "<b>soup</b>")
	b.hears("room_message", "<b>soup</b>")

	// What b hears next is of the room it joined, not of the one it left.
	b.emit("leave_room", obj{"room": "kitchen"})
	b.emit("join_room", obj{"room": "garden"})
	b.hears("room_message", "Joined garden")
	a.emit("room_message", obj{"room": "kitchen", "msg": "gone?"})
	a.hears("room_message", "gone?")
	b.emit("room_message", obj{"room": "garden", "msg": "tea"})
	b.hears("room_message", "tea")
}

func TestChatInTheDefaultNamespace(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, ""), dial(t, addr, "")
	for _, p := range []*peer{a, b} {
		p.hears("my_response", obj{"data": "Connected", "count": 0})
		p.emit("join_room", obj{"room": "kitchen"})
		p.hears("room_message", "Joined kitchen")
	}
	a.hears("room_message", "Joined kitchen") // b's
	a.emit("room_message", obj{"room": "kitchen", "msg": "soup"})
	b.hears("room_message", "soup")
	for { // at once: no status before it
		name, _ := a.event()
		require.NotEqual(t, "status", name)
		if name == "room_message" {
			break
		}
	}
}

func TestChatKeepsTheOrderOfMessages(t *testing.T) {
	t.Parallel()
	a := dial(t, start(t), "/chat,")
	a.emit("join_room", obj{"room": "r"})
	a.hears("room_message", "Joined r")
	for i := range 300 {
		a.emit("room_message", obj{"room": "r", "msg": strings.Repeat("x", i)})
	}
	for i := range 300 {
		a.hears("room_message", strings.Repeat("x", i))
	}
}

func TestChatTellsWhoIsThere(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, "/chat,"), dial(t, addr, "/chat,")
	count := func(n int) {
		t.Helper()
		for {
			var m members
			require.NoError(t, json.Unmarshal(a.next("room_members"), &m))
			require.Equal(t, "kitchen", m.Room)
			if m.Count == n {
				return
			}
		}
	}
	a.emit("join_room", obj{"room": "kitchen"})
	count(1)
	b.emit("join_room", obj{"room": "kitchen"})
	b.hears("room_message", "Joined kitchen")
	count(2)
	b.emit("leave_room", obj{"room": "kitchen"})
	count(1)
	b.emit("join_room", obj{"room": "kitchen"})
	count(2)
	require.NoError(t, b.conn.Close()) // without a goodbye
	count(1)
}

func TestChatTyping(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b, c := dial(t, addr, "/chat,"), dial(t, addr, "/chat,"), dial(t, addr, "/chat,")
	for _, p := range []*peer{a, b} {
		p.emit("join_room", obj{"room": "kitchen"})
		p.hears("room_message", "Joined kitchen")
	}
	c.emit("typing", obj{"room": "kitchen", "typing": true})
	c.refused("typing", "join the room first")
	a.emit("typing", obj{"room": "kitchen", "typing": true})
	b.hears("typing", obj{"room": "kitchen", "sid": a.sid, "typing": true})
	a.emit("typing", obj{"room": "kitchen", "typing": false})
	b.hears("typing", obj{"room": "kitchen", "sid": a.sid, "typing": false})
}

func TestChatAnswersWithTheRooms(t *testing.T) {
	t.Parallel()
	a := dial(t, start(t), "/chat,")
	a.write(`42/chat,7["join_room",{"room":"kitchen"}]`)
	a.hears("7", []string{"kitchen"})
	a.write(`42/chat,8["join_room",{"room":"garden"}]`)
	a.hears("8", []string{"kitchen", "garden"})
	a.write(`42/chat,9["leave_room",{"room":"kitchen"}]`)
	a.hears("9", []string{"garden"})
	a.write(`42/chat,10["join_room",{}]`)
	a.hears("10", obj{"event": "join_room", "msg": "a room's name has 1 to 64 bytes"})
}

func TestChatBoundsWhatClientsAskFor(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, "/chat,"), dial(t, addr, "/chat,")
	const name = "a room's name has 1 to 64 bytes"
	a.emit("join_room", obj{"room": ""})
	a.refused("join_room", name)
	a.emit("join_room", obj{"room": strings.Repeat("x", maxRoomName+1)})
	a.refused("join_room", name)
	a.write(`42/chat,["join_room"]`)
	a.refused("join_room", name)
	a.emit("join_room", obj{"room": b.sid})
	a.refused("join_room", "that room belongs to one client alone")
	for _, wrong := range []any{"no object", 7, []int{1}, obj{"room": 7}} {
		a.emit("join_room", wrong)
		a.refused("join_room", "the payload is not what this event needs")
	}
	a.emit("room_message", obj{"room": "a", "msg": "from outside"})
	a.refused("room_message", "join the room first")

	for i := range maxRooms {
		a.emit("join_room", obj{"room": string(rune('a' + i))})
		a.hears("room_message", "Joined "+string(rune('a'+i)))
	}
	a.emit("join_room", obj{"room": "one more"})
	a.refused("join_room", "20 rooms at once are enough: leave one first")

	// Nothing else is lost.
	a.emit("room_message", obj{"room": "a"})
	a.refused("room_message", "msg is missing")
	a.emit("room_message", obj{"msg": "where?"})
	a.refused("room_message", "room is missing")
	a.emit("room_message", obj{"room": "a", "msg": "next"})
	a.hears("room_message", "next")
}
