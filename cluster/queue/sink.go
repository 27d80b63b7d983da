package queue

// Target selects sockets: members of any of Rooms, of the whole namespace if
// there are none, minus those of Except. The id of a socket is its room.
type Target struct {
	Rooms, Except []string
}

// Flags of an emit.
type Flags uint8

const (
	// Volatile: dropped for sockets that older output waits for.
	Volatile Flags = 1 << iota
	// Plain: not worth compressing.
	Plain
)

// Sink does what messages ask for, to the sockets of one server. It is called
// on one goroutine of a Reader, must not block and may keep all arguments.
type Sink interface {
	// Serves tells whether there is a namespace of this name here. What is meant
	// for others is ignored.
	Serves(ns string) bool
	// Emit sends an event. The arguments are values of sio.Raw. It fails if
	// clients could not take the event.
	Emit(ns string, to Target, f Flags, event string, args []any) error
	// Join and Leave make sockets join or leave rooms.
	Join(ns string, to Target, rooms []string)
	Leave(ns string, to Target, rooms []string)
	// Disconnect ends sockets; with connections, those as well.
	Disconnect(ns string, to Target, connections bool)
	// CloseRoom makes everybody leave a room.
	CloseRoom(ns, room string)
	// ServerEvent is an event for the handlers of the server itself.
	ServerEvent(ns, event string, args []any) error
}
