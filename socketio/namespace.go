package socketio

import (
	"encoding/json"
	"sync/atomic"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/rooms"
)

// Reasons given to disconnect handlers by this package, as Node names them;
// the others are those of a transport: "transport close", "transport error",
// "ping timeout", "parse error", "forced close", and "slow consumer" for a
// client that did not read.
const (
	ReasonClientDisconnect = "client namespace disconnect"
	ReasonServerDisconnect = "server namespace disconnect"
	ReasonShutdown         = "server shutting down"
	// ReasonMailboxOverflow: the client sent faster than its handlers ran.
	ReasonMailboxOverflow = "mailbox overflow"
)

// Namespace is a part of the server that clients connect to by name, or the
// parent of such (see Server.OfFunc). Its methods may be called from any
// goroutine; handlers registered while clients are connected take part from
// their next event.
type Namespace struct {
	srv     *Server
	name    string
	num     rooms.NS
	reg     registry
	acks    atomic.Uint64
	sockets atomic.Int64
	goodbye *netpoll.Msg
	watch   roomWatch
	remote  remoteHandlers

	ready chan struct{} // closed when the OnNewNamespace hooks have returned
	child lease         // of a parent that cleans up

	// A child has a parent, a parent has match. kids is guarded by the mutex
	// of the server's namespaces.
	parent *Namespace
	match  func(name string, auth json.RawMessage) bool
	byName bool // match needs no auth
	kids   map[string]*Namespace
}

// Name returns the namespace's name, "/" for the default one.
func (n *Namespace) Name() string { return n.name }

// Server returns the server the namespace is part of.
func (n *Namespace) Server() *Server { return n.srv }

// Len returns the number of connected sockets on this server, a moment old; of
// a parent, those of its children. For all nodes, see Count.
func (n *Namespace) Len() int {
	if n.match == nil {
		return int(n.sockets.Load())
	}
	sum := 0
	for _, kid := range n.Children() {
		sum += kid.Len()
	}
	return sum
}

func (n *Namespace) handlers() *registry { return &n.reg }

// nextAck returns an acknowledgement id: one counter a namespace, from 0, for
// single emits and broadcasts.
func (n *Namespace) nextAck() uint64 { return n.acks.Add(1) - 1 }
