// Package demo owns the pages of `throng demo` and the applications behind
// them: those that teams run on Flask-SocketIO, with the event names of the
// widely copied examples. Each is one short file written with the public API
// alone, made to be read and copied; GET /source/NAME.go serves it as text.
//
// What follows is what a page may rely on. An arrow to the right is what the
// client sends, one to the left what it receives; "all" is the namespace.
//
// Every namespace, for a payload that is not what the event needs:
//
//	<- request_error {event, msg}             to the sender; nothing else happens
//
// It is also the acknowledgement, if the client asked for one.
//
// chat.go, /chat (and /, where nothing is queued and no status sent):
//
//	-> join_room {room}                       name of 1 to 64 bytes, 20 rooms a socket
//	<- room_message "Joined <room>"           to the room, the newcomer too
//	-> leave_room {room}
//	-> room_message {room, msg}               from a member of the room
//	<- status {msg: "Message queued"}         to the sender
//	<- room_message msg                       to the room, by a background worker
//	-> typing {room, typing}                  again every 2 s while the user types
//	<- typing {room, sid, typing}             to the others; void after 4 s
//	<- room_members {room, count}             to the room when somebody came or went
//
// join_room and leave_room are acknowledged with the list of the rooms that
// the client is in now.
//
// broadcast.go, /:
//
//	<- status {msg: "Connected"}              on connecting
//	-> message {msg}
//	<- response {message}                     to all
//	-> message "text"                         socket.send("text")
//	<- response {data: "Message received!"}   to the sender
//	-> chat message "text"
//	<- chat message "text"                    to all
//
// console.go, /test with the names below, and / with underscores for blanks
// (my_event, close_room, ...). count is how many events this client has sent;
// for "Server generated event" it is the background task's own:
//
//	<- my response {data: "Connected", count: 0}
//	-> my event {data}                        <- my response {data, count}
//	-> my broadcast event {data}              <- my response {data, count}, to all
//	-> join {room}, leave {room}              <- my response {data: "In rooms: a, b", count},
//	                                             without the room of the client's own id
//	-> close room {room}                      <- my response {data: "Room x is closing.", count},
//	                                             to the room, which is empty then
//	-> my room event {room, data}             <- my response {data, count}, to the room
//	-> disconnect request                     <- my response {data: "Disconnected!", count} with
//	                                             an acknowledgement; the server disconnects when
//	                                             it comes, or after a second
//	-> my ping                                <- my pong
//	<- my response {data: "Server generated event", count}   to all, every 10 s
//
// In / any other event comes back as my_response {data: [event, ...args],
// count}.
//
// compute.go, /compute:
//
//	-> compute {limit}                        a whole number up to 10^10
//	<- status {msg: "Computation started"}    to the sender, at once
//	<- computation_progress {limit, done, percent}   to the sender, ten times a second
//	<- computation_result {result}            to all: the sum of the squares below limit
//	-> cancel_computation                     ends all of the sender's
//	<- computation_canceled {limit}           to the sender, for each
//	-> echo ...args                           <- echo ...args, also as acknowledgement
//
// A client may have 4 computations at a time; they end when it disconnects. All
// clients together have one processor less than there are; the rest waits.
//
// notify.go, /notify:
//
//	GET or POST /send_notification[?msg=text]   {"status": "Notification sent"}
//	<- notification {msg}                     to all; "System update available!" without ?msg=
//
// A text of more than 1000 bytes is answered 400 {"error": "..."}.
//
// dashboard.go, /dashboard:
//
//	GET or POST /trigger_metrics                {"status": "Metrics update triggered"}
//	<- metrics_update {cpu, memory}           to all: percent of the machine's, 0 to 100;
//	                                          also each second while somebody watches
//	<- server_update {connections, messages_in, messages_out, loop_lag_ms}
//	                                          to all, beside each metrics_update; messages
//	                                          are those of a second
package demo
