package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/throng-server/throng/internal/app/stream"
	"github.com/throng-server/throng/socketio"
)

// maxLate bounds the calls of one stream that nobody waits for any more and
// whose answers are still to come. The oldest are forgotten first.
const maxLate = 1 << 16

// origin is whose call it is, for an answer that comes late.
type origin struct {
	p    *port
	s    *socketio.Socket
	m    *member
	kind string
}

// workers is a stream in place of an endpoint. Any goroutine.
type workers struct {
	app *App
	o   *Options
	s   *stream.Stream
	// connects is open while no worker answers: clients that want in would wait
	// on the few workers that decide on connects, of other namespaces, too.
	connects breaker

	mu      sync.Mutex
	waiting map[string]*call  // by id
	late    map[string]origin // by id
	order   []string          // ids of late, and of some that were answered

	lates, unknown uint64
}

// StreamStats is what is known of a stream.
type StreamStats struct {
	stream.Status
	// Waiting calls are those of this server that wait for their answers,
	// Missing those that do not, or not any more.
	Waiting, Missing int
	// Late answers came when nobody waited, Unknown ones a second time or much
	// too late. The former are done, the latter not.
	Late, Unknown uint64
}

// openStreams opens what the options name.
func (a *App) openStreams() error {
	names := []string{a.o.Stream}
	for _, name := range a.o.Streams {
		names = append(names, name)
	}
	for _, name := range names {
		if name == "" || a.workers[name] != nil {
			continue
		}
		w := &workers{app: a, o: &a.o, waiting: make(map[string]*call),
			late: make(map[string]origin)}
		var err error
		w.s, err = stream.Open(stream.Options{URL: a.o.Broker, Name: name,
			ID: a.prefix[:len(a.prefix)-1], Idle: a.o.StreamIdle, Attempts: a.o.StreamAttempts,
			Length: a.o.StreamMax, Logger: a.o.Logger}, w.take)
		if err != nil {
			a.Close()
			return fmt.Errorf("app: %w", err)
		}
		a.workers[name] = w
	}
	return nil
}

func (w *workers) close() {
	w.mu.Lock()
	expecting := len(w.waiting)+len(w.late) > 0
	w.mu.Unlock()
	w.s.Close(expecting)
}

func (w *workers) stats() StreamStats {
	st := StreamStats{Status: w.s.Status()}
	w.mu.Lock()
	defer w.mu.Unlock()
	st.Waiting, st.Missing = len(w.waiting), len(w.late)
	st.Late, st.Unknown = w.lates, w.unknown
	return st
}

// ask gives a call to the workers and waits for its answer, at most the
// timeout. If that comes later, it is done then, as is that to a disconnect.
// Connects are not added while no worker has answered several of them.
func (w *workers) ask(c *call) ([]byte, *Failure) {
	if c.who.kind != "connect" {
		return w.await(c)
	}
	if retry, ok := w.connects.allow(time.Now()); !ok {
		return nil, unavailable(retry, nil)
	}
	answer, f := w.await(c)
	w.answered(f == nil || f.Code != CodeTimeout)
	return answer, f
}

// answered tells whether workers answer.
func (w *workers) answered(yes bool) {
	switch {
	case !w.connects.report(!yes, time.Now()):
	case yes:
		w.o.Logger.Info("workers answer again", "stream", w.s.Status().Name)
	default:
		w.o.Logger.Error("no worker answers", "stream", w.s.Status().Name)
	}
}

func (w *workers) await(c *call) ([]byte, *Failure) {
	c.wake = make(chan []*call, 1)
	w.mu.Lock()
	if len(w.waiting) >= w.o.MaxWaiting {
		w.mu.Unlock()
		return nil, busy()
	}
	w.waiting[c.id] = c
	w.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), w.o.Timeout)
	defer cancel()
	err := w.s.Add(ctx, w.entry(c))
	c.body = nil
	switch {
	case errors.Is(err, stream.ErrFull):
		w.forget(c)
		return nil, busy()
	case errors.Is(err, stream.ErrAway):
		w.forget(c)
		return nil, unavailable(minOpen, err)
	case err != nil:
		if w.giveUp(c) {
			return nil, &Failure{Code: CodeLost, Message: "the connection to the application broke",
				detail: err}
		}
	}
	if c.who.kind == "disconnect" && w.giveUp(c) {
		return nil, nil // nothing comes after it that would have to wait
	}
	select {
	case <-c.wake:
	case <-ctx.Done():
		if w.giveUp(c) {
			return nil, &Failure{Code: CodeTimeout,
				Message: "the application did not answer in time"}
		}
		<-c.wake // at this moment
	}
	return c.answer, c.failed
}

func (w *workers) entry(c *call) stream.Entry {
	e := stream.Entry{ID: c.id, SID: c.who.s.ID(), Namespace: c.who.p.ns.Name(), Call: c.body}
	if len(w.o.Secret) > 0 {
		e.Timestamp = strconv.FormatInt(time.Now().Unix(), 10)
		e.Signature = Sign(w.o.Secret, e.Timestamp, c.body)
	}
	return e
}

// forget drops a call that no worker gets.
func (w *workers) forget(c *call) {
	w.mu.Lock()
	delete(w.waiting, c.id)
	w.mu.Unlock()
}

// giveUp stops waiting for an answer; false: it is there.
func (w *workers) giveUp(c *call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[c.id] == nil {
		return false
	}
	delete(w.waiting, c.id)
	if len(w.order) >= maxLate {
		delete(w.late, w.order[0])
		w.order = w.order[1:]
	}
	w.late[c.id] = c.who
	w.order = append(w.order, c.id)
	return true
}

// take gets an answer from the stream.
func (w *workers) take(a stream.Answer) {
	if a.Orphan {
		w.adopt(a)
		return
	}
	var f *Failure
	if a.Dead {
		f = &Failure{Code: CodeFailed, Message: "the application failed",
			detail: errors.New("no worker has answered, the call was given up")}
	} else if len(a.Text) > w.o.MaxAnswer {
		f = invalid(fmt.Sprintf("longer than %d bytes", w.o.MaxAnswer))
	}
	w.mu.Lock()
	c := w.waiting[a.ID]
	if c != nil {
		delete(w.waiting, a.ID)
		w.mu.Unlock()
		w.answered(true)
		c.answer, c.failed = a.Text, f
		c.wake <- nil
		return
	}
	who, late := w.late[a.ID]
	if late {
		delete(w.late, a.ID)
		if who.kind != "disconnect" {
			w.lates++
		}
	} else {
		w.unknown++
	}
	if len(w.late) == 0 {
		w.order = nil
	}
	w.mu.Unlock()
	if !late {
		return
	}
	if f != nil {
		w.app.fails.add(who.p.ns.Name(), who.kind, f)
		return
	}
	who.late(a.Text)
}

// late does what a late answer says. The client was told that there is none.
func (who origin) late(text []byte) {
	p := who.p
	list, refuse, f := p.parse(text)
	if f != nil {
		p.app.fails.add(p.ns.Name(), who.kind, f)
		return
	}
	if who.kind == "connect" {
		if refuse == nil { // the application takes it for connected
			go p.leave(who.s, who.m, goneEarly)
		}
		return
	}
	for i := range list {
		p.do(who.s, nil, &list[i])
	}
}

// adopt does what is left to be done of an answer to a server that is gone, and
// its sockets with it: emits to rooms and to all.
func (w *workers) adopt(a stream.Answer) {
	if a.Dead || len(a.Text) > w.o.MaxAnswer {
		return
	}
	w.app.mu.Lock()
	p := w.app.ports[a.Namespace]
	w.app.mu.Unlock()
	if p == nil {
		return
	}
	list, _, f := p.parse(a.Text)
	if f != nil {
		p.app.fails.add(p.ns.Name(), "of a server that is gone", f)
		return
	}
	for i := range list {
		if x := &list[i]; x.Emit != nil && (x.All || x.To != nil) {
			p.do(nil, nil, x)
		}
	}
}
