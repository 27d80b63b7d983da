package cli

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/throng-server/throng/socketio"
)

// What is kept of events that no application handles.
const (
	maxOrphans    = 100 // names
	maxOrphanName = 64  // bytes of each
)

// orphans counts the events that clients send to a server without an
// application, and names each in the log once.
type orphans struct {
	log   *slog.Logger
	mu    sync.Mutex
	names map[string]bool
	total uint64
}

// event answers an event that nothing handles.
func (o *orphans) event(s *socketio.Socket, e *socketio.Event) {
	name := e.Name()
	if len(name) > maxOrphanName {
		name = name[:maxOrphanName] + "..."
	}
	if o.first(name) {
		o.log.Warn("no application handles this event", "event", name,
			"namespace", s.Namespace().Name())
	}
	_ = e.Ack(map[string]string{
		"error": fmt.Sprintf("no application handles the event %q", name),
	}) // fails only for a client that has gone
}

// first counts an event and tells whether its name is new.
func (o *orphans) first(name string) (tell bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total++
	if o.names[name] || len(o.names) >= maxOrphans {
		return false
	}
	if o.names == nil {
		o.names = make(map[string]bool)
	}
	o.names[name] = true
	return true
}

// count returns how many there were.
func (o *orphans) count() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// sum leaves the number in the log.
func (o *orphans) sum() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.total > 0 {
		o.log.Warn("events that no application handled", "events", o.total)
	}
}
