// Package socketio owns the public API of throng: a Socket.IO server for
// official clients (protocol 5, client versions 3 and 4) on Linux.
//
//	srv, err := socketio.NewServer(socketio.Options{Addr: ":5000"})
//	chat := srv.Of("/chat")
//	chat.OnConnection(func(s *socketio.Socket) { s.Emit("status", "Connected") })
//	socketio.On(chat, "join_room", func(s *socketio.Socket, room string) error {
//		s.Join(room)
//		return chat.To(room).Emit("room_message", "Joined "+room)
//	})
//	err = srv.ListenAndServe()
//
// # Goroutines
//
// Every exported method may be called from any goroutine unless it says
// otherwise. What one goroutine does is seen in the order it was done: a Join
// followed by To(room).Emit reaches the socket that joined. Handlers of one
// socket run one after the other, in the order of its events, on worker
// goroutines; they may block. Connection handlers run first, disconnect
// handlers last and exactly once.
//
// Of the handlers of an event, those of OnAny run first, then the guards of
// UseEvent, then those of the event, or of OnUnhandled if it has none; the
// namespace's before the socket's in each group. What registers a handler returns
// a function that takes it off again.
//
// A handler registered with Inline runs on the event loop itself. It must not
// block; calls that wait for an answer return ErrOnLoop there.
//
// # Broadcasts
//
// A broadcast is encoded once and posted to each event loop as one entry; the
// loop looks up the receivers among its own sockets and queues references to
// the one message, over several turns if there are many. Broadcasts posted
// behind each other to the same receivers are joined on the loop, so that a
// burst costs one queue entry and one write a member.
//
// # Recovery
//
// With Options.ConnectionStateRecovery a client that lost its connection gets a
// new Socket with the id, rooms and data of the old one, and Recovered tells
// so. What it has missed is sent before: events of its namespace and of the
// rooms it was in when its connection ended. The old Socket stays disconnected;
// its last handlers may still run, and what they Join and Leave holds for the
// session. An Emit that returned nil just before the connection ended is among
// the missed events.
//
// # Clusters
//
// With Options.Cluster several servers are one for clients: what is sent to
// rooms, what is done to the sockets a Broadcast names, and what is asked of
// them holds on all nodes; Local restricts it to this one. Every node selects
// among its own sockets, so that each receiver gets a message once. What one
// node publishes reaches each receiver in the order of the calls, whichever
// rooms and namespaces are meant; two nodes' messages have no order between
// them. Local delivery does not wait for the broker. Questions end when every
// node has answered, when a node that has not is lost, or at their timeout, and
// then the error is a *PartialError beside what has come.
//
// Emits to one Socket are never published. An id names its node: what is sent
// to it alone goes nowhere else.
//
// # Errors and acknowledgements
//
// The protocol has no error reply. When a handler registered with OnAck fails,
// the client's callback still runs, so that it does not wait for its timeout:
// with what OnError (the socket's, the namespace's, or that of the options)
// returned, or else with one argument {"error": message}. The
// message is the handler's own only if it returned an *Error, which is meant
// for the client; any other error is logged here and reads "internal error"
// there.
//
// # What is not promised
//
// Delivery is at most once. An emit that returned nil was encoded and queued.
// Messages beyond the limits of a slow client end its connection.
package socketio
