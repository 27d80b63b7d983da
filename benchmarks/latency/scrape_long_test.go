//go:build long

package latency

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is measured of scraping.
const (
	scrapeConns   = 15_000
	scrapeRate    = 5_000 // echoes a second
	scrapeWindows = 100
	scrapeWindow  = time.Second
	scrapeEvery   = time.Second
	hostileEvery  = 50 * time.Millisecond
	hostileRounds = 10
	// scrapeCost is how much longer the slowest hundredth may take.
	scrapeCost = 1.05
)

// Scraping /metrics of the binary once a second costs busy clients next to
// nothing: the slowest hundredth of all echoes of a second is compared with that
// of those which were not under way during the scrape or soon after. A virtual
// machine stands still for some milliseconds now and then, which makes a window's
// slowest hundredth up to ten times as slow, whoever scrapes: the quieter half of
// the windows counts.
func TestScrapesAreNotFelt(t *testing.T) {
	d := startDaemon(t)
	c := start(t, "asking", pacedConfig{Addr: d.public, Conns: scrapeConns, Rate: scrapeRate,
		Question: `421["echo","` + padding + `"]`, Answer: `431[`, Metrics: d.internal})
	require.Equal(t, "ready", string(c.line()))
	window := func(every time.Duration) (r pacedResult) {
		c.say(every.String())
		time.Sleep(scrapeWindow)
		c.say("end")
		require.NoError(t, json.Unmarshal(c.line(), &r))
		require.Zero(t, r.Wrong)
		require.Greater(t, r.N, scrapeRate*8/10, "too few answers")
		return r
	}
	window(0) // warms up
	var all, apart, times, hostile []time.Duration
	type pair struct{ all, apart time.Duration }
	var pairs []pair
	touched := 0
	for range scrapeWindows {
		r := window(scrapeEvery)
		require.Equal(t, 1, r.Scrapes)
		all, apart, times = append(all, r.P99), append(apart, r.ApartP99), append(times, r.Scraping)
		pairs = append(pairs, pair{r.P99, r.ApartP99})
		touched += r.N - r.Apart
	}
	require.Greater(t, touched, scrapeWindows, "scrapes are left out")
	for range hostileRounds {
		hostile = append(hostile, window(hostileEvery).P99)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.apart, b.apart) })
	var costs []float64
	for _, p := range pairs[:len(pairs)/2] {
		costs = append(costs, float64(p.all)/float64(p.apart))
	}
	slices.Sort(costs)
	cost := costs[len(costs)/2]
	say(t, "%d windows; a scrape takes %s, meanwhile and for %v after it %d echoes were under way", scrapeWindows,
		spread(times), afterScrape, touched/scrapeWindows)
	say(t, "echo p99 at %d connections, %d echoes a second: with a scrape a second %s; those apart from it %s; "+
		"with 20 a second %s", scrapeConns, scrapeRate, spread(all), spread(apart), spread(hostile))
	say(t, "cost of a scrape a second: %+.1f %% (quartiles %+.1f and %+.1f)", (cost-1)*100,
		(costs[len(costs)/4]-1)*100, (costs[len(costs)*3/4]-1)*100)
	require.Less(t, cost, scrapeCost)
}

func middle(list []time.Duration) time.Duration {
	list = slices.Sorted(slices.Values(list))
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

func spread(list []time.Duration) string {
	return fmt.Sprintf("%d µs (%d to %d)", middle(list).Microseconds(),
		slices.Min(list).Microseconds(), slices.Max(list).Microseconds())
}
