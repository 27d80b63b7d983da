package cli

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/throng-server/throng/internal/config"
	"github.com/throng-server/throng/internal/httpapi"
	"github.com/throng-server/throng/internal/logs"
	"github.com/throng-server/throng/socketio"
)

// settings are those in force. Any goroutine.
type settings struct {
	from config.Sources
	now  atomic.Pointer[config.Loaded]

	mu         sync.Mutex
	ok, failed uint64
	lastOK     bool
	last       time.Time
}

func newSettings(from config.Sources, l *config.Loaded) *settings {
	s := &settings{from: from, lastOK: true, last: time.Now()}
	s.now.Store(l)
	return s
}

// reload reads the settings again and puts those in force that can be. What is
// wrong with one is wrong with all: then nothing changes.
func (s *service) reload() {
	next, err := loadFrom(s.settings.from)
	if err == nil {
		now := s.settings.now.Load()
		merged, changes := now.Merge(next)
		if err = s.apply(merged); err == nil {
			s.settings.done(true)
			s.log.Info("settings read", "file", merged.File,
				"changed", strings.Join(changes.Applied, " "),
				"restart_needed", strings.Join(changes.Restart, " "))
			for _, w := range merged.Warnings {
				s.log.Warn(w)
			}
			return
		}
	}
	s.settings.done(false)
	s.log.Error("settings refused, those in force stay", "error", err)
}

func (s *settings) done(ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastOK = ok; ok {
		s.ok++
		s.last = time.Now()
		return
	}
	s.failed++
}

// apply puts the live settings of l in force.
func (s *service) apply(l *config.Loaded) error {
	err := s.srv.Adjust(socketio.Adjustable{
		MaxConnections:           l.Limits.Connections,
		MaxConnectionsPerAddress: l.Limits.PerAddress,
		EventRate:                l.Limits.EventRate,
		EventBurst:               l.Limits.EventBurst,
		CORSAllowedOrigins:       l.CORS.AllowedOrigins,
	})
	if err != nil {
		return err
	}
	s.control.Set(logSettings(&l.Config))
	s.api.Set(httpapi.Settings{Keys: l.API.Keys, MaxBody: l.API.MaxBody,
		Timeout: l.API.Timeout, Rate: l.API.Rate})
	s.settings.now.Store(l)
	return nil
}

func logSettings(c *config.Config) logs.Settings {
	s := logs.Settings{Debug: c.Log.Debug, Secrets: c.Secrets()}
	_ = s.Level.UnmarshalText([]byte(c.Log.Level)) // one of the choices
	return s
}
