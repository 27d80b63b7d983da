package latency

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// answerTime bounds the wait for one answer.
const answerTime = 30 * time.Second

// pacers are clients that each ask once a period and wait for the answer.
type pacers struct {
	t    testing.TB
	stop chan struct{}
	wg   sync.WaitGroup
	samples
}

// pace calls ask on n goroutines, evenly spread over the period. What an
// answer was waited for begins when the question was sent or, if the answer
// before it came too late for that, when it should have been: a slow server
// does not lower the number of slow samples.
func pace(t testing.TB, asks []func() error, period time.Duration) *pacers {
	p := &pacers{t: t, stop: make(chan struct{})}
	start := time.Now()
	for i, ask := range asks {
		p.wg.Go(func() {
			var list []sample
			due := start.Add(period * time.Duration(i) / time.Duration(len(asks)))
			for {
				late := time.Now().After(due)
				select {
				case <-p.stop:
					p.add(list, nil)
					return
				case <-time.After(time.Until(due)):
				}
				from := due
				if !late {
					from = time.Now()
				}
				if err := ask(); err != nil {
					p.add(list, err)
					return
				}
				now := time.Now()
				list = append(list, sample{now, now.Sub(from)})
				due = due.Add(period)
			}
		})
	}
	return p
}

// end stops asking and waits for the last answers.
func (p *pacers) end() {
	p.t.Helper()
	close(p.stop)
	p.wg.Wait()
	require.NoError(p.t, p.err)
}

// echoers are Socket.IO clients that ask for an echo.
func echoers(t testing.TB, addr string) *pacers {
	t.Helper()
	asks := make([]func() error, scale.echoers)
	for i := range asks {
		c, err := client.Dial(addr, "")
		require.NoError(t, err)
		t.Cleanup(c.Close)
		frame := client.Frame(`42["echo","` + padding + `"]`)
		asks[i] = func() error {
			c.SetDeadline(time.Now().Add(answerTime))
			if err := c.Write(frame); err != nil {
				return err
			}
			return c.Expect(`42["echo","` + padding + `"]`)
		}
	}
	return pace(t, asks, scale.period)
}

// byteEchoers are plain TCP connections that ask for a byte.
func byteEchoers(t testing.TB, addr string, n int, period time.Duration) *pacers {
	t.Helper()
	asks := make([]func() error, n)
	for i := range asks {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		b := []byte{byte(i)}
		asks[i] = func() error {
			_ = conn.SetDeadline(time.Now().Add(answerTime))
			if _, err := conn.Write(b); err != nil {
				return err
			}
			n, err := conn.Read(b)
			if err == nil && (n != 1 || b[0] != byte(i)) {
				err = errors.New("another byte came back")
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = errors.New("no byte came back")
			}
			return err
		}
	}
	return pace(t, asks, period)
}
