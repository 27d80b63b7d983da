package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// RemoteSocket is a socket that FetchSockets has found, on this server or on
// another node. What it tells of one elsewhere is as of that moment. Any
// goroutine.
type RemoteSocket struct {
	ns    *Namespace
	local *Socket
	node  string
	rec   socketRecord
}

// Local returns the socket itself if it is one of this server, else nil.
func (r *RemoteSocket) Local() *Socket { return r.local }

// Node returns the ID of the node the socket is connected to; on a server that
// is in no cluster it is empty.
func (r *RemoteSocket) Node() string {
	if m := r.ns.srv.mesh; r.local != nil && m != nil {
		return m.t.Self().ID
	}
	return r.node
}

// ID is Socket.ID.
func (r *RemoteSocket) ID() string {
	if r.local != nil {
		return r.local.ID()
	}
	return r.rec.ID
}

// Namespace returns the namespace the socket is in.
func (r *RemoteSocket) Namespace() *Namespace { return r.ns }

// Rooms returns the rooms the socket is in, its own id first; of one elsewhere
// those it was in. The slice is the caller's.
func (r *RemoteSocket) Rooms() []string {
	if r.local != nil {
		return r.local.Rooms()
	}
	return append([]string(nil), r.rec.Rooms...)
}

// Data returns what SetData has stored, as JSON; nil if there is nothing, or
// it has no JSON.
func (r *RemoteSocket) Data() json.RawMessage {
	if r.local == nil {
		return r.rec.Data
	}
	v := r.local.Data()
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// DecodeData decodes what SetData has stored into v, by way of JSON.
func (r *RemoteSocket) DecodeData(v any) error {
	b := r.Data()
	if b == nil {
		b = json.RawMessage("null")
	}
	return json.Unmarshal(b, v)
}

// Handshake is Socket.Handshake: what the server still has of it.
func (r *RemoteSocket) Handshake() *Handshake {
	if r.local != nil {
		return r.local.Handshake()
	}
	if r.rec.Handshake == nil {
		return &Handshake{Header: http.Header{}, Query: url.Values{}, Auth: json.RawMessage("{}")}
	}
	return r.rec.Handshake
}

// Emit is Socket.Emit. That a socket elsewhere has left is not told.
func (r *RemoteSocket) Emit(event string, args ...any) error {
	if r.local != nil {
		return r.local.Emit(event, args...)
	}
	return r.room().Emit(event, args...)
}

// EmitWithAck is Namespace.Call.
func (r *RemoteSocket) EmitWithAck(ctx context.Context, event string, args ...any) (*Ack, error) {
	return r.ns.Call(ctx, r.ID(), event, args...)
}

// Join is Socket.Join.
func (r *RemoteSocket) Join(rooms ...string) {
	if r.local != nil {
		r.local.Join(rooms...)
		return
	}
	r.room().SocketsJoin(rooms...)
}

// Leave is Socket.Leave.
func (r *RemoteSocket) Leave(rooms ...string) {
	if r.local != nil {
		r.local.Leave(rooms...)
		return
	}
	r.room().SocketsLeave(rooms...)
}

// Disconnect is Socket.Disconnect.
func (r *RemoteSocket) Disconnect(closeConnection bool) {
	if r.local != nil {
		r.local.Disconnect(closeConnection)
		return
	}
	r.room().DisconnectSockets(closeConnection)
}

func (r *RemoteSocket) room() Broadcast { return r.ns.sole(r.rec.ID) }

// known returns the handshake as far as the server has it, or nil.
func (s *Socket) known() (h *Handshake) {
	has := false
	s.edit(false, func(x *extra) { has = x.handshake != nil || x.head != nil })
	if has {
		h = s.Handshake()
	}
	return h
}
