// Package logtest owns the log that a test reads while others write it.
package logtest

import (
	"bytes"
	"sync"
)

// Log keeps what is written to it. The zero value is ready; it must not be
// copied. Any goroutine.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
