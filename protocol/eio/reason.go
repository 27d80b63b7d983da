package eio

import "strconv"

// Reason says why a session or a Socket.IO socket ended. Its text is what
// handlers see, in the words of the JavaScript server.
type Reason uint8

// The reasons that the protocol knows. ReasonNone is no reason.
const (
	ReasonNone Reason = iota
	ReasonTransportClose
	ReasonTransportError
	ReasonPingTimeout
	ReasonParseError
	ReasonForcedClose
	ReasonForcedServerClose
	ReasonServerShuttingDown
	ReasonClientNamespaceDisconnect
	ReasonServerNamespaceDisconnect
)

// ReasonServer is the first of the values that a server may define for
// itself. It names them itself, too; this package says "server reason N".
const ReasonServer Reason = 64

var reasons = [...]string{
	ReasonNone:                      "",
	ReasonTransportClose:            "transport close",
	ReasonTransportError:            "transport error",
	ReasonPingTimeout:               "ping timeout",
	ReasonParseError:                "parse error",
	ReasonForcedClose:               "forced close",
	ReasonForcedServerClose:         "forced server close",
	ReasonServerShuttingDown:        "server shutting down",
	ReasonClientNamespaceDisconnect: "client namespace disconnect",
	ReasonServerNamespaceDisconnect: "server namespace disconnect",
}

// String returns the text, "" for ReasonNone.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "server reason " + strconv.Itoa(int(r))
}
