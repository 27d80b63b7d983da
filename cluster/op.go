package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/throng-server/throng/cluster/fields"
)

// Kind says what an entry asks a node to do with its own sockets.
type Kind uint8

// The numbers are on the wire: they are never used for something else.
const (
	// Emit delivers Body to the selected sockets. With a Request their
	// acknowledgements are wanted.
	Emit Kind = 1
	// Join and Leave make the selected sockets join or leave Names.
	Join  Kind = 2
	Leave Kind = 3
	// Disconnect disconnects the selected sockets; Close: their connections.
	Disconnect Kind = 4
	// CloseRoom makes everybody leave each of Names.
	CloseRoom Kind = 5
	// ServerEvent is an event for the handlers of servers. Body is the text of
	// its packet as in the namespace "/", the number of attachments and those,
	// with a varint for the number and in front of text and attachments for their
	// length.
	ServerEvent Kind = 6
	// Fetch asks for the selected sockets, Count for how many they are, Rooms
	// for the namespace's rooms and how many members each has.
	Fetch Kind = 7
	Count Kind = 8
	Rooms Kind = 9
	// Answer is a part of the answer to Request; Body depends on what was
	// asked. Last marks the last one of a node.
	Answer Kind = 10
	// NamedLike tells that somebody is in a room whose name looks like the id of
	// a socket of another node: what goes to such an id may have receivers
	// anywhere. Body has the tags of these nodes, big-endian, two bytes each.
	NamedLike Kind = 11

	lastKind = NamedLike
)

// Flags of an entry.
type Flags uint8

const (
	// Volatile: dropped for sockets that older output waits for.
	Volatile Flags = 1 << iota
	// Plain: not worth compressing.
	Plain
	// Close: connections, not only namespaces.
	Close
	// Last: nothing follows under the same request.
	Last
	// First: the answer tells how many sockets are asked.
	First
	// Sole: the socket whose id is the only one of Rooms, not members of a room
	// of that name.
	Sole
)

// Op is what an entry says.
type Op struct {
	Kind  Kind
	Flags Flags
	// NS is the namespace's name.
	NS string
	// Rooms and Except select sockets as a broadcast does: members of any of
	// Rooms, of the whole namespace if there are none, minus those of Except.
	// The id of a socket is its room.
	Rooms, Except []string
	// Names are the rooms to join, leave or close. Of a question they are the
	// IDs of the nodes that are asked, none: all.
	Names []string
	// Request numbers a question within the incarnation that asks, 0: none.
	// Wait is for how many milliseconds it waits for answers, 0: not known.
	Request uint64
	Wait    uint32
	// Body is opaque here. Of Emit it is a packet as it goes to clients: one
	// unmasked WebSocket text frame (RFC 6455, section 5.2) with the Engine.IO
	// type 4 and the JSON packet of Socket.IO protocol 5, then a binary frame
	// for each attachment.
	Body []byte
}

// Limits of what Parse takes.
const (
	// MaxNames bounds Rooms, Except and Names, each.
	MaxNames = 1 << 16

	opVersion = 1
)

// ErrEntry is the error of an entry that is not one.
var ErrEntry = errors.New("cluster: not an entry")

// Append appends the entry to dst.
func (o *Op) Append(dst []byte) []byte {
	dst = append(dst, opVersion, byte(o.Kind), byte(o.Flags))
	dst = binary.AppendUvarint(dst, o.Request)
	dst = binary.AppendUvarint(dst, uint64(o.Wait))
	dst = fields.Append(dst, o.NS)
	dst = fields.AppendList(dst, o.Rooms)
	dst = fields.AppendList(dst, o.Except)
	dst = fields.AppendList(dst, o.Names)
	return append(dst, o.Body...)
}

// Size bounds the length of the entry, so that Append needs one allocation.
func (o *Op) Size() int {
	n := 3 + 6*binary.MaxVarintLen64 + len(o.NS) + len(o.Body)
	for _, list := range [][]string{o.Rooms, o.Except, o.Names} {
		for _, s := range list {
			n += binary.MaxVarintLen32 + len(s)
		}
	}
	return n
}

// Parse reads an entry. Body shares the bytes of b, names are copies.
func Parse(b []byte) (Op, error) {
	if len(b) < 3 {
		return Op{}, fmt.Errorf("%w: %d bytes", ErrEntry, len(b))
	}
	if b[0] != opVersion {
		return Op{}, fmt.Errorf("%w: version %d, expected %d", ErrEntry, b[0], opVersion)
	}
	o := Op{Kind: Kind(b[1]), Flags: Flags(b[2])}
	if o.Kind == 0 || o.Kind > lastKind {
		return Op{}, fmt.Errorf("%w: kind %d", ErrEntry, o.Kind)
	}
	r := fields.Reader{Rest: b[3:]}
	o.Request = r.Number()
	wait := r.Number()
	o.Wait = uint32(min(wait, math.MaxUint32))
	o.NS = string(r.Bytes())
	o.Rooms = fields.List[string](&r, MaxNames)
	o.Except = fields.List[string](&r, MaxNames)
	o.Names = fields.List[string](&r, MaxNames)
	if r.Bad {
		return Op{}, fmt.Errorf("%w: it ends too early, or a length is wrong", ErrEntry)
	}
	o.Body = r.Rest
	return o, nil
}
