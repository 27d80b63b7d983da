package cli

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/throng-server/throng/internal/app"
	"github.com/throng-server/throng/internal/app/stream"
	"github.com/throng-server/throng/internal/beside"
	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/internal/metrics"
	"github.com/throng-server/throng/socketio"
)

// minSecret is the shortest key of signatures, in bytes.
const minSecret = 16

// application is what throng serves the sockets of: its endpoints and streams,
// its pages and its files.
type application struct {
	namespaces []string     // that have an endpoint or a stream of their own
	app        *app.App     // nil without an endpoint and a stream
	beside     http.Handler // nil without pages and files
}

// endpoints splits the entries of app.url, streams those of app.stream.
func endpoints(entries []string) (all string, by map[string]string, err error) {
	return ways(entries, app.CheckURL)
}

func streams(entries []string) (all string, by map[string]string, err error) {
	return ways(entries, stream.CheckName)
}

// checkStreams finds what is wrong with app.stream, and what app.url says, too.
func checkStreams(c *config.Config) error {
	all, by, err := streams(c.App.Stream)
	if err != nil {
		return err
	}
	url, urls, err := endpoints(c.App.URL)
	if err != nil {
		return nil // app.url is named
	}
	if all != "" && url != "" {
		return errors.New("is for all namespaces, as is app.url (--app-url)")
	}
	for ns := range by {
		if urls[ns] != "" {
			return fmt.Errorf("is for %s, as is app.url (--app-url)", ns)
		}
	}
	return nil
}

// ways splits entries: what is for all namespaces, "" if nothing is, and what is
// for single ones.
func ways(entries []string, check func(string) error) (all string, by map[string]string, err error) {
	by = make(map[string]string)
	for _, e := range entries {
		ns, u, named := strings.Cut(e, "=")
		if !named || !strings.HasPrefix(e, "/") {
			ns, u = "", e
		}
		if err := check(u); err != nil {
			return "", nil, err
		}
		if ns == "" {
			if all != "" {
				return "", nil, fmt.Errorf("%q and %q are both for all namespaces", all, u)
			}
			all = u
			continue
		}
		if strings.Contains(ns, ",") || by[ns] != "" {
			return "", nil, fmt.Errorf("%q has a comma, or is there twice", ns)
		}
		by[ns] = u
	}
	return all, by, nil
}

// checkSecret finds a key that is too short.
func checkSecret(s string) error {
	if s != "" && len(s) < minSecret {
		return fmt.Errorf("less than %d bytes", minSecret)
	}
	return nil
}

// checkBeside checks the upstream, or the directory.
func checkBeside(upstream, static string) (err error) {
	if upstream != "" {
		_, err = beside.NewUpstream(upstream, nil, slog.Default())
	}
	if static != "" {
		_, err = beside.NewStatic(static, nil)
	}
	return err
}

// open makes what the settings, which are checked, name.
func (a *application) open(c *config.Config, trusted []netip.Prefix, log *slog.Logger) error {
	all, by, err := endpoints(c.App.URL)
	if err != nil {
		return err
	}
	stream, streamsBy, err := streams(c.App.Stream)
	if err != nil {
		return err
	}
	a.namespaces = slices.Concat(slices.Sorted(maps.Keys(by)), slices.Sorted(maps.Keys(streamsBy)))
	if len(c.App.URL)+len(c.App.Stream) > 0 {
		if len(c.App.URL) > 0 && c.App.Secret == "" {
			log.Warn("requests to the application are not signed: whoever reaches its endpoint "+
				"can pretend to be this server", "setting", "app.secret")
		}
		ways := len(distinct(all, slices.Collect(maps.Values(by)))) +
			len(distinct(stream, slices.Collect(maps.Values(streamsBy))))
		requests, waiting := share(c.Limits.Workers, ways, c.App.MaxRequests)
		a.app, err = app.New(app.Options{URL: all, Namespaces: by, Secret: []byte(c.App.Secret),
			Headers: c.App.Headers, Timeout: c.App.Timeout, MaxRequests: requests, MaxWaiting: waiting,
			MaxAttachments: c.Limits.Attachments, Retry: c.App.Retry, H2C: c.App.H2C, Logger: log,
			Stream: stream, Streams: streamsBy, Broker: cmp.Or(c.App.Valkey, c.Cluster.Valkey),
			StreamIdle: c.App.StreamIdle, StreamAttempts: c.App.StreamTries,
			StreamMax: c.App.StreamMax})
		if err != nil {
			return err
		}
	}
	if c.Upstream != "" {
		u, err := beside.NewUpstream(c.Upstream, trusted, log)
		if err != nil {
			return err
		}
		for _, url := range distinct(all, slices.Sorted(maps.Values(by))) {
			if u.Hide(url) {
				log.Warn("nothing of the upstream can be reached: the application's endpoint has no "+
					"path of its own, and is hidden", "setting", "app.url")
			}
		}
		a.beside = u
	}
	if c.Static != "" {
		s, err := beside.NewStatic(c.Static, a.beside)
		if err != nil {
			return err
		}
		a.beside = s
	}
	return nil
}

// share returns how many requests of one endpoint may be under way, and how many
// calls may wait for it, or in a stream: each holds a worker, and if all ways to
// applications freeze, a tenth of the workers is left for everything else.
func share(workers, ways, most int) (requests, waiting int) {
	room := max(workers*9/10/max(ways, 1), 2)
	requests = min(most, room-1)
	return requests, min(room-requests, app.DefaultMaxWaiting)
}

// distinct returns the names without repetitions.
func distinct(first string, lists ...[]string) (names []string) {
	for _, name := range slices.Concat([]string{first}, slices.Concat(lists...)) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mount gives a namespace to the application; false: it has none.
func (a *application) mount(ns *socketio.Namespace) bool {
	return a.app != nil && a.app.Mount(ns)
}

// connected tells whether the brokers of all streams answer.
func (a *application) connected() bool {
	if a.app == nil {
		return true
	}
	return !slices.ContainsFunc(a.app.Stats().Streams,
		func(s app.StreamStats) bool { return !s.Connected })
}

// stats are what /metrics shows of the application; nil without one.
func (a *application) stats() *metrics.App {
	if a.app == nil {
		return nil
	}
	s := a.app.Stats()
	m := &metrics.App{Calls: s.Calls, Requests: s.Requests, Batches: s.Batches, Retried: s.Retried,
		Failures: s.Failures, Waiting: s.Waiting, Flying: s.Flying, Down: s.Down}
	for _, x := range s.Streams {
		m.Streams = append(m.Streams, metrics.AppStream{Name: x.Name, Connected: x.Connected,
			Length: x.Length, Pending: x.Pending, Kept: x.Kept, Waiting: x.Waiting, Added: x.Added,
			Answers: x.Answers, Orphans: x.Orphans, Redelivered: x.Redelivered, Dead: x.Dead,
			Late: x.Late, Unknown: x.Unknown})
	}
	return m
}

func (a *application) close() {
	if a.app != nil {
		a.app.Close()
	}
}
