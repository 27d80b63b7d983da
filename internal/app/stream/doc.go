// Package stream owns the way of calls to workers through a Valkey stream, and
// that of their answers back. docs/app.md describes both for those who write
// workers.
//
// # Keys
//
// All begin with the name of the stream, so that braces in it put them into one
// slot of a Valkey Cluster.
//
//   - NAME: the stream of calls, with the consumer group Group. Workers remove
//     what they have handled: its length is what waits or is in hand.
//   - NAME:reply:ID: the stream of answers for one run of one server. The
//     server removes what it has read and keeps the key alive; workers do not
//     make it (NOMKSTREAM), so nothing is left of servers that have gone.
//   - NAME:nodes: those streams of answers, by when their server was heard of.
//   - NAME:dead: calls that were given up.
//
// # Dead workers, dead servers
//
// Every server looks for calls that a worker has had in hand for too long and
// adds them again. One script does that as a whole, so it does not matter which
// server is first, and none must live for the calls of another. The same goes
// for answers to servers that are gone: who removes one from its stream has it.
//
// # Rights
//
// A user of the ACL needs the keys NAME and NAME:* and: HELLO, CLIENT, SELECT,
// CLUSTER, EVAL, EVALSHA, DEL, EXISTS, EXPIRE, TIME, XACK, XADD, XDEL, XGROUP,
// XINFO, XLEN, XPENDING, XRANGE, XREAD, XTRIM, ZADD, ZRANGEBYSCORE, ZREM,
// ZREMRANGEBYSCORE.
package stream
