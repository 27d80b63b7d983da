package latency

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// crowdConfig is the one job of a crowd. It connects, says "ready", does the
// job and says its result. Jobs other than "collect" begin and end with a line
// on the standard input.
type crowdConfig struct {
	Addr  string
	Conns int
	// Job: "collect" waits until everybody in room has Count broadcasts, says
	// a result, and again, Rounds times, then once more a moment later; "each" lets everybody emit Event again and again, Window outstanding,
	// Count times (0: until told to stop); "fan" broadcasts in a closed loop of
	// Window messages until told to stop.
	Job    string
	Count  int
	Rounds int
	Window int
	Event  string
	Answer string // what an answer to Event begins with
}

// crowdResult is what came of it.
type crowdResult struct {
	Packets int64 // broadcasts or answers received
	Wrong   int64 // of them out of order, repeated or not expected
	Seconds float64
	Ended   time.Time // the last packet of a round
}

const (
	crowdPatience = 2 * time.Minute
	// quiet is how long collectors look for broadcasts that are too many.
	quiet = 200 * time.Millisecond
)

type crowd struct {
	cfg   crowdConfig
	c     *client.Crowd
	seen  []int
	res   crowdResult
	stop  chan struct{} // closed by the second line
	frame []byte
}

func gather(cfg crowdConfig) error {
	hello := ""
	if cfg.Job != "each" {
		hello = `42["join","` + room + `"]`
	}
	c, err := client.Gather(cfg.Addr, cfg.Conns, hello)
	if err != nil {
		return err
	}
	w := &crowd{cfg: cfg, c: c, seen: make([]int, cfg.Conns), stop: make(chan struct{})}
	w.frame = client.Frame(cfg.Event)
	begin := make(chan struct{})
	go w.obey(begin)
	fmt.Println("ready")
	switch cfg.Job {
	case "collect":
		err = w.collect()
	case "each":
		<-begin
		err = w.each()
	case "fan":
		<-begin
		err = w.fan()
	default:
		err = fmt.Errorf("no job %q", cfg.Job)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(w.res)
}

// obey reads the lines. Without the tests there is nothing left to do.
func (w *crowd) obey(begin chan struct{}) {
	in := bufio.NewScanner(os.Stdin)
	for _, c := range []chan struct{}{begin, w.stop} {
		if !in.Scan() {
			os.Exit(1)
		}
		close(c)
	}
}

func (w *crowd) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// poll handles packets until done.
func (w *crowd) poll(done func() bool) error {
	deadline := time.Now().Add(crowdPatience)
	for !done() {
		if err := w.c.Poll(20 * time.Millisecond); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d packets, %d of them wrong, after %v",
				w.res.Packets, w.res.Wrong, crowdPatience)
		}
	}
	return nil
}

// broadcast checks that member i gets the numbers 0, 1, 2 ... once each.
func (w *crowd) broadcast(i int, p []byte) {
	rest, ok := bytes.CutPrefix(p, []byte(`42["b",`))
	end := bytes.IndexByte(rest, ',')
	if !ok || end < 0 {
		w.res.Wrong++
		return
	}
	if n, err := strconv.Atoi(string(rest[:end])); err != nil || n != w.seen[i] {
		w.res.Wrong++
	}
	w.seen[i]++
	w.res.Packets++
}

func (w *crowd) collect() error {
	want, reached := int64(0), time.Time{}
	w.c.OnPacket = func(i int, p []byte) {
		w.broadcast(i, p)
		if w.res.Packets == want {
			reached = time.Now()
		}
	}
	for range w.cfg.Rounds {
		want += int64(w.cfg.Conns * w.cfg.Count)
		if err := w.poll(func() bool { return w.res.Packets >= want }); err != nil {
			return err
		}
		for i, n := range w.seen {
			if n*w.cfg.Conns != int(want) {
				return fmt.Errorf("member %d has %d of %d", i, n, int(want)/w.cfg.Conns)
			}
		}
		w.res.Ended = reached
		if err := json.NewEncoder(os.Stdout).Encode(w.res); err != nil {
			return err
		}
	}
	until := time.Now().Add(quiet)
	return w.poll(func() bool { return time.Now().After(until) })
}

func (w *crowd) each() error {
	cfg := w.cfg
	// As many events as one read may have answered go out in one write.
	frames := bytes.Repeat(w.frame, cfg.Window)
	left := make([]int, cfg.Conns) // events to send
	for i := range left {
		if left[i] = cfg.Count; cfg.Count == 0 {
			left[i] = math.MaxInt
		}
	}
	open, answered := 0, 0
	send := func(i, n int) error {
		n = min(n, left[i])
		left[i] -= n
		open += n
		return w.c.Send(i, frames[:n*len(w.frame)])
	}
	answer := []byte(cfg.Answer)
	w.c.OnPacket = func(_ int, p []byte) {
		w.res.Packets++
		answered++
		if !bytes.HasPrefix(p, answer) {
			w.res.Wrong++
		}
	}
	w.c.AfterRead = func(i int) error {
		n := answered
		open -= n
		answered = 0
		if w.stopped() {
			return nil
		}
		return send(i, n)
	}
	start := time.Now()
	for i := range left {
		if err := send(i, cfg.Window); err != nil {
			return err
		}
	}
	err := w.poll(func() bool { return open == 0 })
	w.res.Seconds = time.Since(start).Seconds()
	return err
}

// fan sends the next broadcast when everybody has the one Window before it.
func (w *crowd) fan() error {
	sender, err := client.Dial(w.cfg.Addr, "")
	if err != nil {
		return err
	}
	defer sender.Close()
	conns, sent := int64(w.cfg.Conns), int64(0)
	w.c.OnPacket = w.broadcast
	start := time.Now()
	var failed error
	err = w.poll(func() bool {
		for sent < w.res.Packets/conns+int64(w.cfg.Window) && !w.stopped() {
			if failed = sender.Emit(one(int(sent))); failed != nil {
				return true
			}
			sent++
		}
		return w.stopped() && w.res.Packets >= sent*conns
	})
	w.res.Seconds = time.Since(start).Seconds()
	return errors.Join(err, failed)
}

// one is the event that makes the server broadcast number n.
func one(n int) string { return fmt.Sprintf(`42["one",%d,"%s"]`, n, padding) }
