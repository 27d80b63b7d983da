// Command contractserver is the server under test of connection and fan-out
// measurements. It keeps a small contract of events with nothing but the
// public API and its defaults, so that what is measured is what users get.
// Clients of every version may come:
//
//	["join", room]           joins, then emits ["joined", room] to the sender
//	["echo", payload]        emits ["echo", payload] back
//	["room", {"r":…,"d":…}]  emits ["room", d] to everybody in room r
//	["all", payload]         emits ["all", payload] to everybody
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/socketio"
)

// shutdownTime bounds the end.
const shutdownTime = 10 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:5000", "address to listen on, `HOST:PORT`")
	broker := flag.String("valkey", "", "Valkey `URL` that joins several servers to one")
	id := flag.String("node-id", "", "`name` in the cluster")
	share := flag.Bool("share", false, "let other servers listen on the same address")
	ping := flag.Duration("ping-interval", 0, "between two heartbeats, 0 for the default")
	flag.Parse()
	if err := run(settings{*listen, *broker, *id, *share, *ping}); err != nil {
		fmt.Fprintln(os.Stderr, "contractserver:", err)
		os.Exit(1)
	}
}

// settings are the flags: where the server is, not how it works. Only a
// million connections on one machine need fewer heartbeats.
type settings struct {
	addr, broker, id string
	reusePort        bool
	pingInterval     time.Duration
}

func run(set settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var node cluster.Transport // nil: alone
	if set.broker != "" {
		t, err := valkey.Open(ctx, valkey.Options{URL: set.broker, NodeID: set.id})
		if err != nil {
			return err
		}
		node = t
	}
	srv, err := newServer(set, node)
	if err != nil {
		return err
	}
	socketio.TuneMemory()
	if err := srv.Start(); err != nil {
		return err
	}
	fmt.Println("listening on", srv.Addr())
	ended := make(chan error, 1)
	go func() { ended <- srv.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return srv.Shutdown(ctx)
}

func newServer(set settings, node cluster.Transport) (*socketio.Server, error) {
	srv, err := socketio.NewServer(socketio.Options{Addr: set.addr, AllowEIO3: true, Cluster: node,
		ReusePort: set.reusePort, PingInterval: set.pingInterval})
	if err != nil {
		return nil, err
	}
	socketio.On(srv, "join", func(s *socketio.Socket, room string) error {
		s.Join(room)
		return s.Emit("joined", room)
	})
	srv.On("echo", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("echo", e.Raw()...) // fails only for a socket that has left
	})
	type message struct {
		Room string       `json:"r"`
		Data socketio.Raw `json:"d"`
	}
	socketio.On(srv, "room", func(_ *socketio.Socket, in message) error {
		return srv.To(in.Room).Emit("room", in.Data)
	})
	srv.On("all", func(_ *socketio.Socket, e *socketio.Event) {
		_ = srv.Emit("all", e.Raw()...) // what the client sent is valid JSON
	})
	return srv, nil
}
