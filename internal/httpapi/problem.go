package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/throng-server/throng/socketio"
)

// Problem is an error as clients get it (RFC 9457).
type Problem struct {
	// Type is the last part of its URI.
	Type   string
	Status int
	Detail string

	allow string // of 405
	retry bool   // of 429
}

func (p *Problem) Error() string { return p.Detail }

// MarshalJSON writes the members that the RFC names.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"urn:throng:problem:" + p.Type, http.StatusText(p.Status), p.Status, p.Detail})
}

func invalid(format string, args ...any) *Problem {
	return &Problem{Type: "invalid", Status: http.StatusBadRequest,
		Detail: fmt.Sprintf(format, args...)}
}

// problemOf makes a problem of an error.
func problemOf(err error) *Problem {
	var p *Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, socketio.ErrReserved):
		return invalid("%v", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, socketio.ErrTimeout):
		return &Problem{Type: "timeout", Status: http.StatusGatewayTimeout,
			Detail: "not done within api.timeout"}
	case errors.Is(err, socketio.ErrNotStarted):
		return &Problem{Type: "unavailable", Status: http.StatusServiceUnavailable,
			Detail: "the server does not run"}
	}
	return &Problem{Type: "internal", Status: http.StatusInternalServerError, Detail: err.Error()}
}

func write(w http.ResponseWriter, p *Problem) {
	switch {
	case p.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="throng"`)
	case p.allow != "":
		w.Header().Set("Allow", p.allow)
	case p.retry:
		w.Header().Set("Retry-After", "1")
	}
	send(w, p.Status, "application/problem+json", p)
}

func send(w http.ResponseWriter, status int, kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil { // what clients have sent is valid: this is a bug
		status, b = http.StatusInternalServerError, []byte(`{"title":"no JSON for the answer"}`)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may be gone
}
