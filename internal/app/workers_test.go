package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
)

func TestStreamOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Stream: "s"}, {Stream: "s", Broker: "http://x"}, {Stream: "a b", Broker: "valkey://x"},
		{Stream: "s", Broker: "valkey://x", StreamMax: -1},
		{URL: "http://x", Stream: "s", Broker: "valkey://x"},
		{Namespaces: map[string]string{"/a": "http://x"}, Streams: map[string]string{"/a": "s"},
			Broker: "valkey://x"},
	} {
		_, err := New(o)
		require.Error(t, err, o)
	}
	a, err := New(Options{Namespaces: map[string]string{"/a": "http://x"}, Stream: "s",
		Streams: map[string]string{"/b": "s", "/c": "t"}, Broker: "valkey://127.0.0.1:1"})
	require.NoError(t, err)
	require.Len(t, a.workers, 2)
	for ns, want := range map[string][2]string{"/": {"", "s"}, "/a": {"http://x", ""}, "/c": {"", "t"}} {
		url, stream := a.o.way(ns)
		require.Equal(t, want, [2]string{url, stream})
	}
	a.Close()
}

// What clients see, and what workers get, is as with an endpoint.
func TestWorkersAreAnApplication(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	left := make(chan posted, 9)
	w := hire(t, b, 2, func(c posted) string {
		switch {
		case c.Type == "connect" && strings.Contains(string(c.Auth), "nobody"):
			return `{"refuse":{"message":"who?","data":1}}`
		case c.Type == "connect":
			return `{"do":[{"join":"r"},{"set":{"n":1}},{"emit":"hello"}]}`
		case c.Type == "disconnect":
			left <- c
		case c.Event == "say":
			return fmt.Sprintf(`{"do":[{"emit":"said","to":"r","args":%s},{"ack":[true]}]}`, c.Args)
		case c.Event == "error":
			return `{"error":"no"}` + "\n"
		case c.Event == "blank":
			return " null\r\n"
		case c.Event == "nonsense":
			return `{"do":[{"emit":"x"},{"jion":"r"}]}`
		}
		return ""
	})
	srv, a := staffed(t, b.URL(), Options{Headers: []string{"Cookie"}})
	c := dial(t, srv)
	c.send(`40{"name":"nobody"}`)
	c.expect(`44{"message":"who?","data":1}`)
	one, two := join(t, srv, `{"a":"b"}`), join(t, srv, "")
	for _, c := range []*client{one, two} {
		c.expect(`42["hello"]`)
	}
	one.send(`421["say","hi",{"$binary":1}]`)
	one.expect(`42["said","hi",{"$binary":1}]`, `431[true]`)
	two.expect(`42["said","hi",{"$binary":1}]`)
	one.send(`422["error"]`)
	one.send(`423["nonsense"]`)
	one.send(`424["nothing"]`)
	one.send(`425["blank"]`)
	one.expect(`432[{"error":"no","code":"failed"}]`,
		`433[{"error":"the application's answer was not understood","code":"invalid"}]`, `434[]`,
		`435[]`)
	one.send(`41`)
	require.Equal(t, one.id, (<-left).SID)
	require.Eventually(t, func() bool { return len(w.pending("")) == 0 }, patience, time.Millisecond)
	require.Zero(t, w.number("XLEN", calls), "what was handled is removed")

	require.EqualValues(t, 2, a.Stats().Failed)
	for _, f := range w.seen() {
		body := f["call"]
		var kind string
		for _, k := range []string{"connect", "event", "disconnect"} {
			if strings.HasPrefix(body, `{"type":"`+k+`"`) {
				kind = k
			}
		}
		s, _ := schema(t, kind)
		require.NoError(t, validate(s, []byte(body)), body)
		require.Equal(t, Sign(secret, f["timestamp"], []byte(body)), f["signature"])
		require.Contains(t, body, fmt.Sprintf(`"id":%q,"sid":%q,"namespace":%q`, f["id"], f["sid"],
			f["namespace"]))
		require.Equal(t, "1", f["attempt"])
	}
}

// The next event of a socket waits for the answer; those of others do not.
func TestWorkersKeepTheOrderOfASocket(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	hire(t, b, 4, func(c posted) string {
		if c.Event != "say" {
			return ""
		}
		return fmt.Sprintf(`{"do":[{"emit":"said","args":%s}]}`, c.Args)
	})
	srv, _ := staffed(t, b.URL(), Options{})
	all := []*client{join(t, srv, ""), join(t, srv, ""), join(t, srv, "")}
	const n = 50
	for i := range n {
		for _, c := range all {
			c.send(fmt.Sprintf(`42["say",%d]`, i))
		}
	}
	for _, c := range all {
		for i := range n {
			c.expect(fmt.Sprintf(`42["said",%d]`, i))
		}
	}
}

// An answer that comes too late is done, but for the acknowledgement, once.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	srv, a := staffed(t, b.URL(), Options{Timeout: 200 * time.Millisecond})
	w := boss(t, b.URL())
	c := dial(t, srv)
	c.send(`40`)
	c.expect(`44{"message":"the application did not answer in time","data":{"code":"timeout"}}`)
	late, err := next(w.Client, "slow", 9)
	require.NoError(t, err)
	require.Len(t, late, 1)
	require.Equal(t, 1, a.Stats().Streams[0].Missing)

	// The application takes the client for connected: it is told otherwise.
	require.NoError(t, reply(w.Client, late[0], `{"do":[{"join":"r"},{"emit":"x"}]}`))
	var gone []string
	require.Eventually(t, func() bool {
		list, err := next(w.Client, "w", 9)
		require.NoError(t, err)
		for _, e := range list {
			gone = append(gone, e.FieldValues["call"])
			require.NoError(t, reply(w.Client, e, ""))
		}
		return len(gone) > 0
	}, patience, time.Millisecond)
	require.Contains(t, gone[0], `{"type":"disconnect"`)
	require.Contains(t, gone[0], fmt.Sprintf(`"sid":%q`, late[0].FieldValues["sid"]))

	joined := make(chan struct{})
	go func() {
		defer close(joined)
		for {
			if list, err := next(w.Client, "w", 1); err != nil || len(list) > 0 {
				_ = reply(w.Client, list[0], "")
				return
			}
		}
	}()
	c = join(t, srv, "")
	<-joined
	c.send(`421["slow"]`)
	c.expect(`431[{"error":"the application did not answer in time","code":"timeout"}]`)
	late, err = next(w.Client, "slow", 9)
	require.NoError(t, err)
	require.Len(t, late, 1)
	for range 2 {
		require.NoError(t, reply(w.Client, late[0],
			`{"do":[{"join":"r"},{"set":7},{"ack":[1]},{"emit":"done","to":"r"}]}`))
	}
	c.expect(`42["done"]`)
	require.Eventually(t, func() bool {
		st := a.Stats().Streams[0]
		return st.Late == 2 && st.Unknown == 1 && st.Missing == 0
	}, patience, time.Millisecond)
	srv.To("r").Emit("after")
	c.expect(`42["after"]`)
	require.EqualValues(t, 2, a.Stats().Failed)
}

// A stream that nobody reads takes so many calls, and nobody waits for ever.
func TestStreamIsFull(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	srv, _ := staffed(t, b.URL(), Options{StreamMax: 2, Timeout: 100 * time.Millisecond})
	for _, want := range []string{CodeTimeout, CodeTimeout, CodeBusy, CodeBusy} {
		c := dial(t, srv)
		c.send(`40`)
		require.Contains(t, c.next(), fmt.Sprintf(`"data":{"code":%q`, want))
	}
	require.EqualValues(t, 2, boss(t, b.URL()).number("XLEN", calls))
}

// While no worker answers, clients that want in do not wait for one.
func TestNoWorkers(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	srv, _ := staffed(t, b.URL(), Options{Timeout: 100 * time.Millisecond})
	ask := func() string {
		c := dial(t, srv)
		c.send(`40`)
		return c.next()
	}
	for range tripAfter {
		require.Contains(t, ask(), `"data":{"code":"timeout"}`)
	}
	require.Contains(t, ask(), `"data":{"code":"unavailable","retry_after":`)
	require.EqualValues(t, tripAfter, boss(t, b.URL()).number("XLEN", calls))
	hire(t, b, 1, func(posted) string { return "" })
	require.Eventually(t, func() bool { return strings.HasPrefix(ask(), "40{") }, patience,
		50*time.Millisecond)
}

// Waiting calls are bounded, too.
func TestTooManyWaitForWorkers(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	srv, a := staffed(t, b.URL(), Options{MaxWaiting: 1, Timeout: time.Second})
	one, two := dial(t, srv), dial(t, srv)
	one.send(`40`)
	require.Eventually(t, func() bool { return a.Stats().Streams[0].Waiting == 1 }, patience,
		time.Millisecond)
	two.send(`40`)
	require.Contains(t, two.next(), `"code":"busy"`)
	require.Contains(t, one.next(), `"code":"timeout"`)
}

func TestBrokerOfWorkersAwayAndBack(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	hire(t, b, 1, func(posted) string { return "" })
	srv, a := staffed(t, b.URL(), Options{})
	c := join(t, srv, "")
	b.Kill()
	require.Eventually(t, func() bool { return !a.Stats().Streams[0].Connected }, patience,
		time.Millisecond)
	begun := time.Now()
	c.send(`421["x"]`)
	c.expect(`431[{"error":"the application is not available","code":"unavailable","retry_after":1}]`)
	d := dial(t, srv)
	d.send(`40`)
	require.Contains(t, d.next(), `"data":{"code":"unavailable","retry_after":1}`)
	require.Less(t, time.Since(begun), time.Second, "nobody waits for a broker")
	require.NotEmpty(t, a.Stats().Streams[0].Err)
	srv.To(c.id).Emit("push")
	c.expect(`42["push"]`)
	b.RestartEmpty()
	require.Eventually(t, func() bool { return a.Stats().Streams[0].Connected }, patience,
		time.Millisecond)
	c.send(`422["x"]`)
	c.expect(`432[]`)
}

// A broker that loses everything and stays: the group and the stream of answers
// are made again.
func TestBrokerIsEmptied(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	hire(t, b, 1, func(posted) string { return "" })
	srv, _ := staffed(t, b.URL(), Options{StreamIdle: 200 * time.Millisecond, Timeout: 500 * time.Millisecond})
	c := join(t, srv, "")
	b.Do("FLUSHALL")
	require.Eventually(t, func() bool {
		c.send(`421["x"]`)
		return c.next() == `431[]`
	}, patience, 10*time.Millisecond)
}

func TestBrokerOfWorkersFrozen(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	hire(t, b, 1, func(posted) string { return "" })
	srv, a := staffed(t, b.URL(), Options{Timeout: 500 * time.Millisecond})
	c := join(t, srv, "")
	b.Freeze()
	c.send(`421["x"]`)
	require.Contains(t, c.next(), `"code":"lost"`)
	require.Eventually(t, func() bool { return !a.Stats().Streams[0].Connected }, 2*patience,
		10*time.Millisecond)
	c.send(`422["x"]`)
	require.Contains(t, c.next(), `"code":"unavailable"`)
	b.Thaw()
	require.Eventually(t, func() bool {
		c.send(`423["x"]`)
		return c.next() == `433[]`
	}, patience, 50*time.Millisecond)
}
