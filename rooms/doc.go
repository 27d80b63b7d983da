// Package rooms owns who is in which room on one event loop.
//
// A [Shard] belongs to one loop and knows that loop's sockets only. It has no
// lock: every method is "loop only", and none blocks. A socket is a slot, a
// small dense uint32 the caller hands out and reuses; it belongs to one
// namespace, and its rooms are that namespace's. The room a socket has under
// its own id is not stored: callers resolve the id to a slot and name it in
// [Plan.Slots] or [Plan.ExceptSlots].
//
// # Storage
//
// A membership is two words of 8 bytes, one in the room's list and one in the
// socket's. Each word names the peer and the address of the other word, so that
// joining and leaving write a fixed number of words whatever the sizes; only
// the search for a membership walks a list, the shorter of the two. Words live
// in slabs without pointers, which the garbage collector does not scan; they
// never move, and slabs grow by fixed chunks, so that growth copies nothing and
// large tables have no doubling slack.
// Space of vanished rooms and removed sockets is kept and used again.
//
// An emit collects its receivers with [Shard.AppendPlan]: each member once,
// found by a 32-bit mark per slot that is compared with a counter bumped for
// each plan. Nothing is allocated when the destination has room.
package rooms
