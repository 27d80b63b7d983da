package valkey

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// lines are the open connections of a client. The client itself cannot end a
// command that blocks; closing its connection does. The zero value is ready.
type lines struct {
	// dial replaces the ordinary way to connect; nil: TCP, with TLS or without.
	dial func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)

	mu   sync.Mutex
	open map[*line]struct{}
	cut  bool
}

type line struct {
	net.Conn
	all *lines
}

func (l *line) Close() error {
	l.all.mu.Lock()
	delete(l.all.open, l)
	l.all.mu.Unlock()
	return l.Conn.Close()
}

var errCut = errors.New("the transport is closed")

func (l *lines) connect(ctx context.Context, addr string, d *net.Dialer, c *tls.Config) (net.Conn,
	error) {
	var conn net.Conn
	var err error
	switch {
	case l.dial != nil:
		conn, err = l.dial(ctx, addr, d, c)
	case c != nil:
		conn, err = (&tls.Dialer{NetDialer: d, Config: c}).DialContext(ctx, "tcp", addr)
	default:
		conn, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	x := &line{conn, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		conn.Close()
		return nil, errCut
	}
	if l.open == nil {
		l.open = map[*line]struct{}{}
	}
	l.open[x] = struct{}{}
	return x, nil
}

// close closes all, and those that are opened from now on.
func (l *lines) close() {
	l.mu.Lock()
	l.cut = true
	l.mu.Unlock()
	l.hangUp()
}

// hangUp closes all that are open.
func (l *lines) hangUp() {
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for x := range open {
		x.Conn.Close()
	}
}
