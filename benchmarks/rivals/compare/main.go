// Command compare measures throng and its rivals in turn: the same scenarios
// on the same machine, one server at a time on one processor, `throng bench`
// on the other. It writes what it found to benchmarks/RESULTS.md; `make
// bench-rivals` builds everything and starts it from the repository's root.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// settings are the flags.
type settings struct {
	servers, scenarios     list
	extra                  list
	connections, few       int
	duration, idle         time.Duration
	rounds                 int
	host                   string
	serverCPU, clientCPU   string
	program, results, file string
	draw, table            bool
}

type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = strings.Split(s, ",")
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("compare: ")
	var s settings
	flag.Var(&s.servers, "servers", "`names` of those to measure (default all that can run)")
	flag.Var(&s.scenarios, "scenarios", "`names` of those to run (default all)")
	flag.Func("extra", "a further server, `name=command` with {addr}, {host} or {port} in it",
		func(v string) error { s.extra = append(s.extra, v); return nil })
	flag.IntVar(&s.connections, "n", 15_000, "connections")
	flag.IntVar(&s.few, "few", 1_000, "connections of a server that bears no more")
	flag.DurationVar(&s.duration, "duration", 5*time.Second, "of each measurement")
	flag.DurationVar(&s.idle, "idle", 30*time.Second, "of the idle time")
	flag.IntVar(&s.rounds, "rounds", 3, "how often everything is measured")
	flag.StringVar(&s.host, "host", "127.0.9.1", "address that servers listen on")
	flag.StringVar(&s.serverCPU, "server-cpu", "0", "processor of the server")
	flag.StringVar(&s.clientCPU, "client-cpu", "1", "processor of the clients")
	flag.StringVar(&s.program, "throng", "bin/throng", "the program whose bench is used")
	flag.StringVar(&s.results, "results", "benchmarks/results", "directory of raw figures and plots")
	flag.StringVar(&s.file, "file", "benchmarks/RESULTS.md", "where the tables go")
	flag.BoolVar(&s.draw, "draw", false, "only draw tables and plots of the raw figures again")
	flag.BoolVar(&s.table, "table", false, "only print tables, write no file")
	flag.Parse()
	if err := s.run(); err != nil {
		log.Fatal(err)
	}
}

func (s *settings) run() error {
	raw := s.results + "/rivals.json"
	set := new(Set)
	var err error
	if s.draw {
		set, err = readSet(raw)
	} else {
		set, err = s.measure()
	}
	if err != nil {
		return err
	}
	if s.table {
		fmt.Print(set.tables())
		return nil
	}
	if err := os.MkdirAll(s.results, 0o755); err != nil {
		return err
	}
	if err := set.write(raw); err != nil {
		return err
	}
	plots, err := set.plots(s.results)
	if err != nil {
		return err
	}
	return harness.WriteSection(s.file, "rivals", set.markdown(plots))
}

// measure goes round: all servers in a scenario, one right after the other,
// then the next scenario; and all of it again.
func (s *settings) measure() (*Set, error) {
	harness.StopOnSignal()
	set := &Set{Started: time.Now().UTC().Truncate(time.Second), Machine: harness.ThisMachine(),
		Commit: commit(), Flags: strings.Join(os.Args[1:], " "), Connections: s.connections, Rounds: s.rounds}
	var all []rival
	for _, r := range append(rivals(), extras(s.extra)...) {
		if len(s.servers) > 0 && !slices.Contains(s.servers, r.name) {
			continue
		}
		version, err := r.version()
		if err != nil {
			log.Printf("%s is not measured: %v", r.name, err)
			set.Missing = append(set.Missing, fmt.Sprintf("%s (%v)", r.name, err))
			continue
		}
		n := s.connections
		if r.few {
			n = min(n, s.few)
		}
		set.Servers = append(set.Servers, Server{r.name, version, strings.Join(r.command, " "), n})
		all = append(all, r)
	}
	for round := range s.rounds {
		for _, sc := range scenarios(s.duration, s.idle) {
			if len(s.scenarios) > 0 && !slices.Contains(s.scenarios, sc.name) {
				continue
			}
			for i, r := range all {
				row, err := s.one(r, sc, set.Servers[i].Connections)
				if err != nil {
					log.Printf("%s, %s: %v", sc.name, r.name, err)
					row.Failed = firstLine(err)
				}
				row.Round = round
				set.Rows = append(set.Rows, row)
				fmt.Println(row)
			}
		}
	}
	if len(set.Rows) == 0 {
		return nil, fmt.Errorf("nothing was measured: servers are %s", names())
	}
	return set, nil
}

// one measures one server in one scenario, on a process of its own.
func (s *settings) one(r rival, sc scenario, n int) (Row, error) {
	row := Row{Server: r.name, Scenario: sc.name}
	addr, err := harness.FreeAddr(s.host)
	if err != nil {
		return row, err
	}
	srv, err := harness.Start(s.serverCPU, addr, r.env, r.command)
	if err != nil {
		return row, err
	}
	defer srv.Stop()
	args := sc.args(n)
	if r.few && sc.forFew != nil {
		args = sc.forFew(n)
	}
	load := harness.Load{Program: s.program, CPUs: s.clientCPU, URL: "http://" + addr,
		PIDs: []int{srv.PID}, Args: args, Timeout: 5 * time.Minute}
	row.Command = strings.Join(args, " ")
	res, err := load.Run()
	if err != nil {
		return row, err
	}
	row.take(res, sc)
	return row, nil
}

func firstLine(err error) string {
	l, _, _ := strings.Cut(err.Error(), "\n")
	return l
}
