package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// result is what a phase found.
type result struct {
	phase
	*harness.Result
	broker float64 // processors that the broker used
}

// report is the section of RESULTS.md.
func (c *crowd) report(all []result) string {
	s := c.settings
	var b strings.Builder
	target := "make bench-100k"
	if s.connections >= 1_000_000 {
		target = "make bench-1m"
	}
	fmt.Fprintf(&b, "## %s connections on one machine\n\n", thousands(float64(s.connections)))
	fmt.Fprintf(&b, "Written by `%s` on %s (in one process and without the kernel: `go test -run xxx "+
		"-bench Hundred ./benchmarks -sessions %d`).\n\n",
		target, time.Now().UTC().Format("2006-01-02 15:04 MST"), s.connections)
	fmt.Fprintf(&b, "Machine: %s. Servers, broker and clients share its processors.\n\n",
		harness.ThisMachine())
	joined := "one server process"
	if s.processes > 1 {
		joined = fmt.Sprintf("%d server processes on one port, joined through Valkey", s.processes)
	}
	if s.oneLoop() {
		joined += ", each with one loop and GOMAXPROCS=1"
	}
	fmt.Fprintf(&b, "%s (%d descriptors a process), a heartbeat every %s. Payloads have 64 bytes; a "+
		"latency runs from the moment a message was due to its receipt, over all servers. Times hold "+
		"what others on the machine used meanwhile (last row); counts do not.\n\n",
		joined, c.limit, s.ping)

	row := func(head string, cell func(r result) string) {
		fmt.Fprintf(&b, "| %s |", head)
		for _, r := range all {
			fmt.Fprintf(&b, " %s |", cell(r))
		}
		b.WriteString("\n")
	}
	row("", func(r result) string { return r.title })
	fmt.Fprintf(&b, "|---|%s\n", strings.Repeat("---:|", len(all)))
	row("connected", func(r result) string { return count(r.Connections.Connected) })
	row("failed handshakes, died", func(r result) string {
		return fmt.Sprintf("%d, %d", r.Connections.Failed, r.Connections.Died)
	})
	row("connects/s", func(r result) string { return thousands(r.Connections.PerSecond) })
	row("deliveries", func(r result) string { return count(r.Messages.Delivered) })
	row("lost, duplicate, misrouted", func(r result) string {
		m := r.Messages
		return fmt.Sprintf("%d, %d, %d", m.Lost, m.Duplicate, m.Misrouted)
	})
	row("missed while away", func(r result) string { return count(r.Messages.Missed) })
	row("dropped, back", func(r result) string {
		return count(r.Lost.Dropped) + ", " + count(r.Lost.Returned)
	})
	row("s until all were back", func(r result) string {
		if r.name != "storm" {
			return "-"
		}
		return thousands(r.Lost.Seconds)
	})
	row("latency p50, p99 (ms)", func(r result) string { return times(r.Latency) })
	row("last receiver p50, p99 (ms)", func(r result) string { return times(r.Last) })
	row("heartbeats answered, overdue", func(r result) string {
		return fmt.Sprintf("%s, %d", count(r.Heartbeats.Answered), r.Heartbeats.Overdue)
	})
	row("servers: B of memory a connection", func(r result) string {
		// What the first phase began with; later ones begin with what is left.
		base := all[0].Server
		if base == nil || r.Server == nil || r.Connections.Connected == 0 {
			return "-"
		}
		return thousands(float64(r.Server.RSSEnd-base.RSSStart) / float64(r.Connections.Connected))
	})
	row("kernel: B a connection, both ends", func(r result) string {
		if r.name != all[0].name {
			return "-" // closed sockets of the phase before are still in it
		}
		return known(r.Kernel.PerConnection)
	})
	row("servers: processors", func(r result) string {
		return server(r, func(r result) *float64 { return &r.Server.Cores })
	})
	row("servers: CPU us a connect", func(r result) string {
		return server(r, func(r result) *float64 { return r.Server.CPUConnect })
	})
	row("servers: CPU us a delivery", func(r result) string {
		return server(r, func(r result) *float64 { return r.Server.CPUDelivery })
	})
	row("servers: CPU us a heartbeat", func(r result) string {
		return server(r, func(r result) *float64 { return r.Server.CPUHeartbeat })
	})
	row("broker: processors", func(r result) string { return fmt.Sprintf("%.2f", r.broker) })
	row("clients: processes, processors", func(r result) string {
		full := ""
		if r.Generator.Saturated {
			full = ", at their limit"
		}
		return fmt.Sprintf("%d, %.2f%s", r.Generator.Processes, r.Generator.Cores, full)
	})
	row("others: processors", func(r result) string { return fmt.Sprintf("%.2f", r.Generator.Others) })
	b.WriteString("\nCommands, each with `--url` and `--pid` of the servers:\n\n")
	for _, r := range all {
		fmt.Fprintf(&b, "- `throng bench %s`\n", strings.Join(r.args, " "))
	}
	return b.String()
}

func server(r result, get func(r result) *float64) string {
	if r.Server == nil {
		return "-"
	}
	return known(get(r))
}

func known(v *float64) string {
	if v == nil {
		return "-"
	}
	return thousands(*v)
}

func times(l *harness.Latency) string {
	if l == nil {
		return "-"
	}
	return thousands(l.P50) + ", " + thousands(l.P99)
}

func count[N int | uint64](n N) string { return thousands(float64(n)) }

// thousands has three digits that mean something.
func thousands(v float64) string { return harness.Number(v) }
