package socketio

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// noteKind numbers the log lines of which only some are written.
type noteKind uint8

const (
	noteMailbox noteKind = iota
	noteArgument
	noteDynamic
	noteRooms
	noteRoomEvents
	noteOutgoing
	noteRefusals
	noteForward
	noteEntry
	noteUnpublished
	noteServerEvents
	noteData
	noteRate
	noteKinds
)

// noteEvery is the time between two lines that clients can cause at will.
const noteEvery = time.Second

// note lets one line through in noteEvery and counts the others.
type note struct {
	last    atomic.Int64
	skipped atomic.Uint64
}

// warn logs a line of a kind unless one was logged just before.
func (s *Server) warn(k noteKind, msg string, args ...any) {
	n := &s.notes[k]
	now, last := time.Now().UnixNano(), n.last.Load()
	if now-last < int64(noteEvery) || !n.last.CompareAndSwap(last, now) {
		n.skipped.Add(1)
		return
	}
	s.opt.Logger.Warn("socketio: "+msg, append(args, "suppressed", n.skipped.Swap(0))...)
}

// debugs tells whether somebody wants debug lines; what is logged costs nothing
// otherwise.
func (s *Server) debugs() bool {
	return s.opt.Logger.Enabled(context.Background(), slog.LevelDebug)
}

// report takes the error of a handler to the nearest OnError: the socket's, the
// namespace's, that of the options; or else to the log.
func (s *Server) report(sock *Socket, event string, err error) (reply any) {
	s.errors.Add(1)
	f := sock.own().onError
	if f == nil {
		f = sock.ns.reg.load().onError
	}
	if f == nil {
		f = s.opt.OnError
	}
	if f != nil {
		s.guard("OnError", func() { reply = f(sock, event, unmarked(err)) })
		return reply
	}
	var arg *ArgumentError
	if errors.As(err, &arg) {
		s.warn(noteArgument, "an argument does not fit its handler", "namespace", sock.ns.name,
			"event", event, "socket", sock.ID(), "error", err)
		return nil
	}
	attrs := []any{slog.String("namespace", sock.ns.name), slog.String("event", event),
		slog.String("socket", sock.ID()), slog.Any("error", err)}
	var p *PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	s.opt.Logger.Error("socketio: handler failed", attrs...)
	return nil
}

// unmarked takes off the mark of OnAck.
func unmarked(err error) error {
	if a, ok := err.(*ackError); ok {
		return a.error
	}
	return err
}

// guard runs a function of the application that belongs to no socket.
func (s *Server) guard(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panics.Add(1)
			s.opt.Logger.Error("socketio: panic", "in", what, "value", v,
				"stack", string(debug.Stack()))
		}
	}()
	f()
}
