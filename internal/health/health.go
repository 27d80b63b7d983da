package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/throng-server/throng/socketio"
)

// silence is how long a loop may go without taking up a tick that has come; one
// comes each second at least.
const silence = 5 * time.Second

// State is what is known of the server.
type State struct {
	socketio.Stats
	// Listening: it has started and not ended.
	Listening bool
	// Broker: one is configured. QueuesAway tells that the queue of another
	// process's emits cannot be read.
	Broker     bool
	QueuesAway bool
	// WorkersAway: the broker of the application's workers does not answer.
	WorkersAway bool
	// RequireBroker makes the server unready without one.
	RequireBroker bool
}

// Report is the body of an answer.
type Report struct {
	// Status is "ok", "degraded" or "unavailable".
	Status string `json:"status"`
	// Problems say why it is not "ok".
	Problems []string `json:"problems,omitempty"`
}

// Healthy tells whether the loops run.
func Healthy(s *State) Report {
	var problems []string
	for i, l := range s.Loops {
		if l.Silent > silence {
			problems = append(problems, fmt.Sprintf("event loop %d has not moved for %v", i,
				l.Silent.Round(100*time.Millisecond)))
		}
	}
	if !s.Listening {
		problems = append(problems, "the event loops do not run")
	}
	return report(problems, nil)
}

// Ready tells whether new clients should come.
func Ready(s *State) Report {
	var problems, troubles []string
	switch {
	case !s.Listening:
		problems = append(problems, "not listening")
	case s.Draining:
		problems = append(problems, "draining")
	}
	if s.ConnectionsLimit > 0 && s.Connections >= s.ConnectionsLimit {
		problems = append(problems, fmt.Sprintf("%d connections are open, the limit",
			s.Connections))
	}
	if s.Broker && !s.Cluster.Connected {
		troubles = append(troubles, "the broker does not answer")
	} else if s.Cluster.Degraded {
		troubles = append(troubles, "other servers may miss what this one publishes")
	}
	if s.QueuesAway {
		troubles = append(troubles, "a queue of other processes' emits is not connected")
	}
	if s.WorkersAway {
		troubles = append(troubles, "the broker of the application's workers does not answer")
	}
	if s.RequireBroker {
		return report(append(problems, troubles...), nil)
	}
	return report(problems, troubles)
}

func report(problems, troubles []string) Report {
	switch {
	case len(problems) > 0:
		return Report{"unavailable", append(problems, troubles...)}
	case len(troubles) > 0:
		return Report{"degraded", troubles}
	}
	return Report{Status: "ok"}
}

// Handler serves the answers of ask: status 200, or 503 for "unavailable".
func Handler(ask func() Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r := ask()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if r.Status == "unavailable" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(r) // the client may be gone
	})
}
