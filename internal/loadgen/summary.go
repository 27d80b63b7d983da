package loadgen

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Summary writes the result for people.
func (r *Result) Summary(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	title := r.Scenario + " over " + r.Plan.Transport
	if r.Interrupted {
		title += ", INTERRUPTED"
	}
	fmt.Fprintln(w, title)

	if c := r.Connections; c.Asked > 0 {
		line("connections", "%s of %s in %.1f s, %s/s; %s failed, %s died, %s at the end",
			group(c.Connected), group(c.Asked), c.Seconds, group(int(c.PerSecond)),
			group(c.Failed), group(c.Died), group(c.AtEnd))
	}
	latency(line, "handshake", r.Connections.Handshake)
	switch r.Scenario {
	case Churn:
		line("cycles", "%s connected and closed, %s/s; %s failed",
			group(r.Churn.Cycles), group(int(r.Churn.PerSecond)), group(r.Connections.Failed))
	case Storm, Jitter:
		line("dropped", "%s, %s back, %s of them recovered%s", group(r.Lost.Dropped),
			group(r.Lost.Returned), group(r.Lost.Recovered), r.stormTime())
		latency(line, "away", r.Back)
	}
	if m := r.Messages; m.Expected > 0 || m.Sent > 0 {
		line("messages", "%s sent in %.1f s, %s/s; %s not sent", group(m.Sent), m.Seconds,
			group(int(m.PerSecond)), group(m.Blocked))
		line("deliveries", "%s of %s, %s/s; lost %s, missed while away %s, duplicate %s, "+
			"misrouted %s, late %s", group(m.Delivered), group(m.Expected),
			group(int(m.DeliveriesPerSecond)), group(m.Lost), group(m.Missed),
			group(m.Duplicate), group(m.Misrouted), group(m.Late))
		if m.Share != nil {
			line("share", "%.4f %% of the deliveries came", 100**m.Share)
		}
	}
	latency(line, "latency", r.Latency)
	latency(line, "last receiver", r.Last)
	if h := r.Heartbeats; h.Answered > 0 || r.Scenario == Idle {
		line("heartbeats", "%s answered, every %.1f s; %s connections without a due one",
			group(h.Answered), h.Interval, group(h.Overdue))
	}
	r.serverSummary(line)
	g := r.Generator
	line("generator", "%d processes, %.2f processors, busiest worker %.0f %%, longest turn %.1f ms",
		g.Processes, g.Cores, 100*g.Busiest, g.Turn)
	latency(line, "send lag", g.SendLag)
	if g.Others > 0.1 {
		line("others", "used %.1f processors meanwhile", g.Others)
	}
	if g.Saturated {
		line("SATURATED", "%s", g.Why)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		line("error", "%s %s, the first: %s", group(r.Errors[kind].Count), kind, r.Errors[kind].First)
	}
	for _, t := range r.Thresholds {
		verdict, value := "ok", "not measured"
		if !t.OK {
			verdict = "FAILED"
		}
		if t.Value != nil {
			value = strconv.FormatFloat(*t.Value, 'f', -1, 64)
		}
		line("threshold", "--%s %v: %s, %s", t.Name, t.Limit, value, verdict)
	}
}

func (r *Result) stormTime() string {
	if r.Scenario != Storm {
		return ""
	}
	return fmt.Sprintf(", in %.2f s, %s/s", r.Lost.Seconds, group(int(r.Lost.PerSecond)))
}

func (r *Result) serverSummary(line func(name, format string, args ...any)) {
	if s := r.Server; s != nil {
		var parts []string
		for _, p := range []struct {
			of string
			v  *float64
		}{{"connect", s.CPUConnect}, {"message", s.CPUMessage}, {"delivery", s.CPUDelivery},
			{"heartbeat", s.CPUHeartbeat}} {
			if p.v != nil {
				parts = append(parts, fmt.Sprintf("%.2f us a %s", *p.v, p.of))
			}
		}
		line("server CPU", "%.2f processors in the ramp, %.2f then; %s", s.RampCores, s.Cores,
			strings.Join(parts, ", "))
		line("server memory", "%s at the start, %s after the ramp, %s at the end, %s at most%s",
			megabytes(s.RSSStart), megabytes(s.RSSRamp), megabytes(s.RSSEnd), megabytes(s.RSSPeak),
			each(s.PerConnection))
	}
	k := r.Kernel
	line("kernel", "%s TCP sockets, %s in TIME_WAIT, %s of buffers, %s more slab%s",
		group(k.Sockets), group(k.TimeWait), megabytes(k.Buffers), megabytes(k.SlabEnd-k.SlabStart),
		each(k.PerConnection))
	if k.Dropped > 0 {
		line("DROPPED", "%s packets by the kernel, whose queue was full: latencies of 200 ms and more"+
			" may be its", group(k.Dropped))
	}
}

func each(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("; %s B a connection", group(int(*v)))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func latency(line func(name, format string, args ...any), name string, l *Latency) {
	if l != nil {
		line(name, "p50 %s, p99 %s, p99.9 %s, max %s of %s", ms(l.P50), ms(l.P99), ms(l.P999),
			ms(l.Max), group(l.Count))
	}
}

func ms(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f ms", v)
	}
	return (time.Duration(v) * time.Millisecond).Round(100 * time.Millisecond).String()
}

// group writes a number with commas.
func group[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	digits := s
	if n < 0 {
		digits = s[1:]
	}
	var b strings.Builder
	b.WriteString(s[:len(s)-len(digits)])
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(d)
	}
	return b.String()
}
