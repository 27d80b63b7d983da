package socketio

import (
	"context"
	"sync"
)

// tasks are the functions that Go runs.
type tasks struct {
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // nothing begins behind the end of ctx
	wg     sync.WaitGroup
}

func (t *tasks) init() { t.ctx, t.cancel = context.WithCancel(context.Background()) }

// stop ends the tasks' context; none begins any more.
func (t *tasks) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel()
}

// Go runs f on a goroutine of its own. ctx ends when Shutdown begins or the
// server ends, and Shutdown waits for f to return. A panic of f is logged and
// counted. It fails with ErrNotStarted when the server has ended; before Start
// it works. f must not wait for Shutdown, which waits for f.
//
// Every method of this package may be called from any goroutine, so that the
// go statement does as well; Go adds the end.
func (s *Server) Go(f func(ctx context.Context)) error {
	t := &s.tasks
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return ErrNotStarted
	}
	t.wg.Go(func() { s.guard("background task", func() { f(t.ctx) }) })
	return nil
}

// wait returns when all tasks have, or ctx has ended. stop was called.
func (t *tasks) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		t.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
