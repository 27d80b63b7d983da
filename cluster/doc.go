// Package cluster owns the contract between the nodes of a cluster: who the
// nodes are ([Node]), how entries get from one to the others ([Transport],
// [Receiver]), and what an entry says ([Op]). It knows no broker and no
// socket; cluster/memory joins nodes of one process, cluster/valkey those of
// many hosts through Valkey streams.
//
// # What is promised
//
// The entries that one node publishes reach every other node in the order in
// which they were published, each at most once, whatever namespaces and rooms
// they name. Entries of two nodes have no order between them, and local
// delivery does not wait for the broker. What could not be carried is counted
// and told ([Receiver.Gap]), never silently left out.
//
// # Who blocks
//
// Publish and Send never block, so that event loops may call them. The
// receiver is called from goroutines of the transport, never from a loop.
package cluster
