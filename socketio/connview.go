package socketio

import (
	"net"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
)

// Conn is a view of the connection below a socket, which the sockets of other
// namespaces may share. Any goroutine.
type Conn struct{ c *client }

// Conn returns the connection the socket uses.
func (s *Socket) Conn() Conn { return Conn{s.c} }

// ID returns the id of the connection's session. It is a secret between the
// server and this client: who knows it could speak in its name.
func (c Conn) ID() string {
	id := c.c.SID()
	return id.String()
}

// Transport returns the name of the transport, "polling" or "websocket": a
// client that polls first changes to the other. It waits for the connection's
// loop; from an Inline handler of another loop it returns "".
func (c Conn) Transport() (name string) {
	lp := c.c.first.loop()
	if err := lp.do(func(*loop) { name = c.c.Session.Transport() }); err != nil {
		return ""
	}
	return name
}

// Protocol returns the revision of Engine.IO the client speaks.
func (c Conn) Protocol() int {
	if c.c.EIO3() {
		return 3
	}
	return 4
}

// RemoteAddr returns the client's address, a proxy's if there is one; nil when
// the connection is gone. It waits for the connection's loop; from an Inline
// handler of another loop it returns nil.
func (c Conn) RemoteAddr() (addr net.Addr) {
	lp := c.c.first.loop()
	if err := lp.do(func(*loop) { addr = c.c.RemoteAddr() }); err != nil {
		return nil
	}
	return addr
}

// Sockets returns the connected sockets that share the connection, one for
// each namespace. It waits for the connection's loop; from an Inline handler
// of another loop it returns none.
func (c Conn) Sockets() (list []*Socket) {
	lp := c.c.first.loop()
	var all []*Socket
	if err := lp.do(func(*loop) {
		c.c.eachSocket(func(s *Socket) {
			if s.is(stConnected) {
				all = append(all, s)
			}
		})
	}); err != nil {
		return nil
	}
	return all
}

// Close closes the connection with the reason "forced close", without telling
// the client's sockets that they were disconnected: the official client
// connects again. See Socket.Disconnect for sending it away.
func (c Conn) Close() { c.c.Loop().Post((*forcedClose)(c.c)) }

// forcedClose is a Conn.Close on its way to the loop.
type forcedClose client

func (f *forcedClose) Run(*netpoll.Loop) bool {
	(*client)(f).End(engine.ReasonForcedClose)
	return false
}
