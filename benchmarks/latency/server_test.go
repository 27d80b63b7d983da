package latency

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/socketio"
)

// room is where the receivers of broadcasts are.
const room = "members"

// serverConfig is what scenarios change about the server.
type serverConfig struct {
	Tune       bool // call TuneProcessors and TuneMemory, as the binary does
	MaxWorkers int
}

// addresses is the server's first line of output.
type addresses struct {
	Server string
	Bytes  string // echoes bytes: a goroutine a connection, no Socket.IO
}

// figures is what /stats answers.
type figures struct {
	Workers int
	Running int64 // sleeping handlers, now
	Peak    int64 // and most at once
	Drops   map[string]uint64
	Panics  uint64
}

// serve is the server under test. It ends with its standard input.
func serve(cfg serverConfig) error {
	if cfg.Tune {
		socketio.TuneProcessors(0)
		socketio.TuneMemory()
	}
	srv, err := socketio.NewServer(socketio.Options{
		Addr: "127.0.0.1:0", MaxWorkers: cfg.MaxWorkers,
	})
	if err != nil {
		return err
	}
	var running, peak atomic.Int64
	handlers(srv, &running, &peak)
	srv.HandleFunc("/stats", func(w http.ResponseWriter, _ *http.Request) {
		st := srv.Stats()
		_ = json.NewEncoder(w).Encode(figures{
			Workers: st.Workers, Running: running.Load(), Peak: peak.Load(),
			Drops: st.Drops, Panics: st.Panics,
		})
	})
	if err := srv.Start(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go echoBytes(ln)
	err = json.NewEncoder(os.Stdout).Encode(addresses{
		Server: srv.Addr().String(), Bytes: ln.Addr().String(),
	})
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return srv.Shutdown(ctx)
}

func handlers(srv *socketio.Server, running, peak *atomic.Int64) {
	echo := func(name string) func(*socketio.Socket, *socketio.Event) {
		return func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit(name, e.Raw()...) }
	}
	srv.On("echo", echo("echo"))
	srv.On("inline", echo("inline"), socketio.Inline())
	socketio.On(srv, "join", func(s *socketio.Socket, name string) error {
		s.Join(name)
		return s.Emit("joined", name)
	})
	// ["one", payload] is a broadcast, ["burst", numbers] a loop of them.
	srv.On("one", func(_ *socketio.Socket, e *socketio.Event) {
		_ = srv.To(room).Emit("b", e.Raw()...)
	})
	type numbers struct{ From, Count int }
	socketio.On(srv, "burst", func(_ *socketio.Socket, in numbers) error {
		for i := range in.Count {
			if err := srv.To(room).Emit("b", in.From+i, padding); err != nil {
				return err
			}
		}
		return nil
	})
	socketio.On(srv, "sleep", func(s *socketio.Socket, ms int) error {
		n := running.Add(1)
		defer running.Add(-1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return s.Emit("done")
	})
	socketio.On(srv, "busy", func(s *socketio.Socket, ms int) error {
		return s.Emit("done", busy(ms))
	})
	socketio.On(srv, "compute", func(s *socketio.Socket, ms int) error {
		if _, err := socketio.Compute(s.Context(), func() int { return busy(ms) }); err != nil {
			return err
		}
		return s.Emit("done")
	})
}

// padding makes a broadcast about 64 bytes long.
const padding = "................................................"

// busy keeps a processor busy.
func busy(ms int) (n int) {
	for end := time.Now().Add(time.Duration(ms) * time.Millisecond); time.Now().Before(end); {
		for range 10_000 {
			n++
		}
	}
	return n
}

// echoBytes is code of a user who waits on a net.Conn.
func echoBytes(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			b := make([]byte, 1)
			for {
				if _, err := io.ReadFull(conn, b); err != nil {
					return
				}
				if _, err := conn.Write(b); err != nil {
					return
				}
			}
		}()
	}
}
