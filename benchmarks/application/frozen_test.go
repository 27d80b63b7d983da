package application

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// crowd is clients of the application, which send events evenly spread.
type crowd struct {
	t testing.TB
	*client.Crowd
	stop                      chan struct{}
	done                      sync.WaitGroup
	sent, acked, pushed, alls atomic.Int64
	refused                   atomic.Int64 // acknowledgements that say so
	extra                     atomic.Int64 // events to be sent at once
	idle                      atomic.Bool  // none is sent any more
	err                       error
}

func gather(t testing.TB, addr string, n int, rate int) *crowd {
	t.Helper()
	c := &crowd{t: t, stop: make(chan struct{})}
	var err error
	c.Crowd, err = client.Gather(addr, n, "")
	require.NoError(t, err)
	c.OnPacket = func(_ int, p []byte) {
		switch text := string(p); {
		case text == `42["push"]`:
			c.pushed.Add(1)
		case text == `42["all"]`:
			c.alls.Add(1)
		case strings.HasPrefix(text, "43"):
			c.acked.Add(1)
			if text != expect {
				c.refused.Add(1)
			}
		}
	}
	c.done.Go(func() { c.err = c.run(rate) })
	t.Cleanup(c.end)
	return c
}

func (c *crowd) run(rate int) error {
	frame := client.Frame(event)
	begun := time.Now()
	for i := 0; ; {
		select {
		case <-c.stop:
			return nil
		default:
		}
		due := int(time.Since(begun).Seconds()*float64(rate)) + int(c.extra.Load())
		if c.idle.Load() {
			due = i
		}
		for last := min(due, i+100); i < last; i++ { // and reads meanwhile
			if err := c.Send(i%c.Len(), frame); err != nil {
				return err
			}
			c.sent.Add(1)
		}
		if err := c.Poll(time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *crowd) end() {
	select {
	case <-c.stop:
		return
	default:
	}
	close(c.stop)
	c.done.Wait()
	require.NoError(c.t, c.err)
	c.Close()
}

// other is a client of the namespace without application.
type other struct {
	t      testing.TB
	client *client.Client
	pushes int
}

// watch asks for an echo every few milliseconds, and has a room pushed to
// meanwhile.
func (o *other) watch(d time.Duration) (waits []time.Duration) {
	o.t.Helper()
	echo := client.Frame(`42/own,1["echo"]`)
	push := client.Frame(`42/own,["push","r7"]`)
	begun := time.Now()
	for due := begun; due.Before(begun.Add(d)); due = due.Add(5 * time.Millisecond) {
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		from := time.Now()
		require.NoError(o.t, o.client.Write(echo))
		for text := []byte(nil); string(text) != `43/own,1[]`; {
			var err error
			text, err = o.client.Next() // it gets what all get, too
			require.NoError(o.t, err)
		}
		waits = append(waits, time.Since(from))
		if len(waits)%20 == 0 {
			require.NoError(o.t, o.client.Write(push))
			o.pushes++
		}
	}
	slices.Sort(waits)
	return waits
}

// The endpoint is stopped while its clients go on: what has nothing to do with
// it does not notice, and each event is answered.
func TestFrozen(t *testing.T) {
	endpoint := start(t, "endpoint")
	server := start(t, "server", urlVar+"=http://"+endpoint.addr+"/one", limitVar+"=64",
		timeoutVar+"="+size.timeout.String())
	freeze := func() { require.NoError(t, endpoint.cmd.Process.Signal(unix.SIGSTOP)) }
	thaw := func() { require.NoError(t, endpoint.cmd.Process.Signal(unix.SIGCONT)) }
	t.Cleanup(thaw)
	c := gather(t, server.addr, size.crowd, size.rate)
	cl, err := client.Dial(server.addr, "")
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, cl.Emit("40/own,"))
	require.NoError(t, cl.Expect(`40/own,{`))
	o := &other{t: t, client: cl}

	all := func() time.Duration {
		t.Helper()
		had, begun := c.alls.Load(), time.Now()
		require.NoError(t, cl.Emit(`42/own,["all"]`))
		require.Eventually(t, func() bool { return c.alls.Load() == had+int64(size.crowd) },
			30*time.Second, time.Millisecond)
		return time.Since(begun)
	}
	var calm, frozen []time.Duration
	// The same happens in each time: a burst, more than the endpoint takes, in
	// an even flow.
	phase := func() (list []time.Duration, now figures) {
		c.extra.Add(int64(size.burst))
		list = o.watch(size.freeze)
		push, now := all(), server.stats()
		require.LessOrEqual(t, now.Waiting, 4096)
		require.LessOrEqual(t, now.Flying, 64)
		t.Logf("echo: %s; to all: %.0f ms; memory %d MB, %d workers", quantiles(list), ms(push),
			now.Memory>>20, now.Workers)
		return list, now
	}
	_, first := phase() // connections, workers, memory
	var last figures
	for range size.cycles {
		list, _ := phase()
		calm = append(calm, list...)
		freeze()
		list, last = phase()
		frozen = append(frozen, list...)
		thaw()
		// Until it has been found again.
		require.Eventually(t, func() bool {
			had := server.stats()
			time.Sleep(200 * time.Millisecond)
			s := server.stats()
			return s.Failed == had.Failed && s.Calls > had.Calls && s.Waiting == 0
		}, time.Minute, time.Millisecond)
	}
	slices.Sort(calm)
	slices.Sort(frozen)
	a, b := quantiles(calm), quantiles(frozen)
	t.Logf("%d clients: echo %s; endpoint frozen: %s; %d events, %d of them refused; "+
		"memory %d MB, then %d MB", size.crowd, a, b, c.sent.Load(), c.refused.Load(),
		first.Memory>>20, last.Memory>>20)
	if size.strict {
		require.Less(t, b.p99, 3*a.p99+5*time.Millisecond)
	}
	require.Less(t, last.Memory, first.Memory+128<<20)
	require.NotZero(t, c.refused.Load())
	c.idle.Store(true)
	require.Eventually(t, func() bool { return c.acked.Load() == c.sent.Load() }, time.Minute,
		time.Millisecond, "every event is answered")
	require.Eventually(t, func() bool { return c.pushed.Load() == int64(o.pushes*size.crowd/rooms) },
		10*time.Second, time.Millisecond, "everybody in the room has each push")
}

func quantiles(sorted []time.Duration) result {
	n := len(sorted)
	return result{n: n, p50: sorted[n/2], p99: sorted[n*99/100]}
}
