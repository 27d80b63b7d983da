package cluster

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/throng-server/throng/cluster/fields"
	"github.com/throng-server/throng/protocol/sio"
)

// Publisher puts the entries of an Emitter where all nodes read them;
// cluster/valkey has one.
type Publisher interface {
	// Publish returns when the entry is where the nodes will read it, or with an
	// error if it may not be. The entry is the Publisher's then.
	Publish(entry []byte) error
}

// Emitter reaches the clients of a cluster from a process that serves none: a
// job, a worker, a command. It knows no clients and gets no answers. It stands
// for all sockets of the namespace "/"; see Of for others. Any goroutine may
// use it; what one goroutine sends arrives in that order.
type Emitter struct {
	Selection
}

// emitterState is shared by all selections of an emitter.
type emitterState struct {
	out    Publisher
	closed atomic.Bool
}

// NewEmitter returns an emitter that hands its entries to p.
func NewEmitter(p Publisher) *Emitter {
	return &Emitter{Selection{emitter: &emitterState{out: p}, ns: "/"}}
}

// Close ends the emitter, and its Publisher if that is an io.Closer. What is
// sent afterwards fails with ErrClosed.
func (e *Emitter) Close() error {
	if e.emitter.closed.Swap(true) {
		return nil
	}
	if c, ok := e.emitter.out.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Of returns all sockets of a namespace. A leading slash is added.
func (e *Emitter) Of(namespace string) Selection {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	return Selection{emitter: e.emitter, ns: namespace}
}

// Selection is sockets of one namespace, wherever they are connected: the
// members of rooms, or all if none is named, minus those of excepted rooms. The
// id of a socket is its room. It is a value: methods return changed copies.
type Selection struct {
	emitter       *emitterState
	ns            string
	rooms, except []string
	flags         Flags
}

// To adds rooms to the receivers.
func (s Selection) To(rooms ...string) Selection {
	s.rooms = append(s.rooms[:len(s.rooms):len(s.rooms)], rooms...)
	return s
}

// In is To.
func (s Selection) In(rooms ...string) Selection { return s.To(rooms...) }

// Except removes the members of rooms from the receivers.
func (s Selection) Except(rooms ...string) Selection {
	s.except = append(s.except[:len(s.except):len(s.except)], rooms...)
	return s
}

// Volatile drops the event for receivers that older output waits for.
func (s Selection) Volatile() Selection {
	s.flags |= Volatile
	return s
}

// Compress tells whether the event is worth compressing; it is unless told
// otherwise.
func (s Selection) Compress(on bool) Selection {
	if s.flags |= Plain; on {
		s.flags &^= Plain
	}
	return s
}

// Emit sends an event. The arguments are encoded as socketio.Broadcast.Emit
// does it: a []byte at any depth is a binary attachment, of which official
// clients take sio.DefaultMaxAttachments.
func (s Selection) Emit(event string, args ...any) error {
	body, err := s.packet(event, args)
	if err != nil {
		return err
	}
	return s.send(Op{Kind: Emit, Flags: s.flags, Body: body})
}

// ServerSideEmit sends an event to the OnServerSide handlers of all servers.
// The selection's namespace counts, its rooms do not. Servers keep the names
// connection and new_namespace for themselves.
func (s Selection) ServerSideEmit(event string, args ...any) error {
	if event == "connection" || event == "new_namespace" {
		return &sio.ReservedEventError{Name: event}
	}
	text, atts, err := sio.AppendEvent(nil, "/", -1, event, args)
	if err != nil {
		return err
	}
	body := fields.AppendList(fields.Append(nil, text), atts)
	s.rooms, s.except = nil, nil
	return s.send(Op{Kind: ServerEvent, Body: body})
}

// SocketsJoin makes the sockets join rooms.
func (s Selection) SocketsJoin(rooms ...string) error {
	return s.send(Op{Kind: Join, Names: rooms})
}

// SocketsLeave makes the sockets leave rooms.
func (s Selection) SocketsLeave(rooms ...string) error {
	return s.send(Op{Kind: Leave, Names: rooms})
}

// DisconnectSockets ends the sockets; with closeConnection, their connections
// and so their sockets in other namespaces, too.
func (s Selection) DisconnectSockets(closeConnection bool) error {
	op := Op{Kind: Disconnect}
	if closeConnection {
		op.Flags = Close
	}
	return s.send(op)
}

// CloseRoom makes everybody leave rooms. The selection's namespace counts, its
// rooms do not.
func (s Selection) CloseRoom(rooms ...string) error {
	s.rooms, s.except = nil, nil
	return s.send(Op{Kind: CloseRoom, Names: rooms})
}

// packet is the body of an event.
func (s Selection) packet(event string, args []any) ([]byte, error) {
	if strings.ContainsRune(s.ns, ',') {
		return nil, fmt.Errorf("cluster: a namespace has no comma: %q", s.ns)
	}
	text, atts, err := sio.AppendEvent([]byte{'4'}, s.ns, -1, event, args)
	if err != nil {
		return nil, err
	}
	if len(atts) > sio.DefaultMaxAttachments {
		return nil, fmt.Errorf("cluster: %d binary values, clients take %d",
			len(atts), sio.DefaultMaxAttachments)
	}
	body := appendFrame(nil, textFrame, text)
	for _, a := range atts {
		body = appendFrame(body, binaryFrame, a)
	}
	return body, nil
}

// send completes and publishes an entry.
func (s Selection) send(op Op) error {
	if s.emitter.closed.Load() {
		return ErrClosed
	}
	op.NS, op.Rooms, op.Except = s.ns, s.rooms, s.except
	for _, list := range [][]string{op.Rooms, op.Except, op.Names} {
		if len(list) > MaxNames {
			return errors.New("cluster: too many rooms in one call")
		}
	}
	return s.emitter.out.Publish(op.Append(make([]byte, 0, op.Size())))
}
