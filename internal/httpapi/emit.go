package httpapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/throng-server/throng/socketio"
)

// emission is the body of emit.
type emission struct {
	Namespace string            `json:"namespace"`
	Rooms     []string          `json:"rooms"`
	Except    []string          `json:"except"`
	Event     string            `json:"event"`
	Args      []json.RawMessage `json:"args"`
	Volatile  bool              `json:"volatile"`
	Local     bool              `json:"local"`
	Ack       bool              `json:"ack"`
	TimeoutMS int               `json:"timeout_ms"`
}

// ackTimeout is how long clients have to answer if nothing is said.
const ackTimeout = 5 * time.Second

type done struct {
	OK bool `json:"ok"`
}

// answers are what clients have acknowledged with.
type answers struct {
	Answers []answer `json:"answers"`
	// Complete tells that every receiver has answered; Reason why not.
	Complete bool   `json:"complete"`
	Reason   string `json:"reason,omitempty"`
}

type answer struct {
	Socket string `json:"socket"`
	Args   []any  `json:"args"`
}

func (a *API) emit(r *http.Request) (any, error) {
	var e emission
	if err := read(r, &e); err != nil {
		return nil, err
	}
	n, err := a.namespace(e.Namespace)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Event == "":
		return nil, invalid("event is missing")
	case e.Ack && e.Volatile:
		return nil, invalid("ack and volatile exclude each other")
	case e.TimeoutMS < 0 || e.TimeoutMS > 0 && !e.Ack:
		return nil, invalid("timeout_ms is negative, or without ack")
	}
	args := make([]any, len(e.Args))
	for i, raw := range e.Args {
		if args[i], err = value(raw); err != nil {
			return nil, invalid("args[%d]: %v", i, err)
		}
	}
	to := n.To(e.Rooms...).Except(e.Except...)
	if e.Local {
		to = to.Local()
	}
	if e.Volatile {
		to = to.Volatile()
	}
	if !e.Ack {
		return done{true}, badArgs(to.Emit(e.Event, args...))
	}
	wait := ackTimeout
	if e.TimeoutMS > 0 {
		wait = time.Duration(e.TimeoutMS) * time.Millisecond
	}
	return ask(r.Context(), to.Timeout(wait), e.Event, args)
}

// ask emits an event and collects the acknowledgements.
func ask(ctx context.Context, to socketio.Broadcast, event string, args []any) (any, error) {
	list, err := to.EmitWithAck(ctx, event, args...)
	var partial *socketio.PartialError
	out := answers{Answers: []answer{}, Complete: err == nil}
	switch {
	case err == nil:
	case errors.Is(err, socketio.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		out.Reason = "timeout"
	case errors.Is(err, socketio.ErrDisconnected):
		out.Reason = "disconnected"
	case errors.As(err, &partial):
		out.Reason = err.Error()
	default:
		return nil, badArgs(err)
	}
	for i := range list {
		out.Answers = append(out.Answers, answer{list[i].From, append([]any{}, list[i].Raw()...)})
	}
	return out, nil
}

// badArgs blames the request for an emit that failed: nothing else can make one
// fail but a server that does not run.
func badArgs(err error) error {
	if err == nil || errors.Is(err, socketio.ErrNotStarted) {
		return err
	}
	return invalid("%v", err)
}

// value is an argument as the library takes it: as it stands, or with its binary
// parts decoded.
func value(raw json.RawMessage) (any, error) {
	if !bytes.Contains(raw, []byte(binaryKey)) {
		return raw, nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return decoded(v)
}

const binaryKey = "$binary"

// decoded puts bytes in the place of {"$binary": "BASE64"}.
func decoded(v any) (_ any, err error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = decoded(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if text, ok := v[binaryKey]; ok && len(v) == 1 {
			s, ok := text.(string)
			if !ok {
				return nil, errors.New(binaryKey + " is not text")
			}
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return nil, errors.New(binaryKey + " is not base64")
			}
			return b, nil
		}
		for k := range v {
			if v[k], err = decoded(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// namespace finds one that exists: requests do not make any.
func (a *API) namespace(name string) (*socketio.Namespace, error) {
	if name == "" {
		name = "/"
	}
	n, ok := a.srv.Namespace(name)
	if !ok {
		return nil, &Problem{Type: "namespace", Status: http.StatusNotFound,
			Detail: "there is no namespace " + name}
	}
	return n, nil
}
