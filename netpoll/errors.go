package netpoll

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

// Reasons given to Peer.Closed, returned by Server methods, or both.
var (
	// ErrPeerGone: the client closed or reset the TCP connection.
	ErrPeerGone = errors.New("netpoll: connection closed by peer")
	// ErrSlowConsumer: pending output went over MaxPendingBytes or
	// MaxPendingFrames.
	ErrSlowConsumer = errors.New("netpoll: slow consumer: pending output over the limit")
	// ErrShutdown: the server is shutting down.
	ErrShutdown = errors.New("netpoll: server shutting down")
	// ErrTooLarge: a message exceeded MaxMessage (close code 1009).
	ErrTooLarge = errors.New("netpoll: message larger than MaxMessage")
	// ErrUTF8: a text message is not UTF-8 (close code 1007).
	ErrUTF8 = errors.New("netpoll: text message is not valid UTF-8")
	// ErrTimeout: a request head, a close handshake or the next request of a
	// keep-alive connection did not come in time.
	ErrTimeout = errors.New("netpoll: timeout")
	// ErrHandler: a Handler or Peer method panicked; the connection is closed.
	ErrHandler = errors.New("netpoll: handler panicked")
	// ErrHandedOver: the connection now belongs to net/http.
	ErrHandedOver = errors.New("netpoll: connection handed over to net/http")
	// ErrHTTPDone: the last response of an HTTP connection has been sent.
	ErrHTTPDone = errors.New("netpoll: response sent, connection closed")
	// ErrEngineEnded: the event engine ended without being asked to, as it
	// does when accept fails. The process should exit (code 70).
	ErrEngineEnded = errors.New("netpoll: event engine ended unexpectedly")
	// ErrAddrInUse: another process already listens on the address.
	ErrAddrInUse = errors.New("netpoll: address already in use")
)

// CloseError tells that a WebSocket close handshake ended the connection.
type CloseError struct {
	Code   ws.StatusCode // 1005 (ws.StatusNoStatusRcvd) when the frame had none
	Reason string
	// Local is true when this side closed first.
	Local bool
}

func (e *CloseError) Error() string {
	who := "peer"
	if e.Local {
		who = "server"
	}
	return fmt.Sprintf("netpoll: websocket closed by %s: %d %s", who, e.Code, e.Reason)
}

// ProtocolError is a violation of RFC 6455 by the client (close code 1002).
type ProtocolError struct{ Err error }

func (e *ProtocolError) Error() string { return "netpoll: websocket protocol error: " + e.Err.Error() }

// Unwrap returns the rule that was broken, often a ws.ProtocolError.
func (e *ProtocolError) Unwrap() error { return e.Err }
