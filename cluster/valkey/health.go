package valkey

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	vk "github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/cluster"
)

// What may fail. Each part reports for itself, so that one that works does not
// hide one that does not.
const (
	partWrite = "write"
	partLease = "lease"
	partRead  = "read"
	partLook  = "look"
)

// health knows whether the broker answers.
type health struct {
	log *slog.Logger
	// setAway is called, under the lock, when what is published now begins or
	// ceases to have to wait.
	setAway func(bool)

	mu         sync.Mutex
	errs       map[string]error
	away       bool
	connected  bool
	since      time.Time
	reconnects uint64
}

func newHealth(log *slog.Logger, setAway func(bool)) *health {
	return &health{log: log, setAway: setAway, errs: map[string]error{}, connected: true, since: time.Now()}
}

// answered tells errors of a broker that works from those of one that is away.
func answered(err error) bool {
	_, ok := vk.IsValkeyErr(err)
	return ok || errors.Is(err, cluster.ErrTaken) || errors.Is(err, errLost) ||
		errors.Is(err, errTagTaken) || errors.Is(err, errFenced)
}

// report says how the last command of a part ended.
func (h *health) report(part string, err error) {
	h.mu.Lock()
	if err == nil && h.errs[part] == nil {
		h.mu.Unlock()
		return
	}
	fresh := err != nil && len(h.errs) == 0
	if err != nil {
		h.errs[part] = err
	} else {
		delete(h.errs, part)
	}
	connected := true
	for _, e := range h.errs {
		connected = connected && answered(e)
	}
	if connected != h.connected {
		h.connected, h.since = connected, time.Now()
		if connected {
			h.reconnects++
		}
	}
	well := len(h.errs) == 0
	if away := h.errs[partWrite] != nil || h.errs[partLease] != nil; away != h.away {
		h.away = away
		h.setAway(away)
	}
	h.mu.Unlock()
	switch {
	case fresh:
		h.log.Warn("cluster: trouble with the broker", "part", part, "err", err)
	case well:
		h.log.Info("cluster: the broker is fine again")
	}
}

// state returns whether the broker answers, since when it is so, what is wrong,
// whether anything is, and how often the broker came back.
func (h *health) state() (connected bool, since time.Time, err string, ill bool, back uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, part := range slices.Sorted(maps.Keys(h.errs)) {
		if err != "" {
			err += "; "
		}
		err += part + ": " + h.errs[part].Error()
	}
	return h.connected, h.since, err, len(h.errs) > 0, h.reconnects
}
