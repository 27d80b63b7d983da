package sio

import (
	"reflect"
	"strconv"
)

// Error is a broken rule of the protocol. The values below are constants and
// comparable: errors.Is(err, sio.ErrInvalidPayload).
type Error string

// Error implements the error interface.
func (e Error) Error() string { return string(e) }

// What Parse refuses. The connection that sent such a packet must be closed.
const (
	// ErrEmpty: a packet has at least its type.
	ErrEmpty = Error("socket.io: empty packet")
	// ErrUnknownType: the first character is a digit from 0 to 6.
	ErrUnknownType = Error("socket.io: unknown packet type")
	// ErrIllegalAttachments: binary packets, and only they, carry a decimal
	// count of at least 1 followed by '-'; every placeholder's num is an
	// integer below that count.
	ErrIllegalAttachments = Error("socket.io: illegal attachments")
	// ErrTooManyAttachments: the count stays within the receiver's limit
	// (official parsers: 10, CVE-2026-33151).
	ErrTooManyAttachments = Error("socket.io: too many attachments")
	// ErrIllegalID: an ack id is at most 2^53-1, the last integer that a
	// JavaScript number counts exactly.
	ErrIllegalID = Error("socket.io: illegal ack id")
	// ErrBadJSON: the payload is one JSON value (RFC 8259) and nothing else.
	ErrBadJSON = Error("socket.io: payload is not JSON")
	// ErrTooDeep: arrays and objects nest at most MaxDepth deep. Also what
	// encoding answers to a value that contains itself.
	ErrTooDeep = Error("socket.io: value nests too deep")
	// ErrInvalidPayload: CONNECT has an object or nothing, DISCONNECT
	// nothing, EVENT an array that starts with a string or a number, ACK an
	// array, CONNECT_ERROR a string or an object.
	ErrInvalidPayload = Error("socket.io: invalid payload")
	// ErrReservedEvent: an event is not named connect, connect_error,
	// disconnect, disconnecting, newListener or removeListener.
	ErrReservedEvent = Error("socket.io: reserved event name")
)

// What an Assembler refuses, with ErrIllegalAttachments above.
const (
	// ErrUnexpectedBinary: a binary message follows a binary packet.
	ErrUnexpectedBinary = Error("socket.io: binary message without a packet")
	// ErrPendingAttachments: no text message comes before the last
	// attachment of a binary packet.
	ErrPendingAttachments = Error("socket.io: text message among attachments")
	// ErrTooLarge: a packet and its attachments stay within the byte limit.
	ErrTooLarge = Error("socket.io: packet and attachments too large")
)

// What encoding and decoding refuse.
const (
	// ErrForgedPlaceholder: an argument holds an object that the receiver
	// would take for one of the packet's attachments (see the package doc).
	ErrForgedPlaceholder = Error("socket.io: argument imitates an attachment")
	// ErrNotUTF8: raw JSON and marshaler output is UTF-8, else the receiver
	// must close the WebSocket (RFC 6455, 8.1).
	ErrNotUTF8 = Error("socket.io: raw JSON is not UTF-8")
	// ErrAttachmentReused: a packet decoded into typed Go values refers to
	// each attachment once, else its base64 form could grow without bound.
	ErrAttachmentReused = Error("socket.io: attachment is used twice")
)

// ReservedEventError is the answer to emitting an event whose name the
// receiving parser refuses. It matches ErrReservedEvent.
type ReservedEventError struct{ Name string }

// Error says it in the words of the JavaScript server.
func (e *ReservedEventError) Error() string {
	return `"` + e.Name + `" is a reserved event name`
}

// Is makes errors.Is(err, ErrReservedEvent) true.
func (e *ReservedEventError) Is(target error) bool { return target == ErrReservedEvent }

// UnsupportedTypeError is the answer to a value that has no JSON form.
type UnsupportedTypeError struct{ Type reflect.Type }

// Error names the Go type.
func (e *UnsupportedTypeError) Error() string {
	return "cannot send a value of type " + e.Type.String()
}

// ArgError says which argument of an event or ack could not be encoded or
// decoded.
type ArgError struct {
	Index int // from 1, the event name not counted
	Err   error
}

// Error puts the argument's number before the cause.
func (e *ArgError) Error() string {
	return "argument " + strconv.Itoa(e.Index) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ArgError) Unwrap() error { return e.Err }
