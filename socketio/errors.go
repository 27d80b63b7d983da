package socketio

import (
	"errors"
	"fmt"

	"github.com/throng-server/throng/protocol/sio"
)

var (
	// ErrDisconnected is returned by emits of a socket that has left, and by
	// waits for an acknowledgement that cannot come any more.
	ErrDisconnected = errors.New("socketio: socket is disconnected")
	// ErrTimeout is returned when Timeout passed before every acknowledgement
	// came.
	ErrTimeout = errors.New("socketio: operation has timed out")
	// ErrReserved is returned for event names the protocol keeps for itself.
	ErrReserved error = sio.ErrReservedEvent
	// ErrOnLoop is returned by calls that wait when they are made from an
	// Inline handler: waiting there would stop every connection of the loop.
	ErrOnLoop = errors.New("socketio: a waiting call was made from an Inline handler")
	// ErrStarted is returned when a server is started twice.
	ErrStarted = errors.New("socketio: server was already started")
	// ErrNotStarted is returned by calls that need a running server.
	ErrNotStarted = errors.New("socketio: server is not running")
	// ErrNoArguments is returned by Bind when the client sent fewer arguments
	// than asked for.
	ErrNoArguments = errors.New("socketio: too few arguments")
	// ErrParent is returned by calls that collect from sockets when they are
	// made on the parent of namespaces, which has none.
	ErrParent = errors.New("socketio: a parent namespace has no sockets of its own")
	// ErrNoSocket is returned when no connected socket of the namespace has the
	// id.
	ErrNoSocket = errors.New("socketio: no such socket")
	// ErrNoOtherNodes is returned by calls that reach other servers of a
	// cluster when this one is not in a cluster.
	ErrNoOtherNodes = errors.New("socketio: there are no other nodes")
	// ErrTooManyAttachments is returned by emits with more binary values than
	// Options.MaxAttachments: official clients would drop the connection.
	ErrTooManyAttachments = errors.New("socketio: more attachments than MaxAttachments")
)

// Error is an error meant for the client: returned by a middleware it becomes
// message and data of the refusal, returned by an OnAck handler the argument
// {"error": Message, "data": Data} of the acknowledgement.
type Error struct {
	Message string
	Data    any // nil: no data
}

func (e *Error) Error() string { return e.Message }

// PanicError is what OnError receives when a handler panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("socketio: handler panicked: %v", e.Value)
}

// OptionError names the option NewServer refused.
type OptionError struct {
	Field  string
	Reason string
}

func (e *OptionError) Error() string {
	return "socketio: Options." + e.Field + ": " + e.Reason
}
