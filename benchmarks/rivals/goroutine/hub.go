package main

import (
	"context"
	"sync"

	"github.com/coder/websocket"
)

// peer is one connection.
type peer struct {
	conn   *websocket.Conn
	out    chan []byte
	cancel context.CancelFunc
	rooms  []string // guarded by hub.mu
}

// hub knows who is there, and where.
type hub struct {
	mu    sync.RWMutex
	all   map[*peer]struct{}
	rooms map[string]map[*peer]struct{}
}

// send queues a message; a client too far behind is cut.
func (p *peer) send(text string) { p.queue([]byte(text)) }

func (p *peer) queue(b []byte) {
	select {
	case p.out <- b:
	default:
		p.cancel()
	}
}

func (h *hub) enter(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[p] = struct{}{}
}

func (h *hub) leave(p *peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, p)
	for _, r := range p.rooms {
		delete(h.rooms[r], p)
		if len(h.rooms[r]) == 0 {
			delete(h.rooms, r)
		}
	}
}

func (h *hub) join(p *peer, room string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[room] == nil {
		h.rooms[room] = map[*peer]struct{}{}
	}
	h.rooms[room][p] = struct{}{}
	p.rooms = append(p.rooms, room)
}

func (h *hub) toAll(text string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	fan(h.all, text)
}

func (h *hub) toRoom(room, text string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	fan(h.rooms[room], text)
}

func fan(members map[*peer]struct{}, text string) {
	b := []byte(text)
	for p := range members {
		p.queue(b)
	}
}
