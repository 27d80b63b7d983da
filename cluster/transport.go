package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Node is one server process of a cluster.
type Node struct {
	// ID is the configured name, unique among the nodes that live.
	ID string
	// Incarnation is new whenever the process starts, or comes back after its
	// lease had lapsed: what the old one had announced is void then.
	Incarnation uint64
	// Tag is the part of session ids that names the node. It belongs to the ID:
	// a new incarnation keeps it.
	Tag uint16
	// Addr is where the other nodes forward requests that belong to this one,
	// host:port; empty: nowhere.
	Addr string
	// Secret proves to this incarnation that a forwarded request comes from a
	// node of the cluster: random text that only the nodes know. It is left out
	// where a node is printed, logged or written as JSON.
	Secret string `json:"-"`
	// Sockets by namespace, as of the last renewal of the lease.
	Sockets map[string]int
}

// String returns the node without its secret.
func (n Node) String() string {
	return fmt.Sprintf("%s.%d (tag %d, %s)", n.ID, n.Incarnation, n.Tag, n.Addr)
}

// LogValue implements slog.LogValuer: the node without its secret.
func (n Node) LogValue() slog.Value { return slog.StringValue(n.String()) }

// Same tells whether two values mean the same incarnation of the same node.
func (n *Node) Same(o *Node) bool { return n.ID == o.ID && n.Incarnation == o.Incarnation }

// Class says what becomes of an entry that cannot be sent now.
type Class uint8

const (
	// Kept entries wait, within the bounds of the transport, until the broker
	// is back; the oldest go first when there are too many.
	Kept Class = iota
	// Fleeting entries are dropped then, and counted: volatile emits.
	Fleeting
	// Asked entries are not taken while the broker is away. One that was taken
	// before waits for it to come back, for as long as somebody may wait for the
	// answer: requests.
	Asked
)

// Transport carries entries between nodes. Any goroutine may call any method.
type Transport interface {
	// Self returns this node as the others see it now.
	Self() Node
	// Start begins to deliver to r and to keep the lease alive. It returns when
	// everything published from now on by the nodes of Nodes will be received.
	// It is called once.
	Start(ctx context.Context, r Receiver) error
	// Publish queues an entry for all other nodes and returns. Calls that
	// follow each other keep their order. Nobody may change entry afterwards.
	// It returns false if the entry was dropped at once: not kept while the
	// broker is away, larger than the transport takes, or after Close.
	Publish(c Class, entry []byte) bool
	// Send queues an entry for one node, best effort, in order with other
	// calls of Send to the same node, in none with Publish. It is for answers
	// to requests; a node whose incarnation is not to.Incarnation any more does
	// not receive it.
	Send(to Node, entry []byte) bool
	// Nodes returns the other nodes that live, by ID. It does not block.
	Nodes() []Node
	// NodeByTag returns the other live node with this tag. It does not block.
	NodeByTag(tag uint16) (Node, bool)
	// Status returns figures for operators. It does not block.
	Status() Status
	// Close sends what is queued, as long as ctx allows, gives the lease back,
	// so that the others see a node that has left, and ends delivery.
	Close(ctx context.Context) error
}

// Receiver takes what a transport delivers. The calls come one after the
// other; while one runs, nothing else is delivered, so that they must be short
// and never wait for an answer of another node.
type Receiver interface {
	// Receive is an entry of another node, or of an emitter that is none: its
	// ID is empty then. The receiver may keep entry and must not change it.
	Receive(from Node, entry []byte)
	// NodeJoined is a node, or a new incarnation of one, that was not there.
	NodeJoined(n Node)
	// NodeLost is an incarnation whose lease has lapsed, once. Later entries of
	// it are dropped. left tells that it said goodbye.
	NodeLost(n Node, left bool)
	// Gap tells that entries of a node are lost for this one: how many.
	Gap(from Node, missed uint64)
	// Sockets returns the number of sockets by namespace, for the lease. It is
	// called while another call may run.
	Sockets() map[string]int
}

// Status is what a transport tells of itself.
type Status struct {
	// Self and the Nodes that live, by ID.
	Self  Node
	Nodes []NodeStatus
	// Broker is "valkey" or "memory"; Connected tells whether it answers,
	// Since since when it is as it is, Err why it does not.
	Broker    string
	Connected bool
	Since     time.Time
	Err       string
	// Degraded tells that other nodes may miss what this one publishes now.
	Degraded bool
	// QueuedEntries and QueuedBytes wait to be sent.
	QueuedEntries int
	QueuedBytes   int64
	// Published and Received entries, ever, with their bytes.
	Published, PublishedBytes uint64
	Received, ReceivedBytes   uint64
	// Dropped counts own entries that were not sent, by reason; Missed counts
	// entries of others that did not come, Duplicates those refused.
	Dropped    map[string]uint64
	Missed     uint64
	Duplicates uint64
	// Incarnations counts how often this node had to start anew after its
	// lease had lapsed; Reconnects how often the broker came back.
	Incarnations, Reconnects uint64
}

// NodeStatus is what is known of another node.
type NodeStatus struct {
	Node
	// Seen is when its lease was last renewed, as this node's clock has it.
	Seen time.Time
	// Lag is how many of its entries are not read yet, as of the last look.
	Lag uint64
}

// Errors of transports.
var (
	// ErrTaken: another process that lives has the same node ID or tag.
	ErrTaken = errors.New("cluster: the node id is taken by a process that lives")
	// ErrClosed: the transport is closed.
	ErrClosed = errors.New("cluster: closed")
)
