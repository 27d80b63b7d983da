package latency

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// pacedConfig is a crowd whose members ask in turn, Rate questions a second all
// together, whether the answers before have come or not. It says "ready", and a
// pacedResult for each second line of input: of the time between the two. The
// first of two is how often /metrics is to be scraped meanwhile, as "1s"; "0s" is
// never.
type pacedConfig struct {
	Addr        string
	Conns, Rate int
	Question    string // a packet
	Answer      string // what its answer begins with
	Metrics     string // the address to scrape
}

// pacedResult says what the slowest hundredth took, of all questions and of
// those that were not under way during a scrape or afterScrape.
type pacedResult struct {
	N, Apart      int
	P50, P99, Max time.Duration
	ApartP99      time.Duration
	Scrapes       int
	Scraping      time.Duration // all of them
	Wrong         int
	// Late are questions that could not be asked in time: the member waited for
	// its last answer, or this process for its processor for more than 1 ms.
	Late int
}

// ask is the crowd. It never sleeps: it has a processor for itself.
func ask(cfg pacedConfig) error {
	c, err := client.Gather(cfg.Addr, cfg.Conns, "")
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := openMetrics(cfg.Metrics)
	if err != nil {
		return err
	}
	defer m.close()
	var r pacedResult
	var waits, apart []time.Duration
	sent := make([]time.Time, cfg.Conns)
	answer, frame := []byte(cfg.Answer), client.Frame(cfg.Question)
	c.OnPacket = func(i int, p []byte) {
		if sent[i].IsZero() || !bytes.HasPrefix(p, answer) {
			r.Wrong++
			return
		}
		took := time.Since(sent[i])
		waits = append(waits, took)
		if !m.during(sent[i]) {
			apart = append(apart, took)
		}
		sent[i] = time.Time{}
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	fmt.Println("ready")
	period := time.Second / time.Duration(cfg.Rate)
	due, began := time.Now(), false
	for next := 0; ; {
		select {
		case line, more := <-lines:
			if !more {
				return nil
			}
			if began = !began; !began {
				r.Scrapes, r.Scraping = m.n, m.took
				if err := json.NewEncoder(os.Stdout).Encode(r.sum(waits, apart)); err != nil {
					return err
				}
			} else if err := m.begin(line); err != nil {
				return err
			}
			r, waits, apart = pacedResult{}, waits[:0], apart[:0]
		default:
		}
		if began {
			if err := m.poll(); err != nil {
				return err
			}
		}
		for now := time.Now(); !now.Before(due); due = due.Add(period) {
			if !sent[next].IsZero() || now.Sub(due) > time.Millisecond {
				r.Late++
			}
			if sent[next].IsZero() {
				sent[next] = time.Now()
				if err := c.Send(next, frame); err != nil {
					return err
				}
			}
			next = (next + 1) % cfg.Conns
		}
		if err := c.Poll(0); err != nil {
			return err
		}
	}
}

func (r pacedResult) sum(waits, apart []time.Duration) pacedResult {
	slices.Sort(waits)
	slices.Sort(apart)
	r.N, r.Apart = len(waits), len(apart)
	if r.N > 0 {
		r.P50, r.P99, r.Max = waits[r.N/2], slowest(waits), waits[r.N-1]
	}
	if r.Apart > 0 {
		r.ApartP99 = slowest(apart)
	}
	return r
}

// slowest returns what all but a hundredth of a sorted list are below.
func slowest(list []time.Duration) time.Duration {
	return list[min(len(list)-1, len(list)*99/100)]
}
