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

// Options configures an App. URL or Namespaces must be set.
type Options struct {
	// URL of the endpoint, http or https, of the namespaces that have none of
	// their own. "{event}" in it stands for the name of the event, or for
	// connect or disconnect; there are no batches then. Default: those have no
	// application.
	URL string
	// Namespaces has the URLs of endpoints by namespace.
	Namespaces map[string]string
	// Secret is the key of the signatures. Default: requests are not signed.
	Secret []byte
	// Headers names fields of the handshake request that the application gets.
	// Default: none.
	Headers []string
	// Timeout bounds a request, and before it the wait for its turn. Default
	// 10 s.
	Timeout time.Duration
	// MaxRequests bounds the requests of one endpoint under way. Default 64.
	MaxRequests int
	// MaxWaiting bounds the calls of one endpoint that wait for their turn.
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
	if o.URL == "" && len(o.Namespaces) == 0 {
		return o, fmt.Errorf("app: neither URL nor Namespaces is set")
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

// CheckURL says what is wrong with the URL of an endpoint.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the URL %q is not http://host[:port]/path or https://", s)
	}
	return nil
}
