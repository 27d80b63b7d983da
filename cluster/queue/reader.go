package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"
)

// LogInterval is the shortest time between two lines about messages that could
// not be read.
const LogInterval = 10 * time.Second

// Source is a format and the channels it is published on: Python or Node.
type Source struct {
	label     string
	subscribe func(b valkey.Builder) valkey.Completed
	wants     int // subscriptions
	read      func(channel string, body []byte) (command, error)
}

// Python reads python-socketio's format on channels, PythonChannels if none is
// named.
func Python(channels ...string) Source {
	if len(channels) == 0 {
		channels = PythonChannels
	}
	channels = slices.Compact(slices.Sorted(slices.Values(channels)))
	return Source{
		label: "python",
		wants: len(channels),
		subscribe: func(b valkey.Builder) valkey.Completed {
			return b.Subscribe().Channel(channels...).Build()
		},
		read: func(_ string, body []byte) (command, error) { return readPython(body) },
	}
}

// Node reads the format of @socket.io/redis-emitter below a prefix, the
// emitter's option "key", NodePrefix if it is empty.
func Node(prefix string) Source {
	if prefix == "" {
		prefix = NodePrefix
	}
	escape := strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[", "]", "\\]")
	pattern := escape.Replace(prefix)
	return Source{
		label: "node",
		wants: 2,
		subscribe: func(b valkey.Builder) valkey.Completed {
			return b.Psubscribe().Pattern(pattern+"#/*", pattern+"-request#/*").Build()
		},
		read: func(channel string, body []byte) (command, error) {
			rest, request, ok := split(prefix, channel)
			switch {
			case !ok:
				return command{}, errIgnored
			case request:
				return readRequest(rest, body)
			}
			return readBroadcast(rest, body)
		},
	}
}

// Options configures a Reader.
type Options struct {
	// URL of the server: redis://, rediss://, valkey://, valkeys:// or unix://.
	// Its number of a database does not matter to pub/sub.
	URL string
	// Source is what to read.
	Source Source
	// Logger for what is worth a line. Default slog.Default().
	Logger *slog.Logger
}

// Status is what a Reader tells of itself.
type Status struct {
	// Connected tells whether the channels are subscribed, Since since when it
	// is as it is, Err why not.
	Connected bool
	Since     time.Time
	Err       string
	// Reconnects counts subscriptions after the first.
	Reconnects uint64
	// Received messages, ever, are the sum of those that were done (Applied),
	// those meant for others (Ignored: unknown namespaces, questions between
	// other servers), and those that could not be read or emitted (Refused).
	Received, Applied, Ignored, Refused uint64
	// Unanswered counts emits that wanted acknowledgements, which are delivered
	// but not answered.
	Unanswered uint64
}

// Reader reads one source until it is closed. Any goroutine may call its
// methods.
type Reader struct {
	sink   Sink
	source Source
	opt    valkey.ClientOption
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	status Status
	change chan struct{} // closed when Connected changes
	told   time.Time     // when a refused message was logged
	silent int           // refused since then

	connectedBefore bool
}

// Open checks the options and starts to read. It does not wait for the broker:
// a Reader connects as soon as it can, again and again.
func Open(o Options, sink Sink) (*Reader, error) {
	if o.Source.read == nil {
		return nil, errors.New("queue: no source")
	}
	opt, err := clientOption(o.URL)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Reader{sink: sink, source: o.Source, opt: opt, cancel: cancel,
		log:   o.Logger.With("queue", o.Source.label),
		ended: make(chan struct{}), change: make(chan struct{}),
		status: Status{Since: time.Now()}}
	go r.run(ctx)
	return r, nil
}

// Status returns figures for operators.
func (r *Reader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Subscribed waits until messages are received.
func (r *Reader) Subscribed(ctx context.Context) error {
	for {
		r.mu.Lock()
		s, change := r.status, r.change
		r.mu.Unlock()
		if s.Connected {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("queue: not subscribed: %s: %w", s.Err, ctx.Err())
		}
	}
}

// Close stops reading and returns when the Sink is not called any more.
func (r *Reader) Close() {
	r.cancel()
	<-r.ended
}

// receive is a message of the broker.
func (r *Reader) receive(m valkey.PubSubMessage) {
	var c command
	err := error(nil)
	if len(m.Message) > MaxMessage {
		err = refuse("%d bytes, more than %d", len(m.Message), MaxMessage)
	} else {
		c, err = r.source.read(m.Channel, []byte(m.Message))
	}
	known := false
	if err == nil {
		known, err = c.run(r.sink)
	}
	r.mu.Lock()
	s := &r.status
	s.Received++
	var quiet int
	tell := false
	switch {
	case errors.Is(err, errIgnored) || err == nil && !known:
		s.Ignored++
	case err != nil:
		s.Refused++
		if now := time.Now(); r.told.IsZero() || now.Sub(r.told) >= LogInterval {
			tell, quiet = true, r.silent
			r.told, r.silent = now, 0
		} else {
			r.silent++
		}
	default:
		s.Applied++
		if c.answer {
			s.Unanswered++
		}
	}
	r.mu.Unlock()
	if tell {
		r.log.Warn("a message could not be delivered", "channel", m.Channel,
			"bytes", len(m.Message), "error", err, "others_since", quiet)
	}
}
