package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Defaults of Options.
const (
	DefaultTimeout        = 10 * time.Second
	DefaultMaxRequests    = 64
	DefaultMaxWaiting     = 4096
	DefaultMaxAnswer      = 1 << 20
	DefaultMaxSession     = 64 << 10
	DefaultMaxAttachments = 10
)

// Options configures an App. URL, Namespaces, Stream or Streams must be set.
type Options struct {
	// URL of the endpoint, http or https, of the namespaces that have none of
	// their own. "{event}" in it stands for the name of the event, or for
	// connect or disconnect; there are no batches then. Default: those have no
	// application.
	URL string
	// Namespaces has the URLs of endpoints by namespace.
	Namespaces map[string]string
	// Stream is the name of the Valkey stream whose workers handle the namespaces
	// that have neither an endpoint nor a stream of their own. Not with URL.
	Stream string
	// Streams has the names of streams by namespace. None may be in Namespaces.
	Streams map[string]string
	// Broker is the URL of the Valkey server with the streams. It is needed with
	// them.
	Broker string
	// StreamIdle is how long a worker may have a call in hand until another one
	// gets it. Default 30 s.
	StreamIdle time.Duration
	// StreamAttempts is how many workers get it before it is given up. Default 5.
	StreamAttempts int
	// StreamMax bounds a stream, in calls. Default 10,000.
	StreamMax int
	// Secret is the key of the signatures. Default: requests are not signed.
	Secret []byte
	// Headers names fields of the handshake request that the application gets.
	// Default: none.
	Headers []string
	// Timeout bounds a request, and before it the wait for its turn; with a
	// stream, the wait for the answer. Default 10 s.
	Timeout time.Duration
	// MaxRequests bounds the requests of one endpoint under way. Default 64.
	MaxRequests int
	// MaxWaiting bounds the calls of one endpoint that wait for their turn, and
	// those in one stream that wait for their answers.
	// Default 4,096. With MaxRequests it should stay below the server's
	// MaxWorkers.
	MaxWaiting int
	// MaxAnswer is the largest answer to one call, in bytes. Default 1 MiB.
	MaxAnswer int
	// MaxSession is the largest session data of a socket, in bytes. Default
	// 64 KiB.
	MaxSession int
	// MaxAttachments bounds the binary values of one emit or acknowledgement:
	// what the server has. Default 10.
	MaxAttachments int
	// Retry says that the endpoint handles a call with the same id once: then
	// a call whose connection broke is posted again. Default: only what could
	// not be sent is.
	Retry bool
	// H2C speaks HTTP/2 to http URLs. Default: HTTP/1.1.
	H2C bool
	// Logger for failures. Default slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.URL == "" && len(o.Namespaces) == 0 && o.Stream == "" && len(o.Streams) == 0 {
		return o, fmt.Errorf("app: neither an endpoint nor a stream is set")
	}
	if o.URL != "" && o.Stream != "" {
		return o, fmt.Errorf("app: URL and Stream are both for all namespaces")
	}
	for ns := range o.Streams {
		if o.Namespaces[ns] != "" {
			return o, fmt.Errorf("app: %s has an endpoint and a stream", ns)
		}
	}
	if o.URL != "" {
		if err := CheckURL(o.URL); err != nil {
			return o, err
		}
	}
	for _, u := range o.Namespaces {
		if err := CheckURL(u); err != nil {
			return o, err
		}
	}
	for _, f := range []struct {
		name string
		p    *int
		def  int
	}{
		{"MaxRequests", &o.MaxRequests, DefaultMaxRequests},
		{"MaxWaiting", &o.MaxWaiting, DefaultMaxWaiting},
		{"MaxAnswer", &o.MaxAnswer, DefaultMaxAnswer},
		{"MaxSession", &o.MaxSession, DefaultMaxSession},
		{"MaxAttachments", &o.MaxAttachments, DefaultMaxAttachments},
	} {
		if *f.p < 0 {
			return o, fmt.Errorf("app: %s %d is negative", f.name, *f.p)
		}
		if *f.p == 0 {
			*f.p = f.def
		}
	}
	if o.Timeout < 0 {
		return o, fmt.Errorf("app: Timeout %v is negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	headers := make([]string, 0, len(o.Headers))
	for _, name := range o.Headers {
		headers = append(headers, http.CanonicalHeaderKey(name))
	}
	o.Headers = headers
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// way returns the endpoint or the stream of a namespace.
func (o *Options) way(ns string) (url, stream string) {
	if url, stream = o.Namespaces[ns], o.Streams[ns]; url == "" && stream == "" {
		return o.URL, o.Stream
	}
	return url, stream
}

// CheckURL says what is wrong with the URL of an endpoint.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the URL %q is not http://host[:port]/path or https://", s)
	}
	return nil
}
