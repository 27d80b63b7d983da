// Command wsecho is a plain WebSocket echo server on netpoll alone: every text
// and binary message up to 16 MiB comes back as it is, on any path. It is what
// the conformance suite beside it and load generators of other WebSocket
// servers talk to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/netpoll"
)

const (
	maxMessage = 16 << 20
	// Four of the largest echoes may wait for a client that reads slowly.
	maxPendingBytes  = 64 << 20
	maxPendingFrames = 1 << 16

	shutdownTimeout = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "wsecho:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. The first line on out names the address, so
// that whoever asked for port 0 finds the server.
func run(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("wsecho", flag.ContinueOnError)
	flags.SetOutput(errs)
	listen := flags.String("listen", "127.0.0.1:9001",
		"`HOST:PORT` to listen on; port 0 takes a free one")
	loops := flags.Int("loops", 0, "number of event loops; 0: one per CPU")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q, want flags only", flags.Arg(0))
	}
	srv, err := netpoll.New(netpoll.Options{
		Addr: *listen, Loops: *loops,
		MaxMessage:       maxMessage,
		MaxPendingBytes:  maxPendingBytes,
		MaxPendingFrames: maxPendingFrames,
	}, handler{})
	if err != nil {
		return err
	}
	if err = srv.Start(); err != nil {
		return err
	}
	fmt.Fprintf(out, "echo server on ws://%s/\n", srv.Addr())
	ended := make(chan error, 1)
	go func() { ended <- srv.Wait() }()
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return srv.Shutdown(limited)
}

// handler upgrades every request that asks for it.
type handler struct{}

// StartLoop implements netpoll.Handler.
func (handler) StartLoop(*netpoll.Loop) {}

// Open implements netpoll.Handler.
func (handler) Open(*netpoll.Loop) netpoll.Peer { return new(echo) }

// Request implements netpoll.Handler.
func (handler) Request(_ *netpoll.Conn, r *netpoll.Request) netpoll.Reply {
	if len(r.Header("Upgrade")) > 0 {
		return netpoll.Reply{Kind: netpoll.Upgrade}
	}
	return netpoll.Reply{
		Status:      http.StatusUpgradeRequired,
		ContentType: "text/plain; charset=utf-8",
		Header:      "Upgrade: websocket\r\n",
		Body:        []byte("WebSocket clients only\n"),
	}
}

// echo is a connection.
type echo struct{ netpoll.Conn }

// NetConn implements netpoll.Peer.
func (e *echo) NetConn() *netpoll.Conn { return &e.Conn }

// Upgraded implements netpoll.Peer.
func (e *echo) Upgraded(*netpoll.Request) {}

// Message implements netpoll.Peer.
func (e *echo) Message(op ws.OpCode, p []byte, _ bool) { e.Send(netpoll.NewMsg(op, p)) }

// Timer implements netpoll.Peer.
func (e *echo) Timer() {}

// Closed implements netpoll.Peer.
func (e *echo) Closed(error) {}
