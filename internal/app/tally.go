package app

import (
	"cmp"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	maxTally     = 100 // names counted by themselves
	maxTallyName = 64  // bytes of each
	tallyEvery   = time.Minute
)

// tally counts failures by namespace, name and code, and logs each once a
// minute. Any goroutine.
type tally struct {
	log *slog.Logger
	mu  sync.Mutex
	now func() time.Time // nil: time.Now

	rows  map[tallyKey]*tallyRow
	codes map[string]uint64 // ever
}

type tallyKey struct{ ns, name, code string }

type tallyRow struct {
	next  time.Time // of the next line
	count int       // since the last one
}

// add counts a failure.
func (t *tally) add(ns, name string, f *Failure) {
	if len(name) > maxTallyName {
		name = name[:maxTallyName] + "..."
	}
	k := tallyKey{ns, name, f.Code}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.codes == nil {
		t.codes = make(map[string]uint64)
	}
	t.codes[f.Code]++
	now := time.Now()
	if t.now != nil {
		now = t.now()
	}
	r := t.rows[k]
	if r == nil {
		if len(t.rows) >= maxTally {
			t.prune(now)
		}
		if len(t.rows) >= maxTally {
			k = tallyKey{"", "(others)", f.Code}
		}
		if r = t.rows[k]; r == nil {
			r = &tallyRow{}
			if t.rows == nil {
				t.rows = make(map[tallyKey]*tallyRow)
			}
			t.rows[k] = r
		}
	}
	r.count++
	if now.Before(r.next) {
		return
	}
	t.tell(k, r, f)
	r.next = now.Add(tallyEvery)
}

// sums returns how many failures there were, by code.
func (t *tally) sums() map[string]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.codes)
}

func (t *tally) tell(k tallyKey, r *tallyRow, f *Failure) {
	args := []any{"event", k.name, "namespace", k.ns, "code", k.code,
		"times", r.count}
	if f != nil {
		args = append(args, "error", cmp.Or(f.detail, error(f)))
	}
	t.log.Warn("the application did not handle what a client did", args...)
	r.count = 0
}

// prune forgets what has not happened for a minute.
func (t *tally) prune(now time.Time) {
	for k, r := range t.rows {
		if now.After(r.next) {
			if r.count > 0 {
				t.tell(k, r, nil)
			}
			delete(t.rows, k)
		}
	}
}

// flush logs what was counted since the last lines.
func (t *tally) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, r := range t.rows {
		if r.count > 0 {
			t.tell(k, r, nil)
		}
	}
}
