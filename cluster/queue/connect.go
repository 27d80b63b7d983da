package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// A silent connection is asked after pingInterval and is dead if it does
	// not answer within pingTimeout.
	pingInterval = 2 * time.Second
	pingTimeout  = 5 * time.Second
	// Between attempts to connect: doubled from the first to the last, minus a
	// random part of up to a half, so that servers do not come back together.
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// run connects again and again until ctx ends.
func (r *Reader) run(ctx context.Context) {
	defer close(r.ended)
	pause, told := firstPause, false
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			r.set(false, "closed")
			return
		}
		if r.set(false, err.Error()) { // it was connected
			pause, told = firstPause, false
		}
		if !told { // once an outage
			r.log.Warn("not connected, what is published now is lost here", "error", err)
			told = true
		}
		select {
		case <-time.After(pause - rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// session connects, subscribes and delivers until the connection ends.
func (r *Reader) session(ctx context.Context) error {
	client, err := dial(ctx, r.opt)
	if err != nil {
		return err
	}
	defer client.Close()
	conn, release := client.Dedicate()
	defer release()
	left := r.source.wants
	lost := conn.SetPubSubHooks(valkey.PubSubHooks{
		OnMessage: func(m valkey.PubSubMessage) {
			if ctx.Err() == nil {
				r.receive(m)
			}
		},
		OnSubscription: func(valkey.PubSubSubscription) {
			if left--; left == 0 {
				r.set(true, "")
				r.log.Info("subscribed")
			}
		},
	})
	subscribing, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := conn.Do(subscribing, r.source.subscribe(conn.B())).Error(); err != nil {
		return err
	}
	select {
	case err := <-lost:
		if err == nil {
			err = errors.New("the connection ended")
		}
		return err
	case <-ctx.Done():
		conn.Close()
		<-lost // the hooks have been called for the last time
		return ctx.Err()
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

// set notes whether the channels are subscribed; changed tells whether that is
// news.
func (r *Reader) set(connected bool, problem string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.status
	s.Err = problem
	if s.Connected == connected {
		return false
	}
	s.Connected, s.Since = connected, time.Now()
	if connected {
		if r.connectedBefore {
			s.Reconnects++
		}
		r.connectedBefore = true
	}
	close(r.change)
	r.change = make(chan struct{})
	return true
}
