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
// pacedResult for each second line of input: of the time between the two.
type pacedConfig struct {
	Addr        string
	Conns, Rate int
	Question    string // a packet
	Answer      string // what its answer begins with
}

type pacedResult struct {
	N             int
	P50, P99, Max time.Duration
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
	var r pacedResult
	var waits []time.Duration
	sent := make([]time.Time, cfg.Conns)
	answer, frame := []byte(cfg.Answer), client.Frame(cfg.Question)
	c.OnPacket = func(i int, p []byte) {
		if sent[i].IsZero() || !bytes.HasPrefix(p, answer) {
			r.Wrong++
			return
		}
		waits = append(waits, time.Since(sent[i]))
		sent[i] = time.Time{}
	}
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- struct{}{}
		}
	}()
	fmt.Println("ready")
	period := time.Second / time.Duration(cfg.Rate)
	due, began := time.Now(), false
	for next := 0; ; {
		select {
		case _, more := <-lines:
			if !more {
				return nil
			}
			if began = !began; !began {
				if err := json.NewEncoder(os.Stdout).Encode(r.sum(waits)); err != nil {
					return err
				}
			}
			r, waits = pacedResult{}, waits[:0]
		default:
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

func (r pacedResult) sum(waits []time.Duration) pacedResult {
	slices.Sort(waits)
	if r.N = len(waits); r.N > 0 {
		r.P50, r.P99, r.Max = waits[r.N/2], waits[min(r.N-1, r.N*99/100)], waits[r.N-1]
	}
	return r
}
