package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/gobwas/ws"

	"github.com/throng-server/throng/internal/engine"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/socketio"
)

// server is a Socket.IO server, and an Engine.IO server whose requests come in
// on the port of the first.
type server struct {
	io *socketio.Server
	// loops are those of the echo. They have an address of their own, which
	// nobody is told.
	loops *netpoll.Server
}

func newServer(addr string, logger *slog.Logger) (*server, error) {
	io, err := socketio.NewServer(socketio.Options{
		Addr: addr, PingInterval: pingInterval, PingTimeout: pingTimeout,
		ConnectTimeout: connectTimeout, MaxPayload: maxPayload,
		CORSAllowedOrigins: []string{"*"}, AllowEIO3: true, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"/", "/custom"} {
		io.Of(name).OnConnection(func(s *socketio.Socket) {
			_ = s.Emit("auth", s.Handshake().Auth) // fails only for one that has left
		})
	}
	// What the client sent can be sent; that fails only when it has left.
	io.On("message", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("message-back", e.Raw()...)
	})
	io.On("message-with-ack", func(_ *socketio.Socket, e *socketio.Event) {
		_ = e.Ack(e.Raw()...)
	})
	eng := engine.New(engine.Options{
		Path: "/engine.io/", PingInterval: pingInterval, PingTimeout: pingTimeout,
		MaxPayload: maxPayload, CORSAllowedOrigins: []string{"*"}, AllowEIO3: true,
		Logger: logger,
		Open:   func(*engine.Loop) engine.Upper { return &echo{} },
	})
	loops, err := netpoll.New(netpoll.Options{Addr: "127.0.0.1:0", MaxMessage: maxPayload,
		Logger: logger}, eng)
	if err != nil {
		return nil, err
	}
	io.Handle("/engine.io/", eng)
	return &server{io: io, loops: loops}, nil
}

func (s *server) start() error {
	if err := s.loops.Start(); err != nil {
		return err
	}
	if err := s.io.Start(); err != nil {
		return errors.Join(err, s.loops.Shutdown(context.Background()))
	}
	return nil
}

func (s *server) addr() string { return s.io.Addr().String() }

func (s *server) shutdown(ctx context.Context) error {
	return errors.Join(s.io.Shutdown(ctx), s.loops.Shutdown(ctx))
}

// echo sends every message back.
type echo struct{ engine.Session }

// Opened implements engine.Upper.
func (e *echo) Opened([]byte, bool, net.Addr) {}

// Deadline implements engine.Upper.
func (e *echo) Deadline() {}

// Ended implements engine.Upper.
func (e *echo) Ended(string) {}

// Packet implements engine.Upper.
func (e *echo) Packet(binary bool, p []byte, _ bool) {
	if binary {
		e.Send(netpoll.NewMsg(ws.OpBinary, p))
		return
	}
	e.Send(netpoll.NewMsg(ws.OpText, append([]byte{'4'}, p...)))
}
