package queue

import (
	"encoding/json"
	"strings"

	"github.com/throng-server/throng/protocol/msgpack"
)

// NodePrefix is the key of Node's emitters and adapters unless they are told
// otherwise.
const NodePrefix = "socket.io"

// readBroadcast reads what is published on PREFIX#NAMESPACE#: a MessagePack
// array of the sender, a packet and options. channel has no prefix.
func readBroadcast(channel string, body []byte) (command, error) {
	text, atts, err := msgpack.ValueToText(nil, body,
		msgpack.Limits{Elements: maxValues, Attachments: maxAttachments})
	if err != nil {
		return command{}, refuse("a broadcast: %v", err)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil || len(parts) < 3 {
		return command{}, refuse("a broadcast is no list of three")
	}
	packet, err := readObject(parts[1])
	if err != nil {
		return command{}, refuse("the packet: %v", err)
	}
	opts, err := readObject(parts[2])
	if err != nil {
		return command{}, refuse("the options: %v", err)
	}
	c := command{verb: emit, ns: "/"}
	if ns, err := packet.text("nsp"); err != nil {
		return command{}, err
	} else if ns != "" {
		c.ns = ns
	}
	// Behind the namespace there may be the room, which the options tell, too.
	if !strings.HasPrefix(channel, "#"+c.ns+"#") {
		return command{}, refuse("a packet for namespace %.40q in the channel of another", c.ns)
	}
	switch string(packet["type"]) {
	case "2", "5":
	default:
		return command{}, refuse("a packet of type %.10s", packet["type"])
	}
	if c.event, c.args, err = eventOf(packet["data"], atts); err != nil {
		return command{}, err
	}
	c.to, err = opts.target()
	if flags := (object)(nil); err == nil && json.Unmarshal(opts["flags"], &flags) == nil {
		if string(flags["volatile"]) == "true" {
			c.flags |= Volatile
		}
		if string(flags["compress"]) == "false" {
			c.flags |= Plain
		}
	}
	return c, err
}

// eventOf splits a list into the event's name and its arguments.
func eventOf(data json.RawMessage, atts [][]byte) (event string, args []any, err error) {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil || len(list) == 0 {
		return "", nil, refuse("data is no list of an event and its arguments")
	}
	if list[0][0] != '"' || json.Unmarshal(list[0], &event) != nil {
		return "", nil, refuse("the event's name is no string")
	}
	return event, raws(list[1:], atts), nil
}

// target is what options select.
func (o object) target() (Target, error) {
	rooms, err := o.names("rooms")
	if err != nil {
		return Target{}, err
	}
	except, err := o.names("except")
	if len(rooms) == 0 {
		rooms = nil // the whole namespace, as no list at all
	}
	return Target{Rooms: rooms, Except: except}, err
}

// Types of requests.
const (
	remoteJoin       = "2"
	remoteLeave      = "3"
	remoteDisconnect = "4"
	serverSideEmit   = "6"
)

// readRequest reads what is published on PREFIX-request#NAMESPACE#: an object
// in JSON or MessagePack. channel has no prefix.
func readRequest(channel string, body []byte) (command, error) {
	c := command{ns: strings.TrimSuffix(strings.TrimPrefix(channel, "#"), "#")}
	text := body
	var atts [][]byte
	if len(body) == 0 {
		return c, refuse("an empty request")
	}
	if body[0] != '{' {
		var err error
		text, atts, err = msgpack.ValueToText(nil, body,
			msgpack.Limits{Elements: maxValues, Attachments: maxAttachments})
		if err != nil {
			return c, refuse("a request: %v", err)
		}
	}
	o, err := readObject(text)
	if err != nil {
		return c, refuse("a request: %v", err)
	}
	switch string(o["type"]) {
	case remoteJoin, remoteLeave:
		c.verb = join
		if string(o["type"]) == remoteLeave {
			c.verb = leave
		}
		field := "rooms"
		if isNull(o["opts"]) {
			field = "room" // of adapters before version 7
		}
		if c.names, err = o.names(field); err == nil && len(c.names) == 0 {
			err = refuse("no rooms to join or leave")
		}
	case remoteDisconnect:
		c.verb = disconnect
		c.close = string(o["close"]) == "true"
	case serverSideEmit:
		c.verb = serverEvent
		c.answer = !isNull(o["requestId"])
		c.event, c.args, err = eventOf(o["data"], atts)
		return c, err
	case "0", "1", "5", "7", "8", "9":
		return c, errIgnored // questions of adapters, and answers to them
	default:
		return c, refuse("a request of type %.10s", o["type"])
	}
	if err != nil {
		return c, err
	}
	if isNull(o["opts"]) {
		c.to.Rooms, err = message{object: o}.one("sid")
		return c, err
	}
	opts, err := readObject(o["opts"])
	if err != nil {
		return c, refuse("opts: %v", err)
	}
	c.to, err = opts.target()
	return c, err
}

// split tells which of the two kinds of channel a name is.
func split(prefix, channel string) (rest string, request, ok bool) {
	rest, ok = strings.CutPrefix(channel, prefix)
	if !ok {
		return "", false, false
	}
	if strings.HasPrefix(rest, "#") {
		return rest, false, true
	}
	rest, request = strings.CutPrefix(rest, "-request")
	return rest, request, request
}
