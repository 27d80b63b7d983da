package app

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/app/stream"
	"github.com/throng-server/throng/internal/brokertest"
)

// A call that no worker survives is given up, kept, and its client told.
func TestCallIsGivenUp(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	w := hire(t, b, 1, func(c posted) string {
		if c.Event == "poison" {
			return "-"
		}
		return ""
	})
	srv, a := staffed(t, b.URL(), Options{StreamIdle: 100 * time.Millisecond, StreamAttempts: 3})
	c := join(t, srv, "")
	c.send(`421["poison"]`)
	c.send(`422["x"]`)
	c.expect(`431[{"error":"the application failed","code":"failed"}]`, `432[]`)
	var attempts []string
	ids := map[string]bool{}
	for _, f := range w.seen() {
		if strings.Contains(f["call"], "poison") {
			attempts = append(attempts, f["attempt"])
			ids[f["id"]] = true
		}
	}
	require.Equal(t, []string{"1", "2", "3"}, attempts)
	require.Len(t, ids, 1, "its id stays")
	require.EqualValues(t, 1, w.number("XLEN", calls+":dead"))
	kept, err := w.Do(context.Background(), w.B().Xrange().Key(calls+":dead").Start("-").End("+").
		Build()).AsXRange()
	require.NoError(t, err)
	require.Equal(t, "w0", kept[0].FieldValues["consumer"])
	require.Contains(t, kept[0].FieldValues["call"], "poison")
	require.Eventually(t, func() bool {
		st := a.Stats().Streams[0]
		return st.Redelivered == 2 && st.Dead == 1 && st.Kept == 1 && st.Length == 0 && st.Pending == 0
	}, patience, 10*time.Millisecond)
}

// Workers that only acknowledge leave nothing, either.
func TestWhatIsAcknowledgedIsRemoved(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	srv, a := staffed(t, b.URL(), Options{StreamIdle: 100 * time.Millisecond, Timeout: 50 * time.Millisecond})
	w := boss(t, b.URL())
	for range 3 {
		c := dial(t, srv)
		c.send(`40`)
		require.Contains(t, c.next(), "timeout")
	}
	list, err := next(w.Client, "lazy", 9)
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, e := range list {
		w.number("XACK", calls, stream.Group, e.ID)
	}
	require.Eventually(t, func() bool { return w.number("XLEN", calls) <= 1 }, patience, time.Millisecond)
	require.Zero(t, a.Stats().Streams[0].Redelivered)
}

// What workers say to a server that has gone reaches the clients of another, and
// what died with worker and server is handled.
func TestAnswersToAServerThatIsGone(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	w := boss(t, b.URL())
	gone, app := staffed(t, b.URL(), Options{Timeout: 100 * time.Millisecond})
	for range 2 {
		c := dial(t, gone)
		c.send(`40`)
		require.Contains(t, c.next(), "timeout")
	}
	app.Close()
	list, err := next(w.Client, "slow", 1)
	require.NoError(t, err)
	require.Len(t, list, 1)
	dead, err := next(w.Client, "dead", 1)
	require.NoError(t, err)
	require.Len(t, dead, 1)
	// Answered before it can be taken for dead.
	require.NoError(t, reply(w.Client, list[0],
		`{"do":[{"emit":"you"},{"join":"q"},{"set":1},{"ack":[]},{"emit":"news","to":"r"},{"disconnect":"namespace"}]}`))

	again := make(chan string, 9)
	srv, a := serve(t, Options{Stream: calls, Broker: b.URL(), StreamIdle: 2 * time.Second})
	go func() {
		for {
			list, err := next(w.Client, "w", 1)
			if err != nil {
				return
			}
			for _, e := range list {
				if e.FieldValues["attempt"] == "2" {
					again <- e.FieldValues["id"]
				}
				_ = reply(w.Client, e, `{"do":[{"join":"r"}]}`)
			}
		}
	}()
	require.Eventually(t, func() bool { return a.Stats().Streams[0].Connected }, patience, time.Millisecond)
	d := join(t, srv, "")
	d.expect(`42["news"]`)
	require.Equal(t, dead[0].FieldValues["id"], <-again)
	require.Eventually(t, func() bool { return a.Stats().Streams[0].Orphans == 2 }, patience,
		time.Millisecond)
	require.Empty(t, w.pending(""))
}

// A worker process is killed in the middle of 10,000 events: each is handled,
// none stays, and only what the dead one had in hand is handled twice.
func TestWorkerKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	const events, sockets, workers = 10_000, 80, 4
	b := brokertest.Start(t)
	procs := make([]*exec.Cmd, workers)
	for i := range procs {
		procs[i] = employ(t, b.URL(), fmt.Sprint("w", i))
	}
	srv, a := staffed(t, b.URL(), Options{StreamIdle: time.Second, Timeout: 30 * time.Second})
	w := boss(t, b.URL())
	done := make(chan error, sockets)
	for i := range sockets {
		c := join(t, srv, "")
		require.NoError(t, c.conn.SetDeadline(time.Now().Add(90*time.Second)))
		go func() { done <- stretch(c, i*events/sockets, events/sockets) }()
	}
	handled := func() int64 { return w.number("LLEN", "handled") }
	require.Eventually(t, func() bool { return handled() > events/3 && len(w.pending("w0")) > 0 },
		60*time.Second, time.Millisecond)
	// Stopped first, so that it is seen what it has in hand.
	victim := procs[0].Process
	require.Eventually(t, func() bool {
		require.NoError(t, victim.Signal(syscall.SIGSTOP))
		if len(w.pending("w0")) > 0 {
			return true
		}
		require.NoError(t, victim.Signal(syscall.SIGCONT))
		return false
	}, patience, time.Millisecond)
	time.Sleep(20 * time.Millisecond) // what it had sent has arrived
	inHand := map[string]bool{}
	for _, id := range w.pending("w0") {
		e, err := w.Do(context.Background(), w.B().Xrange().Key(calls).Start(id).End(id).Build()).AsXRange()
		require.NoError(t, err)
		inHand[e[0].FieldValues["id"]] = true
	}
	require.NoError(t, victim.Kill())
	_ = procs[0].Wait()
	require.NotEmpty(t, inHand)
	require.Less(t, handled(), int64(events), "it was in the middle")
	for range sockets {
		require.NoError(t, <-done)
	}

	require.Eventually(t, func() bool { return w.number("XLEN", calls) == 0 }, patience, time.Millisecond)
	require.Empty(t, w.pending(""), "none is stuck")
	require.Zero(t, w.number("XLEN", calls+":dead"))
	notes, err := w.Do(context.Background(), w.B().Lrange().Key("handled").Start(0).Stop(-1).Build()).AsStrSlice()
	require.NoError(t, err)
	by := map[string][]string{} // workers by event
	for _, n := range notes {
		f := strings.Fields(n)
		by[f[0]] = append(by[f[0]], f[1])
		if len(by[f[0]]) > 1 {
			require.True(t, inHand[f[2]], "%s was handled by %v", f[0], by[f[0]])
			require.Equal(t, "w0", by[f[0]][0])
			require.Len(t, by[f[0]], 2)
		}
	}
	require.Len(t, by, events, "every event is handled")
	st := a.Stats().Streams[0]
	require.EqualValues(t, len(inHand), st.Redelivered)
	require.Zero(t, a.Stats().Failed)
	t.Logf("%d events, %d in the dead worker's hand, of them %d handled twice", len(by), len(inHand),
		len(notes)-len(by))
}

// stretch sends n events at once and expects their acknowledgements in order.
func stretch(c *client, first, n int) error {
	for i := range n {
		if err := c.write(fmt.Sprintf(`42%d["do",%d]`, i, first+i)); err != nil {
			return err
		}
	}
	for i := range n {
		text, err := c.read()
		for err == nil && text == "2" {
			if err = c.write("3"); err == nil {
				text, err = c.read()
			}
		}
		if err != nil {
			return err
		}
		if want := fmt.Sprintf(`43%d[%d]`, i, first+i); text != want {
			return fmt.Errorf("%s, want %s", text, want)
		}
	}
	return nil
}
