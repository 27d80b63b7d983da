package queue

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/internal/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// publish returns how many connections the broker gave the message to.
func publish(s *brokertest.Server, channel, body string) string {
	return s.Do("PUBLISH", channel, body)
}

// logs is a log that may be read meanwhile.
type logs struct{ logtest.Log }

func (l *logs) count(what string) int { return strings.Count(l.String(), what) }

func open(t *testing.T, url string, s Source) (*Reader, *recorder, *logs) {
	t.Helper()
	sink, out := newRecorder(), &logs{}
	r, err := Open(Options{URL: url, Source: s, Logger: slog.New(slog.NewTextHandler(out, nil))}, sink)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, sink, out
}

func subscribed(t *testing.T, r *Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, r.Subscribed(ctx))
}

// lines waits for n of them.
func (r *recorder) wait(t *testing.T, n int) []string {
	t.Helper()
	late := time.After(10 * time.Second)
	var lines []string
	for {
		lines = append(lines, r.take()...)
		if len(lines) >= n {
			return lines
		}
		select {
		case <-r.more:
		case <-late:
			t.Fatalf("%d of %d: %q", len(lines), n, lines)
		}
	}
}

func TestReadsBothChannelsInOrder(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	r, sink, out := open(t, b.URL(), Python())
	subscribed(t, r)
	const emit = `{"method": "emit", "event": "ev", "binary": false, "data": ["`
	want := make([]string, 0, 300)
	for i := range 100 {
		n := strings.Repeat("x", i)
		require.Equal(t, "1", publish(b, "socketio", emit+n+`"]}`))
		require.Equal(t, "1", publish(b, "flask-socketio", emit+n+`"]}`))
		require.Equal(t, "1", publish(b, "socketio", "broken"))
		want = append(want, `2["ev","`+n+`"] to all`, `2["ev","`+n+`"] to all`)
	}
	publish(b, "socketio", `{"method": "emit", "event": "ev", "namespace": "/no"}`)
	publish(b, "other", emit+`no"]}`)
	publish(b, "socketio", `{"method": "emit", "event": "ev", "callback": ["r", "/", 1]}`)
	want = append(want, `2["ev"] to all`)
	require.Equal(t, want, sink.wait(t, len(want)))
	require.Eventually(t, func() bool { return r.Status().Received == 302 }, time.Second, time.Millisecond)
	s := r.Status()
	require.True(t, s.Connected)
	require.Equal(t, []uint64{201, 1, 100, 1, 0},
		[]uint64{s.Applied, s.Ignored, s.Refused, s.Unanswered, s.Reconnects})
	require.Equal(t, 1, out.count("could not be delivered"), "one line for all")
	require.Equal(t, 1, out.count("no JSON object"))
}

func TestReadsNode(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	r, sink, _ := open(t, b.URL(), Node("a*b"))
	subscribed(t, r)
	publish(b, "a*b#/chat#r#", string(packed(t,
		"93 'emitter' 83 'type' 02 'data' 92 'ev' c40107 'nsp' '/chat' 83 'rooms' 91 'r' 'flags' 80 'except' 90")))
	publish(b, "a*b-request#/#", `{"type":4,"opts":{"rooms":["s"],"except":[]},"close":true}`)
	publish(b, "axb-request#/#", `{"type":4,"opts":{"rooms":["s"],"except":[]},"close":true}`)
	publish(b, "a*b-response#/#", `{"type":4,"opts":{"rooms":["s"],"except":[]},"close":true}`)
	publish(b, "a*b-request#/#", `{"type":1,"requestId":"x"}`)
	publish(b, "a*b-request#/#", `{"uid":"emitter","type":6,"data":["end"]}`)
	require.Equal(t, []string{
		`51-/chat,["ev",{"_placeholder":true,"num":0}] 07 to ["r"]`,
		`/: disconnect ["s"] true`,
		`server 2["end"]`,
	}, sink.wait(t, 3))
}

func TestComesBack(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	r, sink, out := open(t, b.URL(), Python("x"))
	subscribed(t, r)
	b.Stop()
	require.Eventually(t, func() bool { return !r.Status().Connected }, 10*time.Second, time.Millisecond)
	require.NotEmpty(t, r.Status().Err)
	b.Restart()
	subscribed(t, r)
	require.Equal(t, "1", publish(b, "x", `{"method": "close_room", "room": "r"}`))
	require.Equal(t, []string{`/: close "r"`}, sink.wait(t, 1))
	require.EqualValues(t, 1, r.Status().Reconnects)
	require.Equal(t, 1, out.count("not connected"), "once an outage")
}

func TestStartsWithoutBroker(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	b.Stop()
	r, sink, _ := open(t, b.URL(), Python("x"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Subscribed(ctx), context.DeadlineExceeded)
	b.Restart()
	subscribed(t, r)
	publish(b, "x", `{"method": "close_room", "room": "r"}`)
	require.Len(t, sink.wait(t, 1), 1)
	require.Zero(t, r.Status().Reconnects)
}

// A broker that takes connections and says nothing must not keep Close
// waiting, nor one that falls silent go unnoticed.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	r, _, _ := open(t, "valkey://"+l.Addr().String(), Python())
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	began := time.Now()
	r.Close()
	require.Less(t, time.Since(began), 2*time.Second)
}

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "nonsense", "http://user:secret@x", "redis://:secret@x/y", "redis+sentinel://x"} {
		_, err := Open(Options{URL: url, Source: Python()}, newRecorder())
		require.ErrorContains(t, err, "URL", url)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := Open(Options{URL: "redis://x"}, newRecorder())
	require.ErrorContains(t, err, "no source")
}

// A broker that stops without closing anything: only a question finds out.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	r, sink, _ := open(t, b.URL(), Python("x"))
	subscribed(t, r)
	b.Freeze()
	require.Eventually(t, func() bool { return !r.Status().Connected },
		2*(pingInterval+pingTimeout), 10*time.Millisecond)
	b.Thaw()
	subscribed(t, r)
	// The old subscription may be alive in the broker for a moment: it must not
	// bring the message a second time.
	for range 2 { // the second comes behind whatever is left of the first
		publish(b, "x", `{"method": "close_room", "room": "r"}`)
		require.Equal(t, []string{`/: close "r"`}, sink.wait(t, 1))
	}
	r.Close() // a message is counted once the sink has done with it
	require.EqualValues(t, 2, r.Status().Received)
}
