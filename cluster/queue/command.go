package queue

import (
	"errors"
	"fmt"
)

// verb is what a command does.
type verb uint8

const (
	emit verb = iota
	join
	leave
	disconnect
	closeRoom
	serverEvent
)

// command is a message of either format, understood.
type command struct {
	verb  verb
	ns    string
	to    Target
	names []string // rooms to join, leave or close
	flags Flags
	close bool // connections, not only namespaces
	event string
	args  []any // of sio.Raw
	// answer tells that the sender wants acknowledgements.
	answer bool
}

// run does what the command says. known is false if its namespace is not
// served.
func (c *command) run(s Sink) (known bool, err error) {
	if !s.Serves(c.ns) {
		return false, nil
	}
	switch c.verb {
	case emit:
		err = s.Emit(c.ns, c.to, c.flags, c.event, c.args)
	case join:
		s.Join(c.ns, c.to, c.names)
	case leave:
		s.Leave(c.ns, c.to, c.names)
	case disconnect:
		s.Disconnect(c.ns, c.to, c.close)
	case closeRoom:
		for _, room := range c.names {
			s.CloseRoom(c.ns, room)
		}
	case serverEvent:
		err = s.ServerEvent(c.ns, c.event, c.args)
	}
	return true, err
}

// errIgnored: the message is none for us, and nothing is wrong with it.
var errIgnored = errors.New("not for this server")

// refuse is the error of a message that cannot be read.
func refuse(format string, args ...any) error { return fmt.Errorf(format, args...) }
