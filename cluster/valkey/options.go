package valkey

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	vk "github.com/valkey-io/valkey-go"
)

// Defaults and bounds of Options.
const (
	DefaultPrefix        = "throng:"
	DefaultLease         = 15 * time.Second
	DefaultSpillEntries  = 500_000
	DefaultSpillBytes    = 128 << 20
	DefaultStreamEntries = 2_000_000
	DefaultStreamBytes   = 256 << 20
	DefaultStreamAge     = 2 * time.Minute
	DefaultMaxEntry      = 16 << 20

	minLease   = 100 * time.Millisecond
	maxTimeout = 3 * time.Second
	maxNodeID  = 128
)

// Options of a transport or an emitter. Only URL is needed.
type Options struct {
	// URL says where Valkey is: valkey://[user:password@]host[:port][/db], redis://
	// for the same, valkeys:// and rediss:// for TLS, unix:///path?db=N for a
	// socket. Of a Valkey Cluster, any node; more of them as ?addr=host:port.
	URL string
	// TLS replaces the settings of valkeys:// and rediss://; nil: TLS 1.2 at
	// least and the system's roots.
	TLS *tls.Config
	// NodeID names this node, up to 128 of A-Z a-z 0-9 . _ -. It must be unique
	// among those that live. Empty: host name, process id and a random part.
	NodeID string
	// Addr is where other nodes forward requests to, host:port; empty: nowhere.
	Addr string
	// Prefix of all keys; empty: DefaultPrefix. No braces.
	Prefix string
	// Lease is how long a node that is not heard of counts as alive; 0:
	// DefaultLease. It is renewed every third of it.
	Lease time.Duration
	// Timeout of one command; 0: a fifth of Lease, 3 seconds at most. A broker
	// that does not answer for so long is away.
	Timeout time.Duration
	// SpillEntries and SpillBytes bound what waits to be sent, one batch more
	// of at most 1,024 entries excepted; 0: DefaultSpillEntries,
	// DefaultSpillBytes. The oldest go first.
	SpillEntries int
	SpillBytes   int64
	// StreamEntries (messages), StreamBytes and StreamAge bound the stream of
	// this node: what is beyond one of them is trimmed, whether it was read or
	// not. They should cover the longest time that a reader may be away. 0:
	// DefaultStreamEntries, DefaultStreamBytes, DefaultStreamAge.
	StreamEntries int64
	StreamBytes   int64
	StreamAge     time.Duration
	// MaxEntry is the longest entry that Publish takes, in bytes; 0:
	// DefaultMaxEntry.
	MaxEntry int
	// Logger gets what an operator should see; nil: slog.Default().
	Logger *slog.Logger
}

// validate fills in defaults and names the field that is wrong.
func (o *Options) validate() error {
	if o.URL == "" {
		return errors.New("option URL is empty; for example valkey://127.0.0.1:6379")
	}
	if o.NodeID == "" {
		o.NodeID = defaultNodeID()
	}
	if err := checkNodeID(o.NodeID); err != nil {
		return err
	}
	if o.Addr != "" {
		if _, port, err := net.SplitHostPort(o.Addr); err != nil || port == "" {
			return fmt.Errorf("option Addr %q is not host:port", o.Addr)
		}
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return fmt.Errorf("option Prefix %q: braces are not allowed", o.Prefix)
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Lease < minLease {
		return fmt.Errorf("option Lease is %v, needs %v at least", o.Lease, minLease)
	}
	if o.Timeout == 0 {
		o.Timeout = min(o.Lease/5, maxTimeout)
	}
	if o.Timeout < 0 || o.Timeout > o.Lease/3 {
		return fmt.Errorf("option Timeout is %v, must be positive and at most a third of the lease of %v",
			o.Timeout, o.Lease)
	}
	for _, f := range []struct {
		name string
		v    *int64
		def  int64
	}{
		{"SpillBytes", &o.SpillBytes, DefaultSpillBytes},
		{"StreamEntries", &o.StreamEntries, DefaultStreamEntries},
		{"StreamBytes", &o.StreamBytes, DefaultStreamBytes},
		{"StreamAge", (*int64)(&o.StreamAge), int64(DefaultStreamAge)},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return fmt.Errorf("option %s is negative", f.name)
		}
	}
	if o.SpillEntries == 0 {
		o.SpillEntries = DefaultSpillEntries
	}
	if o.MaxEntry == 0 {
		o.MaxEntry = DefaultMaxEntry
	}
	if o.SpillEntries < 0 || o.MaxEntry < 0 {
		return errors.New("option SpillEntries or MaxEntry is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

func checkNodeID(id string) error {
	if len(id) > maxNodeID {
		return fmt.Errorf("option NodeID has %d characters, %d are allowed", len(id), maxNodeID)
	}
	for _, c := range id {
		if !strings.ContainsRune("._-", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
			(c < 'a' || c > 'z') {
			return fmt.Errorf("option NodeID %q: %q is not one of A-Z a-z 0-9 . _ -", id, c)
		}
	}
	return nil
}

func defaultNodeID() string {
	host, err := os.Hostname()
	if err != nil || checkNodeID(host) != nil || host == "" {
		host = "node"
	}
	var r [3]byte
	rand.Read(r[:])
	return host[:min(len(host), maxNodeID-24)] + "-" + strconv.Itoa(os.Getpid()) + "-" +
		hex.EncodeToString(r[:])
}

// clientOption tunes valkey-go for few connections, each of which belongs to
// one goroutine at a time and holds small buffers: the entries are batched
// here, so that the client's own pipelining would only add hand-overs.
func (o *Options) clientOption() (vk.ClientOption, error) {
	c, err := vk.ParseURL(o.URL)
	if err != nil {
		// The URL may hold a password: the parser's message is not passed on.
		return c, errors.New("option URL is not valid: expected " +
			"valkey://, valkeys://, redis:// or rediss://[user:password@]host[:port][/db], " +
			"or unix:///path?db=N")
	}
	if o.TLS != nil {
		if c.TLSConfig == nil {
			return c, errors.New("option TLS is set, but the URL's scheme is not valkeys:// or rediss://")
		}
		name := c.TLSConfig.ServerName
		c.TLSConfig = o.TLS.Clone()
		if c.TLSConfig.ServerName == "" {
			c.TLSConfig.ServerName = name
		}
	}
	c.ClientName = "throng"
	c.DisableCache = true
	c.DisableRetry = true
	c.DisableAutoPipelining = true
	c.PipelineMultiplex = -1
	c.RingScaleEachConn = 8
	c.ReadBufferEachConn = 32 << 10
	c.WriteBufferEachConn = 32 << 10
	c.BlockingPoolSize = maxConns
	c.BlockingPoolMinSize = 2
	c.BlockingPoolCleanup = time.Minute
	c.ConnWriteTimeout = o.timeoutFor(o.MaxEntry)
	c.Dialer.Timeout = o.Timeout
	c.Dialer.KeepAlive = o.Timeout
	c.ClusterOption.MaxMovedRedirections = 8
	return c, nil
}

// timeoutFor is how long a command may take that carries so many bytes.
func (o *Options) timeoutFor(bytes int) time.Duration {
	return o.Timeout + time.Duration(bytes)*time.Second/slowest
}

// slowest is the slowest link that still counts as one, in bytes a second.
const slowest = 4 << 20

// maxConns bounds the connections to one Valkey process. With a Valkey Cluster
// each stream that is read takes one.
const maxConns = 512

// connect makes a client, trying again until the broker answers, ctx ends or
// patience runs out.
func (o *Options) connect(ctx context.Context, l *lines) (vk.Client, error) {
	opt, err := o.clientOption()
	if err != nil {
		return nil, err
	}
	l.dial, opt.DialCtxFn = opt.DialCtxFn, l.connect
	var b backoff
	for {
		c, err := vk.NewClient(opt)
		if err == nil {
			return c, nil
		}
		if b.total > connectPatience || permanent(err) {
			return nil, fmt.Errorf("%s does not answer: %w", o.where(), err)
		}
		if b.wait(ctx.Done(), nil) {
			return nil, fmt.Errorf("%s does not answer: %w (%w)", o.where(), err, ctx.Err())
		}
	}
}

const connectPatience = 5 * time.Second

// permanent tells errors that another try does not heal.
func permanent(err error) bool {
	for _, s := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "invalid username-password",
		"ERR DB index", "x509:", "tls:"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// where is the URL without what is secret in it.
func (o *Options) where() string {
	scheme, rest, _ := strings.Cut(o.URL, "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, "?")
	return scheme + "://" + rest
}
