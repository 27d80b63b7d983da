package loadgen

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Contract is how a server is asked for each kind of message. Events are JSON
// arrays in which {room} and {payload} stand for text without anything that
// JSON would escape. In what the server sends, the payload is found wherever
// it stands.
type Contract struct {
	Namespace string `json:"namespace"` // "/" or "/name"
	Join      string `json:"join"`      // enters {room}
	// Joined is the name of the event that says so; "" is none, then
	// the clients wait for half a second instead.
	Joined string `json:"joined"`
	Echo   string `json:"echo"` // {payload} comes back
	Room   string `json:"room"` // {payload} comes to all in {room}, the sender too
	All    string `json:"all"`  // {payload} comes to everybody, the sender too
}

// Contracts that a server can be asked by name for.
var contracts = map[string]Contract{
	// benchmarks/contractserver, and its counterparts in other languages.
	"bench": {
		Namespace: "/",
		Join:      `["join","{room}"]`, Joined: "joined",
		Echo: `["echo","{payload}"]`,
		Room: `["room",{"r":"{room}","d":"{payload}"}]`,
		All:  `["all","{payload}"]`,
	},
	// The broadcast page of `throng demo`.
	"demo": {
		Namespace: "/",
		All:       `["message",{"msg":"{payload}"}]`,
	},
	// Its chat page, which announces those who join to the room.
	"demo-chat": {
		Namespace: "/chat",
		Join:      `["join_room",{"room":"{room}"}]`, Joined: "room_message",
		Room: `["room_message",{"room":"{room}","msg":"{payload}"}]`,
	},
}

// ContractNames lists the contracts known by name.
const ContractNames = "bench, demo, demo-chat"

// ContractNamed returns the contract of that name.
func ContractNamed(name string) (Contract, bool) {
	c, ok := contracts[name]
	return c, ok
}

const (
	roomSlot    = "{room}"
	payloadSlot = "{payload}"
)

// checkEvent says what is wrong with an event that must have those slots.
func checkEvent(text string, slots ...string) error {
	if text == "" {
		return fmt.Errorf("the contract has no such event")
	}
	var event []any
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		return fmt.Errorf("%s is not a JSON array: %w", text, err)
	}
	if len(event) == 0 {
		return fmt.Errorf("%s has no name", text)
	}
	if _, ok := event[0].(string); !ok {
		return fmt.Errorf("%s does not begin with a name", text)
	}
	for _, s := range slots {
		if !strings.Contains(text, s) {
			return fmt.Errorf("%s has no %s", text, s)
		}
	}
	return nil
}

// template is an event cut at its slots, so that filling it in is appending.
type template struct {
	parts []part
	size  int // of the payload
}

type part struct {
	text string
	slot byte // what follows the text: 'r' the room, 'p' the payload, 0 nothing
}

// newTemplate cuts event and puts the packet's head before it.
func newTemplate(namespace, event string, size int) template {
	t := template{size: size}
	rest := eventHead(namespace) + event
	for {
		r, p := strings.Index(rest, roomSlot), strings.Index(rest, payloadSlot)
		switch {
		case r < 0 && p < 0:
			t.parts = append(t.parts, part{text: rest})
			return t
		case p < 0 || r >= 0 && r < p:
			t.parts = append(t.parts, part{rest[:r], 'r'})
			rest = rest[r+len(roomSlot):]
		default:
			t.parts = append(t.parts, part{rest[:p], 'p'})
			rest = rest[p+len(payloadSlot):]
		}
	}
}

// append appends the packet for a room and a stamp to b.
func (t *template) append(b []byte, room string, s stamp) []byte {
	for _, p := range t.parts {
		b = append(b, p.text...)
		switch p.slot {
		case 'r':
			b = append(b, room...)
		case 'p':
			b = appendStamp(b, s, t.size)
		}
	}
	return b
}

// eventHead is what every event in a namespace begins with: the Engine.IO type
// of a message, the Socket.IO type of an event, the namespace.
func eventHead(namespace string) string { return "42" + nspPart(namespace) }

// nspPart is the namespace as it stands in a packet.
func nspPart(namespace string) string {
	if namespace == "/" {
		return ""
	}
	return namespace + ","
}
