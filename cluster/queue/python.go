package queue

import (
	"encoding/base64"
	"encoding/json"

	"github.com/throng-server/throng/protocol/sio"
)

// PythonChannels are those that Flask-SocketIO and python-socketio publish on
// unless they are told otherwise.
var PythonChannels = []string{"flask-socketio", "socketio"}

// message is what a Python process publishes. args is there for emits only.
type message struct {
	object
	args []any
}

// readPython reads a message of python-socketio, whatever its version.
func readPython(body []byte) (command, error) {
	if len(body) == 0 {
		return command{}, refuse("an empty message")
	}
	var m message
	var err error
	if body[0] == opProto {
		m, err = unpickleMessage(body)
	} else {
		m, err = jsonMessage(body)
	}
	if err != nil {
		return command{}, err
	}
	return m.command()
}

func jsonMessage(body []byte) (message, error) {
	o, err := readObject(body)
	if err != nil {
		return message{}, err
	}
	m := message{object: o}
	if method, _ := o.text("method"); method == "emit" {
		m.args, err = o.pythonArgs()
	}
	return m, err
}

// pythonArgs are the arguments of an emit in JSON. The shape of data depends
// on the sender's version, which the member "binary" tells apart:
//
//   - without it (5.14.0, 5.14.1) data is one argument, a tuple of several
//     having become a list that nobody can tell from a list;
//   - with it, a list holds the arguments (5.15.1 and later); anything else is
//     one (5.14.2 to 5.15.0, whose single lists are taken for arguments);
//   - if it is true, data is a list of that, with placeholders, and of the
//     attachments in base64.
func (o object) pythonArgs() ([]any, error) {
	data := o["data"]
	binary, marked := o["binary"]
	if !marked {
		return oneArg(sio.Raw{JSON: data}), nil
	}
	var atts [][]byte
	if string(binary) == "true" {
		var list []json.RawMessage
		if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
			return nil, refuse("binary data is no list")
		}
		if len(list)-1 > maxAttachments {
			return nil, refuse("%d attachments", len(list)-1)
		}
		data = list[0]
		for i, raw := range list[1:] {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, refuse("attachment %d is no string", i)
			}
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return nil, refuse("attachment %d: %v", i, err)
			}
			atts = append(atts, b)
		}
	}
	if isNull(data) || data[0] != '[' {
		return oneArg(sio.Raw{JSON: data, Attachments: atts}), nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, refuse("data: %v", err)
	}
	if len(list) == 1 {
		return oneArg(sio.Raw{JSON: list[0], Attachments: atts}), nil
	}
	return raws(list, atts), nil
}

// oneArg is the only argument of an event, or none: Python's None.
func oneArg(r sio.Raw) []any {
	if isNull(r.JSON) {
		return nil
	}
	return []any{r}
}

func raws(list []json.RawMessage, atts [][]byte) []any {
	args := make([]any, len(list))
	for i, raw := range list {
		args[i] = sio.Raw{JSON: raw, Attachments: atts}
	}
	return args
}

// command says what the message asks for.
func (m message) command() (command, error) {
	method, err := m.text("method")
	if err != nil {
		return command{}, err
	}
	c := command{args: m.args}
	if c.ns, err = m.text("namespace"); err != nil {
		return command{}, err
	}
	if c.ns == "" {
		c.ns = "/"
	}
	switch method {
	case "emit":
		c.verb = emit
		err = m.emit(&c)
	case "enter_room", "leave_room":
		c.verb = join
		if method == "leave_room" {
			c.verb = leave
		}
		if c.names, err = m.one("room"); err == nil {
			c.to.Rooms, err = m.one("sid")
		}
	case "disconnect":
		c.verb = disconnect
		c.to.Rooms, err = m.one("sid")
	case "close_room":
		c.verb = closeRoom
		c.names, err = m.one("room")
	case "callback":
		return command{}, errIgnored // for the server that has asked
	case "":
		err = refuse("no method")
	default:
		err = refuse("unknown method %.40q", method)
	}
	return c, err
}

func (m message) emit(c *command) error {
	var err error
	if isNull(m.object["event"]) {
		return refuse("no event")
	}
	if c.event, err = m.text("event"); err != nil {
		return err
	}
	if c.to.Rooms, err = m.names("room"); err != nil {
		return err
	}
	if c.to.Rooms != nil && len(c.to.Rooms) == 0 {
		return refuse("room is an empty list, which has no members")
	}
	c.answer = !isNull(m.object["callback"])
	c.to.Except, err = m.names("skip_sid")
	return err
}

// one is the one name that a member holds.
func (m message) one(field string) ([]string, error) {
	if isNull(m.object[field]) {
		return nil, refuse("no %s", field)
	}
	s, err := name(field, m.object[field])
	return []string{s}, err
}
