// Command suiteserver is the server that the official test suites of the
// Engine.IO and Socket.IO protocols run against: an echo of messages, text and
// binary, below /engine.io/, and the namespaces "/" and "/custom" below
// /socket.io/, with the short heartbeat that the suites expect.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// What the suites expect, but for the limit of messages, which they read.
const (
	pingInterval   = 300 * time.Millisecond
	pingTimeout    = 200 * time.Millisecond
	connectTimeout = time.Second
	maxPayload     = 1_000_000

	shutdownTime = 8 * time.Second
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "address to listen on, `HOST:PORT`")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "suiteserver:", err)
		os.Exit(1)
	}
}

func run(addr string) error {
	s, err := newServer(addr, slog.Default())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.start(); err != nil {
		return err
	}
	fmt.Println("listening on", s.addr())
	<-ctx.Done()
	stop() // a second signal ends the process at once
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return s.shutdown(ctx)
}
