package msgpack

import "github.com/throng-server/throng/protocol/sio"

// What this package refuses besides what package sio does; final for the
// connection that sent it.
const (
	// ErrMalformed: the message is one MessagePack map and nothing else.
	ErrMalformed = sio.Error("socket.io: malformed msgpack")
	// ErrIllegalKey: keys of maps are strings or integers.
	ErrIllegalKey = sio.Error("socket.io: illegal msgpack key")
	// ErrTooManyElements: the message stays within Limits.Elements.
	ErrTooManyElements = sio.Error("socket.io: too many msgpack elements")
	// ErrIllegalNamespace: nsp is a string, in UTF-8; for the text form it
	// also starts with '/' and has no comma.
	ErrIllegalNamespace = sio.Error("socket.io: illegal namespace")
)
