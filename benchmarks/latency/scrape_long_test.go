//go:build long

package latency

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is measured of scraping. Windows with a scraper and without alternate,
// so that whatever else happens on the machine meets both.
const (
	scrapeConns   = 15_000
	scrapeRate    = 5_000 // echoes a second
	scrapePairs   = 50
	scrapeWindow  = time.Second
	scrapeEvery   = time.Second
	hostileEvery  = 50 * time.Millisecond
	hostileRounds = 10
	// scrapeCost is how much longer the slowest hundredth may take.
	scrapeCost = 1.05
)

// Scraping /metrics of the binary once a second costs busy clients next to
// nothing. A virtual machine stands still for some milliseconds now and then,
// which is in the slowest hundredth of most windows: so those are compared that
// had least of it, the lower quartile of either kind.
func TestScrapesAreNotFelt(t *testing.T) {
	d := startDaemon(t)
	c := start(t, "asking", pacedConfig{Addr: d.public, Conns: scrapeConns, Rate: scrapeRate,
		Question: `421["echo","` + padding + `"]`, Answer: `431[`})
	require.Equal(t, "ready", string(c.line()))
	var times []time.Duration
	window := func(every time.Duration) pacedResult {
		s := scrapeWhile(d.internal, every)
		c.say("begin")
		time.Sleep(scrapeWindow)
		c.say("end")
		r := pacedResult{}
		require.NoError(t, json.Unmarshal(c.line(), &r))
		scrapes, took := s.end(t)
		require.Zero(t, r.Wrong)
		require.Greater(t, r.N, scrapeRate*8/10, "too few answers")
		if every == scrapeEvery {
			require.Equal(t, 1, scrapes)
		}
		times = append(times, took)
		return r
	}
	window(0) // warms up
	times = nil
	var without, with, hostile []time.Duration
	for i := range scrapePairs {
		for k := range 2 {
			if (i+k)%2 == 0 {
				without = append(without, window(0).P99)
			} else {
				with = append(with, window(scrapeEvery).P99)
			}
		}
	}
	times = slices.DeleteFunc(times, func(d time.Duration) bool { return d == 0 })
	say(t, "%d pairs of windows; a scrape takes %s", scrapePairs, spread(times))
	for range hostileRounds {
		hostile = append(hostile, window(hostileEvery).P99)
	}
	say(t, "echo p99 at %d connections, %d echoes a second: without %s; with a scrape a second %s; "+
		"with 20 a second %s", scrapeConns, scrapeRate, spread(without), spread(with), spread(hostile))
	cost := float64(quartile(with)) / float64(quartile(without))
	say(t, "with a scrape a second: %+.1f %% of the lower quartile, %+.1f %% of the median", (cost-1)*100,
		(float64(middle(with))/float64(middle(without))-1)*100)
	require.Less(t, cost, scrapeCost)
}

func middle(list []time.Duration) time.Duration {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

func quartile(list []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(list))[len(list)/4]
}

func spread(list []time.Duration) string {
	return fmt.Sprintf("%d µs (%d to %d, lower quartile %d)", middle(list).Microseconds(),
		slices.Min(list).Microseconds(), slices.Max(list).Microseconds(), quartile(list).Microseconds())
}

// scraper asks for /metrics again and again on one connection.
type scraper struct {
	stop chan struct{}
	wg   sync.WaitGroup
	n    int
	took time.Duration
	err  error
}

// scrapeWhile starts a scraper; 0 is none.
func scrapeWhile(addr string, every time.Duration) *scraper {
	s := &scraper{stop: make(chan struct{})}
	if every == 0 {
		return s
	}
	s.wg.Go(func() {
		h := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
		defer h.CloseIdleConnections()
		for next := time.After(every / 2); s.err == nil; next = time.After(every) {
			select {
			case <-s.stop:
				return
			case <-next:
			}
			begun := time.Now()
			var r *http.Response
			if r, s.err = h.Get("http://" + addr + "/metrics"); s.err == nil {
				_, s.err = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
			s.n, s.took = s.n+1, s.took+time.Since(begun)
		}
	})
	return s
}

// end returns how many scrapes there were, and the mean time of one.
func (s *scraper) end(t *testing.T) (n int, took time.Duration) {
	close(s.stop)
	s.wg.Wait()
	require.NoError(t, s.err)
	return s.n, s.took / time.Duration(max(s.n, 1))
}
