package logs

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Settings may change while the program runs.
type Settings struct {
	Level slog.Level
	// Debug lists modules with commas between, as in DEBUG for Node: their
	// debug lines are written whatever the level.
	Debug string
	// Secrets are texts that must not appear.
	Secrets []string
}

// Control changes the settings of a handler. Any goroutine.
type Control struct{ now atomic.Pointer[state] }

type state struct {
	level   slog.Level
	filter  filter
	secrets *strings.Replacer // nil: none
}

// Set puts settings in force.
func (c *Control) Set(s Settings) {
	st := &state{level: s.Level, filter: parseFilter(s.Debug)}
	// The longest first: one may be part of another.
	secrets := slices.Clone(s.Secrets)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, text := range secrets {
		if len(text) >= shortest {
			pairs = append(pairs, text, "********")
		}
	}
	if len(pairs) > 0 {
		st.secrets = strings.NewReplacer(pairs...)
	}
	c.now.Store(st)
}

// shortest secret that is looked for: a shorter one is part of many words.
const shortest = 4

// New returns a logger that writes to w, and what changes its settings. format
// is "text", "json" or "auto": text on a terminal.
func New(w io.Writer, format string) (*slog.Logger, *Control) {
	c := &Control{}
	c.Set(Settings{})
	opt := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: c.hide}
	var inner slog.Handler
	if format == "json" || format != "text" && !terminal(w) {
		inner = slog.NewJSONHandler(w, opt)
	} else {
		inner = slog.NewTextHandler(w, opt)
	}
	return slog.New(&handler{inner: inner, c: c, sample: newSampler(time.Now)}), c
}

// terminal tells whether somebody looks at w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// hide takes secrets out of a line, and writes durations with their unit.
func (c *Control) hide(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	secrets := c.now.Load().secrets
	if secrets == nil {
		return a
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(secrets.Replace(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(secrets.Replace(err.Error()))
		}
	}
	return a
}

// handler decides which lines are written.
type handler struct {
	inner  slog.Handler
	c      *Control
	sample *sampler
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	st := h.c.now.Load()
	return l >= st.level || len(st.filter) > 0
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	st := h.c.now.Load()
	if r.Level < st.level && !st.filter.has(moduleOf(r.PC)) {
		return nil
	}
	if r.Level >= slog.LevelWarn {
		skipped, ok := h.sample.allow(r.Message)
		if !ok {
			return nil
		}
		if skipped > 0 {
			r = r.Clone()
			r.AddAttrs(slog.Int("skipped", skipped))
		}
	}
	return h.inner.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.inner.WithAttrs(attrs), h.c, h.sample}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.inner.WithGroup(name), h.c, h.sample}
}
