package netpoll

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// Defaults of Options.
const (
	DefaultMaxHeadBytes     = 8 << 10
	DefaultHeadTimeout      = 5 * time.Second
	DefaultKeepAliveTimeout = 60 * time.Second
	DefaultMaxMessage       = 1_000_000
	DefaultMaxPendingBytes  = 1 << 20
	DefaultMaxPendingFrames = 4096
	DefaultMaxWorkers       = 10_000
	DefaultAdmissionWorkers = 64
	DefaultSocketSendBuffer = 256 << 10
	DefaultCloseTimeout     = 2 * time.Second
	DefaultTurnBudget       = 700 * time.Microsecond

	// reserveShare of the descriptor limit, at least reserveMin, is kept free
	// of connections for files, brokers and net/http.
	reserveShare = 50 // 2 %
	reserveMin   = 256
)

// Options configure a Server. The zero value of every field but Addr means
// its default.
type Options struct {
	// Addr is HOST:PORT to listen on; port 0 takes a free one.
	Addr string
	// Loops is the number of event loops, 1 to 255; default Processors.
	Loops int
	// ReusePort lets other processes of the same user listen on the same
	// port. Without it Start fails when somebody does.
	ReusePort bool

	// MaxConns caps the open connections; 0: only the descriptor limit does.
	MaxConns int
	// ReserveFDs is how many descriptors below the process's limit are kept
	// free of connections; default 2 % of the limit, at least 256.
	ReserveFDs int

	// MaxHeadBytes bounds a request head; default 8 KiB.
	MaxHeadBytes int
	// HeadTimeout bounds the time from the accept, or the first byte of a
	// later request, to the end of the head; default 5 s.
	HeadTimeout time.Duration
	// KeepAliveTimeout closes an HTTP connection that is idle between
	// requests; default 60 s.
	KeepAliveTimeout time.Duration
	// CloseTimeout bounds the wait for the peer in a close handshake;
	// default 2 s.
	CloseTimeout time.Duration

	// MaxMessage bounds a received WebSocket message in bytes, all fragments
	// together; default 1,000,000. Larger: close code 1009.
	MaxMessage int
	// MaxPendingBytes and MaxPendingFrames bound what waits for a connection
	// that does not read; default 1 MiB and 4,096. Beyond: ErrSlowConsumer. One
	// message larger than the bytes passes while nothing else waits.
	MaxPendingBytes  int
	MaxPendingFrames int
	// SocketSendBuffer is SO_SNDBUF in bytes; default 256 KiB. A negative
	// value leaves it to the kernel, which may keep 4 MB a connection.
	SocketSendBuffer int

	// MaxWorkers bounds the goroutines running handlers; default 10,000.
	MaxWorkers int
	// AdmissionWorkers bounds those of Server.Admission; default 64.
	AdmissionWorkers int

	// TurnBudget is how long a loop writes before it reads again; default
	// 0.7 ms.
	TurnBudget time.Duration

	// HTTP serves the requests that Handler.Request hands over; nil: they get
	// status 404.
	HTTP http.Handler
	// Logger; default slog.Default().
	Logger *slog.Logger
}

// fill checks o and puts defaults in.
func (o *Options) fill() error {
	if o.Addr == "" {
		return fmt.Errorf("netpoll: Options.Addr is empty, want HOST:PORT")
	}
	for _, f := range []struct {
		name string
		v    *int
		def  int
		max  int
	}{
		{"Loops", &o.Loops, min(Processors(), 255), 255},
		{"MaxConns", &o.MaxConns, 0, 1 << 24},
		{"ReserveFDs", &o.ReserveFDs, 0, 1 << 24},
		{"MaxHeadBytes", &o.MaxHeadBytes, DefaultMaxHeadBytes, 1 << 20},
		{"MaxMessage", &o.MaxMessage, DefaultMaxMessage, 1 << 30},
		{"MaxPendingBytes", &o.MaxPendingBytes, DefaultMaxPendingBytes, 1 << 31},
		{"MaxPendingFrames", &o.MaxPendingFrames, DefaultMaxPendingFrames, 1 << 30},
		{"MaxWorkers", &o.MaxWorkers, DefaultMaxWorkers, 1 << 20},
		{"AdmissionWorkers", &o.AdmissionWorkers, DefaultAdmissionWorkers, 1 << 20},
	} {
		if *f.v == 0 {
			*f.v = min(f.def, f.max)
		}
		if *f.v < 0 || *f.v > f.max {
			return fmt.Errorf("netpoll: Options.%s is %d, want 0 (default) to %d", f.name, *f.v, f.max)
		}
	}
	for _, f := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"HeadTimeout", &o.HeadTimeout, DefaultHeadTimeout},
		{"KeepAliveTimeout", &o.KeepAliveTimeout, DefaultKeepAliveTimeout},
		{"CloseTimeout", &o.CloseTimeout, DefaultCloseTimeout},
		{"TurnBudget", &o.TurnBudget, DefaultTurnBudget},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return fmt.Errorf("netpoll: Options.%s is negative (%v)", f.name, *f.v)
		}
	}
	switch {
	case o.SocketSendBuffer == 0:
		o.SocketSendBuffer = DefaultSocketSendBuffer
	case o.SocketSendBuffer < 0:
		o.SocketSendBuffer = 0
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// ticksOf rounds d up to the wheel's unit.
func ticksOf(d time.Duration) uint32 {
	return uint32((d + tickLength - 1) / tickLength)
}

// raiseLimit sets the soft descriptor limit to the hard one and returns it.
func raiseLimit() (int, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	if r.Cur < r.Max {
		want := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &want); err == nil {
			r = want
		}
	}
	return int(min(r.Cur, 1<<30)), nil
}
