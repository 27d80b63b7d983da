package application

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/internal/app"
)

const (
	event  = `421["say","lobby","a message of some length"]`
	expect = `431["ok"]`
	// body is what such an event is to the endpoint.
	body = `{"type":"event","id":"5f1d0c2b9a77-2","sid":"awMAAAAAfmABe_fxezt5","namespace":"/",` +
		`"auth":{},"address":"203.0.113.7:50312","headers":{},"session":null,` +
		`"event":"say","args":["lobby","a message of some length"],"ack":true}`
)

// sizes is how much is done: more with the build tag long.
type sizes struct {
	clients       int
	period, round time.Duration
	rounds        int

	crowd, rate     int // clients, and their events a second
	burst           int // events at once
	timeout, freeze time.Duration
	cycles          int
	strict          bool // times are asserted
}

// variants are how the endpoint is asked.
var variants = []struct {
	path  string
	limit int // requests at a time
}{{"one", 64}, {"one", 1}, {"batch", 64}, {"batch", 1}}

// setting is an endpoint with a server before it and clients of that.
type setting struct {
	endpoint, server *child
	ask, direct      []func() error
}

// set connects n clients and makes as many callers of the endpoint.
func set(t testing.TB, path string, limit, n int) *setting {
	t.Helper()
	s := &setting{endpoint: start(t, "endpoint")}
	url := "http://" + s.endpoint.addr + "/" + path
	s.server = start(t, "server", urlVar+"="+url, limitVar+"="+strconv.Itoa(limit),
		timeoutVar+"=10s")
	frame := client.Frame(event)
	for range n {
		c, err := client.Dial(s.server.addr, "")
		require.NoError(t, err)
		t.Cleanup(c.Close)
		s.ask = append(s.ask, func() error {
			if err := c.Write(frame); err != nil {
				return err
			}
			return c.Expect(expect)
		})
	}
	tr := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	turn := make(chan struct{}, 64)
	for range n {
		s.direct = append(s.direct, func() error {
			turn <- struct{}{}
			defer func() { <-turn }()
			return post(tr, url)
		})
	}
	return s
}

// post asks the endpoint as any client of it would.
func post(tr *http.Transport, url string) error {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	ts := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(app.HeaderTimestamp, ts)
	req.Header.Set(app.HeaderSignature, app.Sign(secret, ts, []byte(body)))
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && string(text) != answer {
		err = fmt.Errorf("the endpoint answered %d %q", resp.StatusCode, text)
	}
	return err
}

// result sums up what was waited for.
type result struct {
	n        int
	rate     float64 // a second
	p50, p99 time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", ms(r.p50), ms(r.p99))
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// pace has each ask once a period for some time, evenly spread. The wait for an
// answer begins when it should have been asked for, if the one before came too
// late: who is slow does not lower the number of slow samples.
func pace(t testing.TB, asks []func() error, period, d time.Duration) result {
	t.Helper()
	waits := make([][]time.Duration, len(asks))
	errs := make([]error, len(asks))
	begun := time.Now().Add(period)
	end := begun.Add(d)
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() {
			due := begun.Add(period * time.Duration(i) / time.Duration(len(asks)))
			for ; due.Before(end); due = due.Add(period) {
				from := due
				if wait := time.Until(due); wait > 0 {
					time.Sleep(wait)
					from = time.Now()
				}
				if errs[i] = ask(); errs[i] != nil {
					return
				}
				waits[i] = append(waits[i], time.Since(from))
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	for _, err := range errs {
		require.NoError(t, err)
	}
	all := slices.Concat(waits...)
	slices.Sort(all)
	n := len(all)
	return result{n, float64(n) / took.Seconds(), all[n/2], all[n*99/100]}
}

// Events through the server, and the endpoint asked directly, in turn.
func TestPace(t *testing.T) {
	for _, v := range variants {
		t.Run(fmt.Sprintf("%s=%d", v.path, v.limit), func(t *testing.T) {
			s := set(t, v.path, v.limit, size.clients)
			direct := func() result { return pace(t, s.direct, size.period, size.round) }
			through := func() result { return pace(t, s.ask, size.period, size.round) }
			_, _ = direct(), through() // connections, code, memory
			var bare, all []result
			var own, theirs time.Duration
			var events int
			before := s.server.stats()
			for range size.rounds {
				bare = append(bare, direct())
				server, endpoint := s.server.cpu(), s.endpoint.cpu()
				r := through()
				own += s.server.cpu() - server
				theirs += s.endpoint.cpu() - endpoint
				events += r.n
				all = append(all, r)
			}
			after := s.server.stats()
			require.Zero(t, after.Failed)
			require.EqualValues(t, events, after.Calls-before.Calls)
			a, b := median(all), median(bare)
			t.Logf("%.0f events/s through the server: %v; directly: %v; added: p50 %.2f ms, p99 %.2f ms; "+
				"processor time of an event: server %.0f us, endpoint %.0f us; %.2f events a request",
				a.rate, a, b, ms(a.p50-b.p50), ms(a.p99-b.p99), us(own, events), us(theirs, events),
				float64(events)/float64(after.Requests-before.Requests))
		})
	}
}

func us(d time.Duration, n int) float64 { return d.Seconds() * 1e6 / float64(n) }

// median has the median of each figure.
func median(list []result) (m result) {
	pick := func(f func(r result) time.Duration) time.Duration {
		var all []time.Duration
		for _, r := range list {
			all = append(all, f(r))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for _, r := range list {
		m.n += r.n
		m.rate += r.rate / float64(len(list))
	}
	m.p50 = pick(func(r result) time.Duration { return r.p50 })
	m.p99 = pick(func(r result) time.Duration { return r.p99 })
	return m
}

// BenchmarkEvents is as many events as go through with everybody on the same
// processors, and what each process spends on one.
func BenchmarkEvents(b *testing.B) {
	for _, v := range variants {
		b.Run(fmt.Sprintf("%s=%d", v.path, v.limit), func(b *testing.B) {
			s := set(b, v.path, v.limit, 500)
			before := s.server.stats()
			server, endpoint, clients := s.server.cpu(), s.endpoint.cpu(), ownCPU()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, ask := range s.ask {
				n := b.N / len(s.ask)
				if i < b.N%len(s.ask) {
					n++
				}
				wg.Go(func() {
					for range n {
						if err := ask(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(us(s.server.cpu()-server, b.N), "server-us/event")
			b.ReportMetric(us(s.endpoint.cpu()-endpoint, b.N), "endpoint-us/event")
			b.ReportMetric(us(ownCPU()-clients, b.N), "clients-us/event")
			after := s.server.stats()
			require.Zero(b, after.Failed)
			b.ReportMetric(float64(b.N)/float64(after.Requests-before.Requests), "events/request")
		})
	}
}
