package main

import (
	"fmt"
	"strings"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// markdown is the section of RESULTS.md.
func (s *Set) markdown(plots []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Rivals\n\n")
	fmt.Fprintf(&b, "Written by `make bench-rivals` (in one process, without a "+
		"harness: `go test -run xxx -bench . ./benchmarks`) on %s, throng %s.\n\n",
		s.Started.Format("2006-01-02 15:04 MST"), s.Commit)
	if s.Flags != "" {
		fmt.Fprintf(&b, "A run with `RIVALS_FLAGS='%s'`: smaller than the full one.\n\n", s.Flags)
	}
	fmt.Fprintf(&b, "Machine: %s. The server has one processor, the clients have another; every "+
		"server gets a new process for every measurement.\n\n", s.Machine)
	fmt.Fprintf(&b, "Rounds: %d; in each, all servers run a scenario one right after the other. "+
		"Figures are medians, in parentheses the lowest and the highest; rounds in which anybody else used more "+
		"than %.1f of a processor are left out where quiet ones exist. The last column is the median of "+
		"the first one's ratio to the floor's figure of the same round: absolute figures of a shared "+
		"machine drift, ratios less. %s connections unless a row says otherwise. An asterisk: the "+
		"clients' processor "+
		"was full, so read the CPU figure and not the rate.\n\n", s.Rounds, noisy,
		harness.Number(float64(s.Connections)))
	fmt.Fprintf(&b, "| server | what it is | command |\n|---|---|---|\n")
	for _, v := range s.Servers {
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", v.label(s.Connections), v.Version, v.Command)
	}
	for _, m := range s.Missing {
		fmt.Fprintf(&b, "\nNot measured: %s.\n", m)
	}
	b.WriteString("\n")
	b.WriteString(s.counts())
	for _, p := range plots {
		fmt.Fprintf(&b, "![%s](results/%s)\n", p, p)
	}
	b.WriteString("\n")
	b.WriteString(s.tables())
	b.WriteString(`### What is not measured

A network card and clients on other machines: over loopback the kernel does the receiver's work
inside the sender's call, so about half of a delivery's system time belongs to the clients. More
than one core a server. TLS, compression, long-polling (` + "`make bench-polling`" + `), binary
messages, messages of more than 64 bytes. Handlers that compute. The floor and the goroutine server
believe their clients: they check neither UTF-8 nor JSON, know no limits and no acknowledgements.
`)
	return b.String()
}

func (v Server) label(usual int) string {
	if v.Connections != usual {
		return fmt.Sprintf("%s (%s connections)", v.Name, harness.Number(float64(v.Connections)))
	}
	return v.Name
}

// counts says what came and what did not.
func (s *Set) counts() string {
	var delivered, bad, died, refused uint64
	failed := ""
	for _, r := range s.Rows {
		delivered += r.Delivered
		bad += r.Bad
		died += r.Died
		refused += r.Refused
		if r.Failed != "" {
			failed += fmt.Sprintf("- %s in %q: %s\n", r.Server, r.Scenario, r.Failed)
		}
		if r.Bad+r.Died+r.Refused > 0 {
			failed += fmt.Sprintf("- %s in %q, round %d: %d messages lost, duplicate or misrouted, "+
				"%d connections died, %d handshakes failed\n",
				r.Server, r.Scenario, r.Round+1, r.Bad, r.Died, r.Refused)
		}
	}
	text := fmt.Sprintf("%d measurements, %s deliveries; %d messages lost, duplicate or misrouted, "+
		"%d connections died, %d handshakes failed.\n\n", len(s.Rows),
		harness.Number(float64(delivered)), bad, died, refused)
	if failed != "" {
		text += "Where it was not so smooth:\n\n" + failed + "\n"
	}
	return text
}

// tables has one table a scenario.
func (s *Set) tables() string {
	var b strings.Builder
	for _, sc := range scenarios(0, 0) {
		var command string
		for _, r := range s.Rows {
			if r.Scenario == sc.name && r.Command != "" {
				command = r.Command
				break
			}
		}
		if command == "" {
			continue
		}
		fmt.Fprintf(&b, "### %s\n\n`throng bench %s`\n\n", sc.title, command)
		if sc.note != "" {
			fmt.Fprintf(&b, "%s\n\n", sc.note)
		}
		b.WriteString("| server |")
		for _, c := range sc.columns {
			fmt.Fprintf(&b, " %s |", c.title)
		}
		fmt.Fprintf(&b, " %s to the floor's |\n|---|%s\n", sc.columns[0].title,
			strings.Repeat("---:|", len(sc.columns)+1))
		for _, v := range s.Servers {
			fmt.Fprintf(&b, "| %s |", v.label(s.Connections))
			for _, c := range sc.columns {
				fmt.Fprintf(&b, " %s |", s.cell(v.Name, sc.name, c.key))
			}
			if q, ok := s.ratio(v.Name, sc.name, sc.columns[0].key); ok {
				fmt.Fprintf(&b, " %.2f (%.2f to %.2f) |\n", q.Median, q.Low, q.High)
			} else {
				b.WriteString(" - |\n")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (s *Set) cell(server, scenario, key string) string {
	v, ok := s.spread(server, scenario, key)
	if !ok {
		return "-"
	}
	full := ""
	for _, r := range s.rows(server, scenario, key) {
		if r.ClientsFull {
			full = "*"
		}
	}
	if v.Low == v.High {
		return harness.Number(v.Median) + full
	}
	return fmt.Sprintf("%s%s (%s to %s)", harness.Number(v.Median), full, harness.Number(v.Low),
		harness.Number(v.High))
}
