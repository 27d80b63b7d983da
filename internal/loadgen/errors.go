package loadgen

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Kinds of error, as they are counted.
const (
	errRefused     = "refused"     // nobody listens, or the queue is full
	errReset       = "reset"       // by the server
	errClosed      = "closed"      // by the server, in order
	errTimeout     = "timeout"     // of a handshake
	errStatus      = "handshake"   // another HTTP status than expected
	errNamespace   = "namespace"   // CONNECT_ERROR or DISCONNECT
	errProtocol    = "protocol"    // what no server should send
	errUnreachable = "unreachable" // no way there
	errLocal       = "local"       // descriptors or ports have run out here
	errGone        = "gone"        // a process of the server has ended
)

var errTooLong = errors.New("a message of more than 16 MiB")

// kindOf sorts an error of a system call.
func kindOf(err error) string {
	switch err {
	case unix.ECONNREFUSED:
		return errRefused
	case unix.ECONNRESET, unix.EPIPE, unix.ECONNABORTED:
		return errReset
	case unix.ETIMEDOUT:
		return errTimeout
	case unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EACCES, unix.EPERM:
		return errUnreachable
	}
	return errLocal
}

// note counts an error and keeps the first of its kind.
func (w *worker) note(kind, text string) {
	e := w.errors[kind]
	if e == nil {
		if len(text) > 200 {
			text = text[:200]
		}
		e = &ErrorCount{First: text}
		w.errors[kind] = e
	}
	e.Count++
}
