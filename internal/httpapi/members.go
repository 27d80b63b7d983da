package httpapi

import (
	"net/http"

	"github.com/throng-server/throng/socketio"
)

// selection is the body of join, leave and disconnect.
type selection struct {
	Namespace string `json:"namespace"`
	// Sockets are ids, or rooms whose members are meant; All means everybody.
	Sockets []string `json:"sockets"`
	All     bool     `json:"all"`
	Except  []string `json:"except"`
	// Rooms of join and leave.
	Rooms []string `json:"rooms"`
	// Close of disconnect: the whole connection, not only this namespace.
	Close bool `json:"close"`
}

func (a *API) selected(r *http.Request) (s selection, to socketio.Broadcast, err error) {
	if err = read(r, &s); err != nil {
		return s, to, err
	}
	n, err := a.namespace(s.Namespace)
	if err != nil {
		return s, to, err
	}
	if s.All == (len(s.Sockets) > 0) {
		return s, to, invalid("either sockets or all says who is meant")
	}
	return s, n.To(s.Sockets...).Except(s.Except...), nil
}

func (a *API) join(r *http.Request) (any, error) {
	return a.move(r, socketio.Broadcast.SocketsJoin)
}

func (a *API) leave(r *http.Request) (any, error) {
	return a.move(r, socketio.Broadcast.SocketsLeave)
}

func (a *API) move(r *http.Request, f func(socketio.Broadcast, ...string)) (any, error) {
	s, to, err := a.selected(r)
	if err != nil {
		return nil, err
	}
	if len(s.Rooms) == 0 {
		return nil, invalid("rooms is missing")
	}
	f(to, s.Rooms...)
	return done{true}, nil
}

func (a *API) disconnect(r *http.Request) (any, error) {
	s, to, err := a.selected(r)
	if err != nil {
		return nil, err
	}
	if len(s.Rooms) > 0 {
		return nil, invalid("rooms means nothing here: members of rooms are named in sockets")
	}
	to.DisconnectSockets(s.Close)
	return done{true}, nil
}

func (a *API) closeRoom(r *http.Request) (any, error) {
	var s struct {
		Namespace string `json:"namespace"`
		Room      string `json:"room"`
	}
	if err := read(r, &s); err != nil {
		return nil, err
	}
	n, err := a.namespace(s.Namespace)
	if err != nil {
		return nil, err
	}
	if s.Room == "" {
		return nil, invalid("room is missing")
	}
	n.CloseRoom(s.Room)
	return done{true}, nil
}
