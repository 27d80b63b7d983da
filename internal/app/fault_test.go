package app

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/logtest"
)

// dead returns a URL that nobody listens at.
func dead(t testing.TB) string {
	t.Helper()
	// Bound, so that nobody else gets the port, and not listened on.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	addr, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return fmt.Sprintf("http://127.0.0.1:%d", addr.(*syscall.SockaddrInet4).Port)
}

func TestEndpointDown(t *testing.T) {
	t.Parallel()
	var log logtest.Log
	url := strings.Replace(dead(t), "://", "://me:hush@", 1)
	srv, a := serve(t, Options{URL: url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range tripAfter {
		c := dial(t, srv)
		c.send("40")
		c.expect(`44{"message":"the application is not available",` +
			`"data":{"code":"unavailable","retry_after":1}}`)
	}
	require.EqualValues(t, tripAfter*maxAttempts, a.Stats().Requests, "nothing was sent: repeated")
	c := dial(t, srv)
	c.send("40")
	require.Contains(t, c.next(), `"code":"unavailable","retry_after":`)
	require.EqualValues(t, tripAfter*maxAttempts, a.Stats().Requests, "nobody asks while it is down")
	require.Equal(t, 1, a.Stats().Down)
	require.Equal(t, map[string]uint64{CodeUnavailable: tripAfter + 1}, a.Stats().Failures)
	require.Contains(t, log.String(), "the application is not available")
	require.NotContains(t, log.String(), "hush")
}

// An endpoint that goes away and comes back.
func TestEndpointComesBack(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	st := answering(t, func(c posted) string {
		if down.Load() {
			return "status 503"
		}
		return ""
	})
	srv, a := serve(t, Options{URL: st.URL})
	c := join(t, srv, "")
	down.Store(true)
	for i := range tripAfter {
		c.send(fmt.Sprintf(`42%d["x"]`, i))
		c.expect(fmt.Sprintf(`43%d[{"error":"the application is not available","code":"failed",`+
			`"retry_after":1}]`, i))
	}
	n := a.Stats().Requests
	c.send(`42["unheard"]`)
	c.send(`428["x"]`)
	require.Contains(t, c.next(), `438[{"error":"the application is not available","code":"unavailable"`)
	require.Equal(t, n, a.Stats().Requests)
	require.EqualValues(t, tripAfter+2, a.Stats().Failed)
	require.Equal(t, map[string]uint64{CodeFailed: tripAfter, CodeUnavailable: 2}, a.Stats().Failures)
	down.Store(false)
	require.Eventually(t, func() bool {
		c.send(`429["x"]`)
		return c.next() == `439[]`
	}, patience, 50*time.Millisecond)
}

// Nobody waits for a frozen endpoint longer than told, and others not at all.
func TestEndpointFrozen(t *testing.T) {
	t.Parallel()
	thaw := make(chan struct{})
	defer close(thaw)
	st := answering(t, func(c posted) string {
		if c.Event == "freeze" {
			<-thaw
		}
		return ""
	})
	srv, a := serve(t, Options{URL: st.URL, Timeout: time.Second, MaxRequests: 2,
		MaxWaiting: 1})
	c := join(t, srv, "")
	others := []*client{join(t, srv, ""), join(t, srv, ""), join(t, srv, "")}
	c.send(`421["freeze"]`)
	others[0].send(`421["fine"]`)
	others[0].expect(`431[]`)
	// Both requests are taken now, and the place in the queue.
	others[0].send(`422["freeze"]`)
	require.Eventually(t, func() bool { return a.Stats().Flying == 2 }, patience, time.Millisecond)
	// The one that waits gives up well after those two.
	flew := time.Now()
	require.Eventually(t, func() bool { return time.Since(flew) > 100*time.Millisecond }, patience,
		10*time.Millisecond)
	others[1].send(`422["wait"]`)
	require.Eventually(t, func() bool { return a.Stats().Waiting == 1 }, patience, time.Millisecond)
	others[2].send(`422["too much"]`)
	others[2].expect(`432[{"error":"the application is too busy","code":"busy","retry_after":1}]`)
	srv.To(others[2].id).Emit("push")
	others[2].expect(`42["push"]`)
	for i, c := range []*client{c, others[0]} {
		c.expect(fmt.Sprintf(`43%d[{"error":"the application did not answer in time",`+
			`"code":"timeout"}]`, i+1))
	}
	others[1].expect(`432[]`)
}

// A call that does not get its turn was not sent.
func TestTurnThatNeverComes(t *testing.T) {
	t.Parallel()
	e := &endpoint{o: &Options{Timeout: 20 * time.Millisecond, MaxRequests: 1, MaxWaiting: 9},
		now: time.Now, flying: 1}
	_, f := e.ask(&call{})
	require.Equal(t, CodeBusy, f.Code)
	require.Empty(t, e.waiting)
}

// Calls that are dismissed are told one after the other, each by the one
// before, and in their order.
func TestDismissed(t *testing.T) {
	t.Parallel()
	e := &endpoint{o: &Options{Timeout: time.Hour, MaxRequests: 1, MaxWaiting: 8},
		now: time.Now, flying: 1}
	for range 9 {
		e.waiting = append(e.waiting, &call{wake: make(chan []*call, 1)})
	}
	list := slices.Clone(e.waiting)
	e.dismiss(4, busy())
	e.dismiss(5, unavailable(time.Second, nil))
	_, f := e.ask(&call{})
	require.Equal(t, CodeBusy, f.Code, "those count who have not been told")
	for i, c := range list {
		for _, later := range list[i+1:] {
			require.Empty(t, later.wake)
		}
		require.Nil(t, <-c.wake)
		require.True(t, c.left)
		require.Equal(t, i < 4, c.failed.Code == CodeBusy)
		e.tell()
	}
	require.False(t, e.telling)
	require.Empty(t, e.leaving)
}

func TestWrongSignature(t *testing.T) {
	t.Parallel()
	st := answering(t, func(posted) string { return "" })
	srv, _ := serve(t, Options{URL: st.URL, Secret: []byte("another")})
	c := dial(t, srv)
	c.send("40")
	c.expect(`44{"message":"the application failed","data":{"code":"failed"}}`)
	require.Empty(t, st.seen())
}

func TestSign(t *testing.T) {
	t.Parallel()
	// As computed by `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
	require.Equal(t, "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae",
		Sign([]byte("key"), "1700000000", []byte("{}")))
}

func TestAnswersThatAreErrors(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"status 500":                          `"error":"the application failed","code":"failed"`,
		"status 302":                          `"error":"the application failed","code":"failed"`,
		`{"error":"no such thing"}`:           `"error":"no such thing","code":"failed"`,
		`[]`:                                  `"code":"invalid"`,
		`{"do":[]} {}`:                        `"code":"invalid"`,
		`{"do":{}}`:                           `"code":"invalid"`,
		`"` + strings.Repeat("x", 2000) + `"`: `"code":"invalid"`,
	} {
		st := answering(t, func(c posted) string {
			if c.Event == "x" {
				return answer
			}
			return ""
		})
		srv, a := serve(t, Options{URL: st.URL, MaxAnswer: 1000})
		c := join(t, srv, "")
		for range 2 * tripAfter { // one handler's errors do not close the others
			c.send(`421["x"]`)
			require.Contains(t, c.next(), want, answer)
		}
		c.send(`422["y"]`)
		c.expect(`432[]`)
		require.EqualValues(t, 2*tripAfter, a.Stats().Failed)
	}
}

// After the request was sent nobody knows: it is repeated only for endpoints
// that handle an id once.
func TestRetries(t *testing.T) {
	t.Parallel()
	for _, retry := range []bool{false, true} {
		var mu sync.Mutex
		ids := map[string]int{}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			ids[r.Header.Get(HeaderID)]++
			if bytes.Contains(body, []byte(`"event":"x"`)) && ids[r.Header.Get(HeaderID)] == 1 {
				panic(http.ErrAbortHandler)
			}
		}))
		t.Cleanup(s.Close)
		srv, a := serve(t, Options{URL: s.URL, Retry: retry})
		c := join(t, srv, "")
		c.send(`421["x"]`)
		if retry {
			c.expect(`431[]`)
			require.EqualValues(t, 1, a.Stats().Retried)
		} else {
			c.expect(`431[{"error":"the connection to the application broke","code":"lost"}]`)
		}
		mu.Lock()
		require.Len(t, ids, 2, "a repeated call keeps its id")
		mu.Unlock()
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	var b breaker
	now := time.Unix(1000, 0)
	for range tripAfter - 1 {
		require.False(t, b.report(true, now))
	}
	require.False(t, b.report(false, now), "one success begins anew")
	for range tripAfter - 1 {
		require.False(t, b.report(true, now))
	}
	require.Zero(t, b.blocked(now))
	require.True(t, b.report(true, now))
	require.False(t, b.report(true, now), "a straggler")
	for period := minOpen; period < 2*maxOpen; period *= 2 {
		period := min(period, maxOpen)
		retry, ok := b.allow(now)
		require.False(t, ok)
		require.Equal(t, period, retry)
		now = now.Add(period)
		require.Zero(t, b.blocked(now), "asking does not take the place")
		_, ok = b.allow(now)
		require.True(t, ok)
		_, ok = b.allow(now)
		require.False(t, ok, "one at a time")
		require.False(t, b.report(true, now))
	}
	require.True(t, b.report(false, now), "a late success counts, too")
	_, ok := b.allow(now)
	require.True(t, ok)
}

func TestTally(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	ta := tally{log: slog.New(slog.NewTextHandler(&out, nil)), now: func() time.Time { return now }}
	f := &Failure{Code: CodeFailed, Message: "m"}
	lines := func() int { return strings.Count(out.String(), "\n") }
	for range 5 {
		ta.add("/", "x", f)
	}
	require.Equal(t, 1, lines())
	ta.add("/", "x", unavailable(0, nil))
	ta.add("/chat", "x", f)
	require.Equal(t, 3, lines(), "by namespace and code")
	now = now.Add(tallyEvery)
	ta.add("/", "x", f)
	require.Contains(t, out.String(), "event=x namespace=/ code=failed times=5")
	for i := range 3 * maxTally {
		ta.add("/", fmt.Sprint(i, strings.Repeat("y", 1000)), f)
		ta.add("/", fmt.Sprint(i, strings.Repeat("y", 1000)), f)
	}
	require.LessOrEqual(t, len(ta.rows), maxTally+1)
	ta.flush()
	sum := 0
	for _, line := range strings.Split(out.String(), "\n") {
		if _, n, ok := strings.Cut(line, "times="); ok {
			var k int
			_, err := fmt.Sscan(n, &k)
			require.NoError(t, err)
			sum += k
		}
	}
	require.Equal(t, 8+6*maxTally, sum, "none is lost")
}
