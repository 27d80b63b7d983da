package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Defaults of Options, and bounds.
const (
	DefaultIdle     = 30 * time.Second
	DefaultAttempts = 5
	DefaultLength   = 10_000

	// Group is the name of the consumer group of all workers.
	Group = "throng"
	// MaxDead is about how many calls that were given up are kept.
	MaxDead = 10_000

	maxName = 256
	// timeout bounds a command; a broker that does not answer is away.
	timeout = 3 * time.Second
	// block is how long a read waits for answers.
	block = time.Second
	// firstPause and lastPause are between attempts to connect.
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
	// keep is how long after a server's end answers to it are kept.
	keep = time.Hour
	// sweepCount bounds what one look finds.
	sweepCount = 256
	readCount  = 512
)

// Options configures a Stream. URL, Name and ID are needed.
type Options struct {
	// URL of Valkey, or of Redis 7: valkey://[user:password@]host[:port][/db],
	// redis://, valkeys:// and rediss:// for TLS, unix://.
	URL string
	// Name of the stream of calls.
	Name string
	// ID tells this run of this server from all others.
	ID string
	// Idle is how long a worker may have a call in hand; then it counts as
	// dead, as does a server that is not heard of for so long. Default 30 s.
	Idle time.Duration
	// Attempts is how many workers a call may take with it before it is given
	// up. Default 5.
	Attempts int
	// Length bounds the stream; Add refuses what is more. Default 10,000.
	Length int
	// Logger for what an operator should see. Default slog.Default().
	Logger *slog.Logger
}

func (o *Options) validate() error {
	if err := CheckName(o.Name); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if o.ID == "" {
		return errors.New("stream: no ID")
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Attempts == 0 {
		o.Attempts = DefaultAttempts
	}
	if o.Length == 0 {
		o.Length = DefaultLength
	}
	if o.Idle < 0 || o.Attempts < 0 || o.Length < 0 {
		return errors.New("stream: Idle, Attempts or Length is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// CheckName says what is wrong with the name of a stream.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, " \t\r\n") {
		return fmt.Errorf("the stream %q is empty, longer than %d bytes, or has spaces", name, maxName)
	}
	return nil
}

// every is the time between two looks at the stream.
func (o *Options) every() time.Duration {
	return min(max(o.Idle/4, 20*time.Millisecond), 5*time.Second)
}

func (o *Options) reply() string { return o.Name + ":reply:" + o.ID }
func (o *Options) nodes() string { return o.Name + ":nodes" }
func (o *Options) dead() string  { return o.Name + ":dead" }

// clientOption is one connection that all calls share, and one for reads that
// wait. A command is not repeated: an addition whose answer was lost may be
// there.
func (o *Options) clientOption() (valkey.ClientOption, error) {
	opt, err := valkey.ParseURL(o.URL)
	if err != nil {
		// The URL may hold a password, which the error may quote.
		return opt, errors.New("stream: the URL is none of redis://, rediss://, valkey://, " +
			"valkeys:// or unix://, or has a part that is wrong")
	}
	opt.ClientName = "throng-app"
	opt.DisableCache = true
	opt.DisableRetry = true
	opt.PipelineMultiplex = -1
	opt.RingScaleEachConn = 9
	opt.ReadBufferEachConn = 32 << 10
	opt.WriteBufferEachConn = 32 << 10
	opt.BlockingPoolSize = 4
	opt.Dialer.Timeout = timeout
	opt.Dialer.KeepAlive = timeout
	opt.ConnWriteTimeout = timeout
	return opt, nil
}
