package loadgen

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// faults is what a test's server does wrong on purpose: it decides by the
// number a message carries.
type faults struct {
	drop  func(seq uint32) bool // not sent
	twice func(seq uint32) bool
	stray func(seq uint32) bool // to everybody instead of to its room
	late  time.Duration         // by which broadcasts are
}

func (f faults) times(payload string) (n int, stray bool) {
	s, ok := findStamp([]byte(payload))
	is := func(do func(uint32) bool) bool { return ok && do != nil && do(s.seq) }
	switch {
	case is(f.drop):
		return 0, false
	case is(f.twice):
		return 2, false
	}
	return 1, is(f.stray)
}

// serve starts a server that keeps the contract, but for its faults.
func serve(t *testing.T, o socketio.Options, f faults) (url string) {
	t.Helper()
	o.Addr, o.Loops, o.Logger = "127.0.0.1:0", 1, slog.New(slog.DiscardHandler)
	srv, err := socketio.NewServer(o)
	require.NoError(t, err)
	socketio.On(srv, "join", func(s *socketio.Socket, room string) error {
		s.Join(room)
		return s.Emit("joined", room)
	})
	socketio.On(srv, "echo", func(s *socketio.Socket, payload string) error {
		n, _ := f.times(payload)
		for range n {
			if err := s.Emit("echo", payload); err != nil {
				return err
			}
		}
		return nil
	})
	type message struct {
		Room string `json:"r"`
		Data string `json:"d"`
	}
	socketio.On(srv, "room", func(_ *socketio.Socket, in message) error {
		n, stray := f.times(in.Data)
		if stray {
			return srv.Emit("room", in.Data)
		}
		for range n {
			if err := srv.To(in.Room).Emit("room", in.Data); err != nil {
				return err
			}
		}
		return nil
	})
	socketio.On(srv, "all", func(_ *socketio.Socket, payload string) error {
		n, _ := f.times(payload)
		time.Sleep(f.late)
		for range n {
			if err := srv.Emit("all", payload); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, srv.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	})
	return "http://" + srv.Addr().String()
}
