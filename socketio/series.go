package socketio

import "sync"

// series runs functions one after the other, in their order, on a worker. Any
// goroutine may add some; none waits for them.
type series struct {
	srv   *Server
	mu    sync.Mutex
	queue []func()
	busy  bool
}

// add queues f unless max functions wait already.
func (q *series) add(f func(), max int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= max {
		return false
	}
	q.queue = append(q.queue, f)
	if q.busy {
		return true
	}
	q.busy = true
	if q.srv.allLoops() {
		q.srv.background(q.run)
	} else {
		go q.run() // a server that is starting has no workers yet
	}
	return true
}

func (q *series) run() {
	for {
		q.mu.Lock()
		list := q.queue
		q.queue = nil
		q.busy = len(list) > 0
		q.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, f := range list {
			f()
		}
	}
}
