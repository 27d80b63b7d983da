package sio

// Type is a packet's type, written as one digit.
type Type uint8

// Packet types of protocol revision 5.
const (
	Connect Type = iota
	Disconnect
	Event
	Ack
	ConnectError
	BinaryEvent
	BinaryAck
)

var typeNames = [...]string{
	"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK",
}

// String returns the name that the protocol document uses.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "UNKNOWN"
}

// Binary reports whether attachments follow a packet of this type.
func (t Type) Binary() bool { return t == BinaryEvent || t == BinaryAck }

// DefaultMaxAttachments is the limit that official parsers use since 4.2.6, in
// both directions: they close a connection that sends them more.
const DefaultMaxAttachments = 10

// MaxID is the largest ack id, 2^53-1.
const MaxID = 1<<53 - 1

// Packet is a parsed packet. Its slices alias the text given to Parse (Name
// may be fresh, see there) and are valid and unchanged as long as that is.
type Packet struct {
	Type        Type
	Attachments int    // binary messages that follow; 0 unless Type.Binary()
	Namespace   []byte // never empty; "/" when the text has none
	HasID       bool
	ID          uint64
	// Data is the payload's JSON without surrounding blanks; nil if absent.
	Data []byte
	// Name is an event's name with escapes resolved (a lone surrogate in its
	// WTF-8 form); it aliases the text unless it had escapes. nil when the
	// name is a number or the event has no payload.
	Name         []byte
	NameIsString bool
	// Args is the raw JSON behind an event's name, or an ack's array, without
	// the brackets: `1,"a"`. Empty when there is none.
	Args []byte
	// Single tells that Args of an event is one argument, which need not be
	// looked for. Only Parse knows.
	Single bool
}

// rootNamespace is shared by all packets; nobody writes into a namespace.
var rootNamespace = []byte("/")

// IsReservedEvent reports whether name may be neither emitted nor received,
// because clients and servers emit events of that name themselves.
func IsReservedEvent(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting",
		"newListener", "removeListener":
		return true
	}
	return false
}
