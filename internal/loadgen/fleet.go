package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// fleet is the coordinator's side of the workers. One goroutine uses it.
type fleet struct {
	workers   []*member
	said      chan said
	listeners sync.WaitGroup
	// onTick is told what all workers together have done so far.
	onTick func(do string, c counts, p50, p99 float64)
}

type member struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	last  report
	ended bool
}

type said struct {
	worker int
	report report
	err    error
}

// startFleet starts n workers as command says.
func startFleet(n int, command func() *exec.Cmd) (*fleet, error) {
	f := &fleet{said: make(chan said, 4*n)}
	for i := range n {
		m := &member{cmd: command()}
		if m.cmd.Stderr == nil {
			m.cmd.Stderr = os.Stderr
		}
		// A signal from the terminal is for the coordinator, who lets the
		// workers end in order.
		m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := m.cmd.StdinPipe()
		if err != nil {
			f.close()
			return nil, err
		}
		out, err := m.cmd.StdoutPipe()
		if err != nil {
			f.close()
			return nil, err
		}
		if err := m.cmd.Start(); err != nil {
			f.close()
			return nil, fmt.Errorf("cannot start a worker: %w", err)
		}
		m.in = in
		f.workers = append(f.workers, m)
		f.listeners.Go(func() { f.listen(i, out) })
	}
	return f, nil
}

// listen hands on what worker i says, until it ends.
func (f *fleet) listen(i int, out io.Reader) {
	b := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := b.ReadBytes('\n')
		var r report
		if err == nil {
			err = json.Unmarshal(line, &r)
		}
		f.said <- said{i, r, err}
		if err != nil {
			return
		}
	}
}

// patience is how long a worker may take to end.
const patience = 5 * time.Second

// close ends all workers and waits for them.
func (f *fleet) close() {
	for _, m := range f.workers {
		_ = m.in.Close() // which is how a worker knows
		defer time.AfterFunc(patience, func() { _ = m.cmd.Process.Kill() }).Stop()
	}
	// What they still say must be read, or they could not end.
	go func() {
		f.listeners.Wait()
		close(f.said)
	}()
	for range f.said {
		continue
	}
	for _, m := range f.workers {
		_ = m.cmd.Wait() // how it ended does not matter any more
	}
}

func (m *member) tell(c command) error {
	b, err := json.Marshal(c)
	if err == nil {
		_, err = m.in.Write(append(b, '\n'))
	}
	return err
}

// do gives every worker the command that what returns for it, and waits until
// all have done it. When ctx ends they are told to stop, which is no error.
func (f *fleet) do(ctx context.Context, what func(worker int) command) error {
	doing := what(0).Do
	for i, m := range f.workers {
		m.ended = false
		if err := m.tell(what(i)); err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
	}
	stop := ctx.Done()
	for left := len(f.workers); left > 0; {
		select {
		case <-stop:
			stop = nil
			for _, m := range f.workers {
				_ = m.tell(command{Do: doStop}) // a worker that is gone says so itself
			}
		case s := <-f.said:
			if s.err != nil {
				if errors.Is(s.err, io.EOF) {
					s.err = errors.New("ended by itself")
				}
				return fmt.Errorf("worker %d: %w", s.worker, s.err)
			}
			if s.report.Error != "" {
				return fmt.Errorf("worker %d: %s", s.worker, s.report.Error)
			}
			m := f.workers[s.worker]
			m.last = s.report
			if s.report.Kind == done {
				m.ended = true
				left--
			}
			f.tell(doing)
		}
	}
	return nil
}

// tell passes on what is known of all workers.
func (f *fleet) tell(doing string) {
	if f.onTick == nil {
		return
	}
	var p50, p99 float64
	for _, m := range f.workers {
		p50, p99 = max(p50, m.last.P50), max(p99, m.last.P99)
	}
	f.onTick(doing, f.counts(), p50, p99)
}

// counts are those of all workers.
func (f *fleet) counts() (c counts) {
	for _, m := range f.workers {
		c.add(&m.last.Counts)
	}
	return c
}

// total is the account of all workers: sums, merged histograms, and of times
// the longest.
func (f *fleet) total() account {
	t := account{Latency: newHist(), Handshake: newHist(), Lag: newHist(), Back: newHist(),
		Sent: map[uint32]uint32{}, Errors: map[string]*ErrorCount{}}
	var last receipts
	for _, m := range f.workers {
		a := m.last.Full
		if a == nil {
			continue
		}
		t.Latency.Merge(a.Latency.Histogram)
		t.Handshake.Merge(a.Handshake.Histogram)
		t.Lag.Merge(a.Lag.Histogram)
		t.Back.Merge(a.Back.Histogram)
		for s, n := range a.Sent {
			t.Sent[s] = n
		}
		t.Expected += a.Expected
		t.Lost += a.Lost
		t.Missed += a.Missed
		last.merge(a.Last)
		for kind, e := range a.Errors {
			if have := t.Errors[kind]; have != nil {
				have.Count += e.Count
			} else {
				t.Errors[kind] = &ErrorCount{e.Count, e.First}
			}
		}
		t.Overdue += a.Overdue
		t.PingInterval = max(t.PingInterval, a.PingInterval)
		t.CPU += a.CPU
		t.Turn = max(t.Turn, a.Turn)
		t.Took = max(t.Took, a.Took)
		t.Memory += a.Memory
	}
	t.Last = last.bytes()
	return t
}
