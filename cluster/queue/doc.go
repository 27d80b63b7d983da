// Package queue owns the emits that other processes publish on a Redis or
// Valkey pub/sub channel for Socket.IO servers of other makes, read as they
// are and handed to a [Sink]:
//
//   - [Python]: python-socketio and Flask-SocketIO, SocketIO(message_queue=...)
//     in a plain process or a Celery worker, and RedisManager. Bodies are JSON,
//     or the pickle of versions up to 5.13, of which only data is read.
//   - [Node]: the packages @socket.io/redis-emitter and socket.io-emitter, and
//     what servers with @socket.io/redis-adapter broadcast.
//
// # Who reads
//
// Pub/sub is a broadcast: every server of a cluster reads the queue and a Sink
// serves its own sockets only, so that each of them gets an emit once.
//
// # What is not promised
//
// Whoever can publish on a channel speaks for the server: nothing in these
// formats tells who sent a message. And pub/sub keeps nothing: what is published
// while a [Reader] is not connected is lost for its server.
//
// # What a message may do
//
// A message is bounded in size, values and depth, and what it holds is only
// ever data. One that cannot be read is counted, and described in the log at most
// once in [LogInterval]; those behind it are not affected. Messages are handled
// in their order on one goroutine of the connection.
package queue
