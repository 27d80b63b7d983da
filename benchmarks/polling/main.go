package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

type options struct {
	sessions int
	active   int
	dialers  int
	warm     time.Duration
	dur      time.Duration
	settle   time.Duration
}

func main() {
	o := options{dialers: 32}
	name := flag.String("name", "server", "what to call it in the output")
	cpu := flag.Int("server-cpu", 0, "core of the server")
	flag.IntVar(&o.sessions, "sessions", 5_000, "idle sessions")
	flag.IntVar(&o.active, "active", 100, "sessions that send")
	flag.DurationVar(&o.warm, "warm", time.Second, "sending before the measurement")
	flag.DurationVar(&o.dur, "dur", 4*time.Second, "sending that is measured")
	flag.DurationVar(&o.settle, "settle", 4*time.Second, "before memory is read")
	flag.Parse()
	if err := run(*name, *cpu, &o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "polling:", err)
		os.Exit(1)
	}
}

// run measures with a fresh process for each part, so that neither garbage nor
// sessions of one count in the other.
func run(name string, cpu int, o *options, command []string) error {
	if len(command) == 0 {
		return errors.New("no server command")
	}
	srv, err := start(cpu, command)
	if err != nil {
		return err
	}
	perSession, err := measureIdle(srv.pid, srv.addr, o)
	srv.stop()
	if err != nil {
		return err
	}
	if srv, err = start(cpu, command); err != nil {
		return err
	}
	defer srv.stop()
	rate, perCore, err := measureEcho(srv.pid, srv.addr, o)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %.1f kB | %.0f | %.0f |\n", name, float64(perSession)/1000, rate, perCore)
	return nil
}

// measureIdle returns the bytes of memory that a session adds. A first tenth
// of the sessions is not counted: with it comes what the server allocates once.
func measureIdle(pid int, addr string, o *options) (int, error) {
	first := o.sessions / 10
	conns := make([]net.Conn, first+o.sessions)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err := open(addr, conns[:first], 0, o); err != nil {
		return 0, err
	}
	time.Sleep(o.settle)
	before, err := resident(pid)
	if err != nil {
		return 0, err
	}
	if err := open(addr, conns[first:], first, o); err != nil {
		return 0, err
	}
	time.Sleep(o.settle)
	after, err := resident(pid)
	if err != nil {
		return 0, err
	}
	// Each must still wait: no answer, no end.
	now := time.Now()
	for i, c := range conns {
		if err := c.SetReadDeadline(now.Add(time.Millisecond)); err != nil {
			return 0, err
		}
		n, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, fmt.Errorf("session %d was not idle: %d bytes, %v", i, n, err)
		}
	}
	return (after - before) / o.sessions, nil
}

// open fills conns with the connections of idle sessions.
func open(addr string, conns []net.Conn, from int, o *options) error {
	var wg sync.WaitGroup
	errs := make([]error, o.dialers)
	for d := range o.dialers {
		wg.Go(func() {
			for i := d; i < len(conns) && errs[d] == nil; i += o.dialers {
				var s *session
				if s, errs[d] = join(addr, from+i); errs[d] == nil {
					conns[i], errs[d] = s.idle()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// measureEcho returns the requests answered in a second, and those answered in
// a second of the server's processor time.
func measureEcho(pid int, addr string, o *options) (rate, perCore float64, err error) {
	list := make([]*session, o.active)
	for i := range list {
		if list[i], err = join(addr, i); err != nil {
			return 0, 0, err
		}
		defer func() { _ = list[i].poll.conn.Close() }()
	}
	round := func(d time.Duration) (requests int, err error) {
		stop := make(chan struct{})
		counts, errs := make([]int, len(list)), make([]error, len(list))
		var wg sync.WaitGroup
		for i, s := range list {
			wg.Go(func() { counts[i], errs[i] = s.echo(addr, i, stop) })
		}
		time.Sleep(d)
		close(stop)
		wg.Wait()
		for _, n := range counts {
			requests += n
		}
		return requests, errors.Join(errs...)
	}
	if _, err := round(o.warm); err != nil {
		return 0, 0, err
	}
	before, err := busy(pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	requests, err := round(o.dur)
	took := time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	after, err := busy(pid)
	if err != nil {
		return 0, 0, err
	}
	used := max(after-before, clockTick)
	return float64(requests) / took.Seconds(), float64(requests) / used.Seconds(), nil
}
