package cli

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/throng-server/throng/internal/app"
	"github.com/throng-server/throng/internal/beside"
	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/socketio"
)

// minSecret is the shortest key of signatures, in bytes.
const minSecret = 16

// application is what throng serves the sockets of: its endpoints, its pages
// and its files.
type application struct {
	namespaces []string     // that have an endpoint of their own
	app        *app.App     // nil without an endpoint
	beside     http.Handler // nil without pages and files
}

// endpoints splits the entries of app.url: the URL of all namespaces, "" if
// there is none, and those of single ones.
func endpoints(entries []string) (all string, by map[string]string, err error) {
	by = make(map[string]string)
	for _, e := range entries {
		ns, u, named := strings.Cut(e, "=")
		if !named || !strings.HasPrefix(e, "/") {
			ns, u = "", e
		}
		if err := app.CheckURL(u); err != nil {
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
			return "", nil, fmt.Errorf("%q has a comma, or two URLs", ns)
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
	for ns := range by {
		a.namespaces = append(a.namespaces, ns)
	}
	slices.Sort(a.namespaces)
	if len(c.App.URL) > 0 {
		if c.App.Secret == "" {
			log.Warn("requests to the application are not signed: whoever reaches its endpoint "+
				"can pretend to be this server", "setting", "app.secret")
		}
		a.app, err = app.New(app.Options{URL: all, Namespaces: by, Secret: []byte(c.App.Secret),
			Headers: c.App.Headers, Timeout: c.App.Timeout, MaxRequests: c.App.MaxRequests,
			MaxAttachments: c.Limits.Attachments, Retry: c.App.Retry, H2C: c.App.H2C, Logger: log})
		if err != nil {
			return err
		}
	}
	if c.Upstream != "" {
		u, err := beside.NewUpstream(c.Upstream, trusted, log)
		if err != nil {
			return err
		}
		for _, url := range by {
			u.Hide(url)
		}
		if all != "" {
			u.Hide(all)
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

// distinct returns the names without repetitions.
func distinct(first string, lists ...[]string) []string {
	names := []string{first}
	for _, name := range slices.Concat(lists...) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mount gives a namespace to the application; false: it has none.
func (a *application) mount(ns *socketio.Namespace) bool {
	return a.app != nil && a.app.Mount(ns)
}

func (a *application) close() {
	if a.app != nil {
		a.app.Close()
	}
}
