// Command goroutine is the server a Go programmer writes first: net/http, a
// WebSocket library, and for each connection a goroutine that reads, one that
// writes, and a channel between them. It speaks as much of Engine.IO and
// Socket.IO as the contract of benchmarks/contractserver needs and compares
// texts where a real server would parse JSON, so it flatters the design.
//
//	goroutine HOST:PORT
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	pingInterval = 25 * time.Second
	// waiting is how many messages a client may be behind.
	waiting = 256
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: goroutine HOST:PORT")
	}
	h := &hub{rooms: map[string]map[*peer]struct{}{}, all: map[*peer]struct{}{}}
	http.HandleFunc("/socket.io/", h.serve)
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", ln.Addr())
	log.Fatal(http.Serve(ln, nil))
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &peer{conn: c, out: make(chan []byte, waiting), cancel: cancel}
	h.enter(p)
	go p.write(ctx)
	p.send(fmt.Sprintf(`0{"sid":"%016x","upgrades":[],"pingInterval":%d,"pingTimeout":20000,`+
		`"maxPayload":1000000}`, rand.Uint64(), pingInterval.Milliseconds()))
	for {
		_, text, err := c.Read(ctx)
		if err != nil {
			break
		}
		h.packet(p, string(text))
	}
	h.leave(p)
	cancel()
	_ = c.CloseNow()
}

func (h *hub) packet(p *peer, text string) {
	head, rest, _ := strings.Cut(text, ",")
	switch {
	case text == "40":
		p.send(fmt.Sprintf(`40{"sid":"%016x"}`, rand.Uint64()))
	case head == `42["echo"`:
		p.send(text)
	case head == `42["all"`:
		h.toAll(text)
	case head == `42["join"`:
		room := strings.Trim(rest, `"]`)
		h.join(p, room)
		p.send(`42["joined","` + room + `"]`)
	case head == `42["room"`:
		// {"r":"room","d":"payload"}]
		if f := strings.Split(rest, `"`); len(f) >= 8 {
			h.toRoom(f[3], `42["room","`+f[7]+`"]`)
		}
	}
}

// write sends what is queued, and pings.
func (p *peer) write(ctx context.Context) {
	// Not all at the same time.
	t := time.NewTimer(rand.N(pingInterval))
	defer t.Stop()
	for {
		var text []byte
		select {
		case <-ctx.Done():
			return
		case text = <-p.out:
		case <-t.C:
			t.Reset(pingInterval)
			text = []byte("2")
		}
		if p.conn.Write(ctx, websocket.MessageText, text) != nil {
			p.cancel()
			return
		}
	}
}
