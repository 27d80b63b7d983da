package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Errors of Add: the call was not added. Others mean that it may have been.
var (
	// ErrAway: the broker does not answer, or refuses.
	ErrAway = errors.New("stream: the broker is away")
	// ErrFull: the stream has Options.Length calls.
	ErrFull = errors.New("stream: the stream is full")
)

// Entry is a call on its way to a worker.
type Entry struct {
	ID, SID, Namespace string
	Call               []byte // JSON; it must not be changed any more
	// Timestamp and Signature are left out if they are empty.
	Timestamp, Signature string
}

// Answer is what a worker says to a call.
type Answer struct {
	// ID of the call.
	ID string
	// Namespace as the worker tells it, "" if it does not.
	Namespace string
	Text      []byte
	// Dead: there is no answer, and there will be none; the call was given up.
	Dead bool
	// Orphan: the call is that of another server, which is gone.
	Orphan bool
}

// Status is what a Stream tells of itself.
type Status struct {
	Name string
	// Connected tells whether calls can be added, Err why not.
	Connected bool
	Err       string
	// Length of the stream, of it Pending in hands of workers, and the calls
	// that were given up and are Kept: at the last look, for all servers.
	Length, Pending, Kept int
	// Since the start, by this server: calls Added, Answers read, those to servers
	// that are gone (Orphans), calls added again (Redelivered), given up (Dead).
	Added, Answers, Orphans, Redelivered, Dead uint64
}

// Stream is a stream of calls with its answers. Any goroutine may call its
// methods.
type Stream struct {
	o      Options
	opt    valkey.ClientOption
	take   func(Answer)
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	client valkey.Client // nil while the broker is away
	users  sync.WaitGroup
	status Status
	fresh  bool // the stream of answers is new: read it from the beginning
}

// Open checks the options and starts. It does not wait for the broker. take gets
// the answers, on any goroutine, those to this server in their order; it must not
// block.
func Open(o Options, take func(Answer)) (*Stream, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	opt, err := o.clientOption()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Stream{o: o, opt: opt, take: take, cancel: cancel, ended: make(chan struct{}),
		status: Status{Name: o.Name, Err: "not connected yet"}}
	go s.run(ctx)
	return s, nil
}

// Status returns figures for operators.
func (s *Stream) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Close ends it and returns when take is not called any more. With expecting,
// answers are still to come: the other servers do what they can with them.
func (s *Stream) Close(expecting bool) {
	if c := s.use(); c != nil {
		if !expecting {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			// If it fails, the keys expire.
			_ = leave.Exec(ctx, c, []string{s.o.reply(), s.o.nodes()}, nil).Error()
			cancel()
		}
		s.users.Done()
	}
	s.cancel()
	<-s.ended
}

// use returns the client, until users.Done is called; nil: the broker is away.
func (s *Stream) use() valkey.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.users.Add(1)
	}
	return s.client
}

// Add appends a call, which takes as long as the broker does.
func (s *Stream) Add(ctx context.Context, e Entry) error {
	c := s.use()
	if c == nil {
		return ErrAway
	}
	defer s.users.Done()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	args := make([]string, 0, 17)
	args = append(args, itoa(s.o.Length), "id", e.ID, "attempt", "1", "namespace", e.Namespace,
		"sid", e.SID, "reply", s.o.reply(), "call", valkey.BinaryString(e.Call))
	if e.Timestamp != "" {
		args = append(args, "timestamp", e.Timestamp)
	}
	if e.Signature != "" {
		args = append(args, "signature", e.Signature)
	}
	err := add.Exec(ctx, c, []string{s.o.Name}, args).Error()
	switch {
	case err == nil:
		s.mu.Lock()
		s.status.Added++
		s.mu.Unlock()
		return nil
	case valkey.IsValkeyNil(err):
		return ErrFull
	case refused(err):
		return errors.Join(ErrAway, err)
	}
	return err
}

// refused tells that the broker has answered with an error.
func refused(err error) bool {
	var e *valkey.ValkeyError
	return errors.As(err, &e)
}

// run connects again and again until ctx ends.
func (s *Stream) run(ctx context.Context) {
	defer close(s.ended)
	pause, told := firstPause, false
	pos := "0"
	for {
		was, err := s.session(ctx, &pos)
		if ctx.Err() != nil {
			return
		}
		if was {
			pause, told = firstPause, false
		}
		if !told { // once an outage
			s.o.Logger.Warn("the broker of the application's workers is away",
				"stream", s.o.Name, "error", err)
			told = true
		}
		select {
		case <-time.After(pause - rand.N(pause/2)):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// session connects and works until the connection ends; was: it did work, and
// answers could be read.
func (s *Stream) session(ctx context.Context, pos *string) (was bool, err error) {
	client, err := dial(ctx, s.opt)
	if err != nil {
		s.set(nil, err)
		return false, err
	}
	defer client.Close()
	if _, err := s.touch(ctx, client); err != nil {
		s.set(nil, err)
		return false, err
	}
	s.set(client, nil)
	s.o.Logger.Info("calls go to workers", "stream", s.o.Name, "group", Group)
	inner, cancel := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		if err := s.keeper(inner, client); err != nil {
			cancel(err)
		}
	})
	for err = s.read(inner, client, pos); err == nil; err = s.read(inner, client, pos) {
		was = true
	}
	if cause := context.Cause(inner); cause != nil {
		err = cause
	}
	s.set(nil, err)
	cancel(err)
	keeper.Wait()
	s.users.Wait() // nobody waits longer than timeout
	return was, err
}

// set notes the client of a session that begins, or nil and why it ended.
func (s *Stream) set(c valkey.Client, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client, s.status.Connected, s.status.Err = c, c != nil, ""
	if err != nil {
		s.status.Err = err.Error()
	}
}

// dial is valkey.NewClient that returns when ctx ends.
func dial(ctx context.Context, opt valkey.ClientOption) (valkey.Client, error) {
	type result struct {
		client valkey.Client
		err    error
	}
	done := make(chan result, 1)
	go func() {
		c, err := valkey.NewClient(opt)
		done <- result{c, err}
	}()
	select {
	case got := <-done:
		return got.client, got.err
	case <-ctx.Done():
		go func() {
			if got := <-done; got.err == nil {
				got.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}
