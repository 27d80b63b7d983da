package demo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/throng-server/throng/socketio"
)

// What a client may ask for needs a bound.
const (
	maxRooms    = 20 // a socket may be in at once
	maxRoomName = 64 // bytes
)

// enter puts a socket into a room that its client named.
func enter(s *socketio.Socket, room string) error {
	switch {
	case room == "" || len(room) > maxRoomName:
		return refuse("a room's name has 1 to 64 bytes")
	case isIn(s, room):
		return nil
	case len(roomsOf(s)) >= maxRooms:
		return refuse("20 rooms at once are enough: leave one first")
	}
	// The id of a socket is the name of its own room: whoever joined that
	// would read along.
	if _, err := s.Namespace().RoomsOf(room); !errors.Is(err, socketio.ErrNoSocket) {
		return refuse("that room belongs to one client alone")
	}
	s.Join(room)
	return nil
}

// isIn tells whether a socket is in a room.
func isIn(s *socketio.Socket, room string) bool { return slices.Contains(s.Rooms(), room) }

// roomsOf returns the rooms of a socket without the one that is its own.
func roomsOf(s *socketio.Socket) []string {
	return slices.DeleteFunc(s.Rooms(), func(room string) bool { return room == s.ID() })
}

// tellMembers sends room_members to the rooms of a namespace in which somebody
// came or went, a moment later: a thousand clients that join at once cause a
// few events and not a thousand to each.
func tellMembers(srv *socketio.Server, ns *socketio.Namespace) {
	var mu sync.Mutex
	changed := make(map[string]bool)
	wake := make(chan struct{}, 1)

	// Hooks learn of every change, also of disconnects and closed rooms.
	note := func(room, _ string) {
		mu.Lock()
		changed[room] = true
		mu.Unlock()
		select {
		case wake <- struct{}{}:
		default: // it is awake already
		}
	}
	ns.OnJoinRoom(note)
	ns.OnLeaveRoom(note)

	_ = srv.Go(func(ctx context.Context) {
		for {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			time.Sleep(50 * time.Millisecond)
			mu.Lock()
			rooms := changed
			changed = make(map[string]bool)
			mu.Unlock()
			counts, err := ns.Rooms(ctx) // asks every event loop
			if err != nil {
				continue
			}
			for room := range rooms {
				_ = ns.To(room).Emit("room_members", members{room, counts[room]})
			}
		}
	})
}

type members struct {
	Room  string `json:"room"`
	Count int    `json:"count"`
}
