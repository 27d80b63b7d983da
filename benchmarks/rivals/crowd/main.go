// Command crowd holds 100,000 connections, or any number, on one machine: as
// many server processes on one port as the limit of open files asks for,
// joined through a Valkey of their own, and `throng bench` as the clients. It
// says what they cost and whether every message came. `make bench-100k` and
// `make bench-1m` build everything and start it from the repository's root.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"syscall"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// settings are the flags.
type settings struct {
	connections, processes int
	host                   string
	ping                   time.Duration
	stay, active           time.Duration
	phases                 string
	throng, server, valkey string
	file, section          string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("crowd: ")
	var s settings
	flag.IntVar(&s.connections, "n", 100_000, "connections")
	flag.IntVar(&s.processes, "processes", 0,
		"server processes (default as many as the limit of open files asks for)")
	flag.StringVar(&s.host, "host", "127.0.9.1", "address that the servers listen on")
	flag.DurationVar(&s.ping, "ping-interval", 25*time.Second, "between two heartbeats")
	flag.DurationVar(&s.stay, "stay", 5*time.Minute, "how long all stay, with heartbeats only")
	flag.DurationVar(&s.active, "active", time.Minute, "length of each of the other phases")
	flag.StringVar(&s.phases, "phases", "", "`names` of those to run, comma-separated (default all)")
	flag.StringVar(&s.throng, "throng", "bin/throng", "the program whose bench is used")
	flag.StringVar(&s.server, "server", "bin/contractserver", "the server under test")
	flag.StringVar(&s.valkey, "valkey-server", "valkey-server", "the broker's program")
	flag.StringVar(&s.file, "file", "benchmarks/RESULTS.md", "where the table goes, - for none")
	flag.StringVar(&s.section, "section", "", "name of the section in it (default the connections)")
	flag.Parse()
	if s.section == "" {
		s.section = fmt.Sprintf("%d connections", s.connections)
	}
	if err := s.run(); err != nil {
		log.Fatal(err)
	}
}

// spare is the part of a process's descriptors that stays free: the kernel
// spreads connections over the processes by a hash, not evenly, and a server
// keeps a reserve of its own.
const spare = 8

// split is how many processes bear n connections.
func split(n, descriptors int) int {
	each := max(descriptors-descriptors/spare, 1)
	return (n + each - 1) / each
}

func (s *settings) run() (err error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if s.processes == 0 {
		s.processes = split(s.connections, int(min(limit.Max, 1<<30)))
	}
	c := &crowd{settings: s, limit: limit.Max}
	harness.StopOnSignal()
	defer c.stop()
	if err := c.start(); err != nil {
		return err
	}
	fmt.Printf("%d connections, %d server processes of at most %d descriptors on %s\n",
		s.connections, s.processes, limit.Max, c.addr)
	results, err := c.measure()
	text := c.report(results)
	fmt.Print("\n", text)
	if s.file != "-" && len(results) > 0 {
		err = errors.Join(err, harness.WriteSection(s.file, s.section, text))
	}
	return err
}

// measure runs the phases; one that fails does not keep the others from
// running.
func (c *crowd) measure() (out []result, err error) {
	for _, p := range c.plan() {
		if c.settings.phases != "" &&
			!strings.Contains(","+c.settings.phases+",", ","+p.name+",") {
			continue
		}
		if gone := c.gone(); gone != nil {
			return out, errors.Join(err, gone)
		}
		load := harness.Load{Program: c.settings.throng, URL: "http://" + c.addr, PIDs: c.pids(),
			Args: p.args, Live: true, Timeout: p.length + 30*time.Minute}
		fmt.Printf("\n== %s: throng bench %s\n", p.title, strings.Join(p.args, " "))
		before := c.brokerCPU()
		start := time.Now()
		r, failed := load.Run()
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
			if r == nil {
				continue
			}
		}
		if !r.OK {
			err = errors.Join(err, fmt.Errorf("%s: a threshold was not kept", p.name))
		}
		out = append(out, result{p, r, (c.brokerCPU() - before).Seconds() / time.Since(start).Seconds()})
	}
	return out, err
}
