// Package valkey owns the transport between nodes through Valkey streams: who
// appends where, who reads what, who lives.
//
// # Keys
//
// All begin with the prefix, "throng:" by default.
//
//   - {NODE.INCARNATION}: the stream to which one incarnation of one node
//     appends everything it publishes. The others read it. Hash tags spread
//     the streams over a Valkey Cluster.
//   - {NODE.INCARNATION}:r: the stream with what others send to that one
//     incarnation alone.
//   - {ctl}:nodes and {ctl}:tags: the leases, by node id, and whose tag is
//     whose. One script renews a lease and returns all.
//   - {ctl}:past:NODE: the incarnations of a node before its last one, for an hour.
//   - {emit}: the stream to which processes append that are no nodes.
//
// # Entries
//
// An entry of a node's stream carries one message or several and the id
// 1-SEQ, SEQ being the number of its last message; Valkey refuses an id that
// is not above the last one, so a retry whose first try did arrive changes
// nothing. One entry is under way at a time: a batch is one entry, so it is
// added whole or not at all, and nothing passes a batch that failed. Readers
// keep the last number of each publisher. A number they know is dropped, a
// jump is a loss, of which they know the exact size.
//
// # The end of a node
//
// A stream ends with a fence: an entry with the highest id there is, after
// which Valkey refuses every other. A node that leaves writes it, or those who
// see that its lease has lapsed. So each reader sees the end of a node at the
// same place of its stream, and nothing of a node that was taken for dead can
// appear behind it. The node itself finds out by the refusal or at its next
// renewal, and goes on as a new incarnation in a new stream. If it does not know
// whether its last batch had arrived, it looks at the end of the old stream. That
// may be gone, with a broker that has forgotten everything: the batch names the
// place it had there, so that readers who have read as far do not take it again.
//
// A node that was cut off, while another ended and came back more than once,
// finds the incarnations it has not seen in the directory and reads their
// streams one after the other, as long as they live.
//
// # Rights
//
// A user of the ACL needs the keys PREFIX* and: HELLO, CLIENT, SELECT, CLUSTER,
// EVAL, EVALSHA, HGET, HSET, HDEL, HGETALL, RPUSH, LTRIM, LRANGE, TIME, XADD, XREAD,
// XREVRANGE, XTRIM, PEXPIRE. An emitter needs, besides the first four, XADD and PEXPIRE.
package valkey
