// Command testserver is the server behind the end-to-end tests: each handler
// shows one behavior of package socketio to the official clients. It prints
// one JSON object a line: where it listens, then who came and who left.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/throng-server/throng/cluster/valkey"
	"github.com/throng-server/throng/socketio"
)

func main() {
	o := socketio.Options{}
	flag.StringVar(&o.Addr, "listen", "127.0.0.1:0", "host:port")
	flag.IntVar(&o.Loops, "loops", 2, "event loops")
	flag.DurationVar(&o.PingInterval, "ping-interval", 0, "heartbeat interval")
	flag.DurationVar(&o.PingTimeout, "ping-timeout", 0, "heartbeat timeout")
	flag.DurationVar(&o.ConnectTimeout, "connect-timeout", 0, "time to join a namespace")
	flag.IntVar(&o.MaxPayload, "max-payload", 0, "largest message in bytes")
	flag.IntVar(&o.MailboxEvents, "mailbox-events", 0, "events that may wait")
	flag.BoolVar(&o.CleanupEmptyChildNamespaces, "cleanup", false, "remove empty children")
	flag.IntVar(&o.MaxDynamicNamespaces, "max-dynamic", 0, "namespaces that clients may name")
	flag.BoolVar(&o.AllowEIO3, "eio3", false, "let clients 1.x and 2.x in")
	origins := flag.String("origins", "", "comma-separated allowed origins")
	proxies := flag.String("trusted-proxies", "", "a network of trusted proxies")
	comeback := flag.Duration("recovery", 0, "how long sessions wait for their clients")
	broker := flag.String("valkey", "", "URL of a Valkey server that joins several of these")
	id := flag.String("node-id", "", "name of this one among them")
	flag.BoolVar(&o.KeepHandshake, "keep-handshake", false, "keep handshakes")
	flag.Parse()
	if *broker != "" {
		t, err := valkey.Open(context.Background(), valkey.Options{URL: *broker, NodeID: *id})
		if err != nil {
			log.Fatal(err)
		}
		o.Cluster = t
	}
	if *comeback > 0 {
		o.ConnectionStateRecovery = &socketio.ConnectionStateRecovery{
			MaxDisconnectionDuration: *comeback}
	}
	if *proxies != "" {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(*proxies)}
	}
	if *origins != "" {
		o.CORSAllowedOrigins = strings.Split(*origins, ",")
	}

	srv, err := socketio.NewServer(o)
	if err != nil {
		log.Fatal(err)
	}
	events(srv)
	answers(srv)
	streams(srv)
	selections(srv)
	namespaces(srv)
	parents(srv)
	listeners(srv)
	flask(srv)
	recovery(srv)
	calls(srv)
	pages(srv)

	// Before anybody learns of the address: the signal may follow at once.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := srv.Start(); err != nil {
		log.Fatal(err)
	}
	journal(map[string]any{"event": "listening", "addr": srv.Addr().String()})

	<-signals
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

var stdout sync.Mutex

// journal prints one line; handlers of many sockets call it at once.
func journal(entry map[string]any) {
	line, err := json.Marshal(entry)
	if err != nil {
		log.Fatal(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// follow journals the life of every socket of ns.
func follow(ns *socketio.Namespace) {
	entry := func(event string, s *socketio.Socket, reason string) {
		journal(map[string]any{"event": event, "nsp": ns.Name(), "id": s.ID(),
			"reason": reason, "rooms": append([]string{}, s.Rooms()...)})
	}
	ns.OnConnection(func(s *socketio.Socket) { entry("connection", s, "") })
	ns.OnDisconnecting(func(s *socketio.Socket, reason string) { entry("disconnecting", s, reason) })
	ns.OnDisconnect(func(s *socketio.Socket, reason string) { entry("disconnect", s, reason) })
}
